namespace ImageUtils.Configuration;

/// <summary>Whose configuration file is meant.</summary>
public enum ConfigurationScope
{
    /// <summary>The user's.</summary>
    User,

    /// <summary>The machine's, for all users.</summary>
    Machine,
}

/// <summary>Where the configuration is read from.</summary>
public sealed record ConfigurationSources
{
    private const string FileName = "configuration.json";

    /// <summary>
    /// The files and environment of this process: <c>/etc/imageutils</c> and <c>$XDG_CONFIG_HOME/imageutils</c> or
    /// <c>~/.config/imageutils</c>; on Windows <c>ImageUtils</c> in <c>%ProgramData%</c> and <c>%APPDATA%</c>.
    /// </summary>
    public static ConfigurationSources OfProcess => new()
    {
        MachineFile = OperatingSystem.IsWindows()
            ? Path.Combine(GetFolder(Environment.SpecialFolder.CommonApplicationData), "ImageUtils", FileName)
            : Path.Combine("/etc/imageutils", FileName),
        UserFile = GetFolder(Environment.SpecialFolder.ApplicationData) is { Length: > 0 } folder
            ? Path.Combine(folder, OperatingSystem.IsWindows() ? "ImageUtils" : "imageutils", FileName)
            : null,
    };

    /// <summary>The machine's file; it need not be there.</summary>
    public required string MachineFile { get; init; }

    /// <summary>The user's file; it need not be there. Null where the user has no home.</summary>
    public string? UserFile { get; init; }

    /// <summary>Reads an environment variable.</summary>
    public Func<string, string?> GetVariable { get; init; } = Environment.GetEnvironmentVariable;

    private static string GetFolder(Environment.SpecialFolder folder) =>
        Environment.GetFolderPath(folder, Environment.SpecialFolderOption.DoNotVerify);
}
