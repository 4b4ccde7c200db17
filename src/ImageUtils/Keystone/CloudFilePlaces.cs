namespace ImageUtils.Keystone;

/// <summary>
/// Where openstacksdk looks for its files, in its order: the file that the environment names, the working directory,
/// the user's configuration, the machine's.
/// </summary>
internal sealed class CloudFilePlaces(IReadOnlyDictionary<string, string> environment, string workingDirectory)
{
    private static readonly string[] s_extensions = [".yaml", ".yml", ".json"];

    internal IEnumerable<string> Clouds => Named("OS_CLIENT_CONFIG_FILE").Concat(In("clouds"));

    internal IEnumerable<string> Secure => Named("OS_CLIENT_SECURE_FILE").Concat(In("secure"));

    internal IEnumerable<string> Vendors => In("clouds-public");

    private IEnumerable<string> Named(string variable) =>
        environment.GetValueOrDefault(variable) is { Length: > 0 } path
            ? [Path.GetFullPath(path, workingDirectory)]
            : [];

    private IEnumerable<string> In(string name) =>
        from directory in Directories().Distinct()
        from extension in s_extensions
        select Path.Combine(directory, name + extension);

    private IEnumerable<string> Directories()
    {
        yield return workingDirectory;
        var home = environment.GetValueOrDefault("HOME");
        if (OperatingSystem.IsWindows())
        {
            foreach (var variable in (string[])["LOCALAPPDATA", "ALLUSERSPROFILE"])
            {
                if (environment.GetValueOrDefault(variable) is { Length: > 0 } root)
                {
                    yield return Path.Combine(root, "OpenStack", "openstack");
                }
            }

            home = environment.GetValueOrDefault("USERPROFILE");
        }
        else if (environment.GetValueOrDefault("XDG_CONFIG_HOME") is { Length: > 0 } configuration)
        {
            yield return Path.Combine(configuration, "openstack");
        }

        if (home is { Length: > 0 })
        {
            yield return Path.Combine(home, ".config", "openstack");
        }

        if (!OperatingSystem.IsWindows())
        {
            var shared = environment.GetValueOrDefault("XDG_CONFIG_DIRS") is { Length: > 0 } dirs ? dirs : "/etc/xdg";
            foreach (var directory in shared.Split(':', StringSplitOptions.RemoveEmptyEntries))
            {
                yield return Path.Combine(directory, "openstack");
            }

            yield return "/etc/openstack";
        }
    }
}
