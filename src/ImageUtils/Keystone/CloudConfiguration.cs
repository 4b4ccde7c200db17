using System.Collections;
using ImageUtils.Errors;
using ImageUtils.Inspection;

namespace ImageUtils.Keystone;

/// <summary>
/// The clouds that clouds.yaml, secure.yaml and the environment's OS_ variables describe, by openstacksdk's rules: the
/// first clouds.yaml that is found counts, the first secure.yaml is laid over it, a profile of clouds-public.yaml under
/// it, and the OS_ variables are a cloud of their own.
/// </summary>
public sealed class CloudConfiguration
{
    private const string DefaultEnvironmentCloud = "envvars";

    private readonly IReadOnlyDictionary<string, string> _environment;
    private readonly CloudFilePlaces _places;
    private readonly CloudMap _clouds;

    private CloudConfiguration(IReadOnlyDictionary<string, string> environment, string workingDirectory)
    {
        _environment = environment;
        _places = new CloudFilePlaces(environment, workingDirectory);
        var file = CloudFile.ReadFirst(_places.Clouds);
        Path = file?.Path;
        var content = file?.Content ?? [];
        if (CloudFile.ReadFirst(_places.Secure) is { } secure)
        {
            content.Overlay(secure.Content);
        }

        _clouds = content.GetMap("clouds") ?? [];
        if (ReadEnvironment() is { } variables)
        {
            EnvironmentCloud = environment.GetValueOrDefault("OS_CLOUD_NAME") ?? DefaultEnvironmentCloud;
            if (!_clouds.TryAdd(EnvironmentCloud, variables))
            {
                throw new CloudConfigurationException(
                    CloudConfigurationProblem.InvalidValue, EnvironmentCloud,
                    $"'{Path}' has a cloud '{Printable.Text(EnvironmentCloud)}', which is also the name of the one "
                    + "that the environment's OS_ variables describe. Rename one of them (OS_CLOUD_NAME).");
            }
        }
    }

    /// <summary>The clouds.yaml that was found; null where there is none.</summary>
    public string? Path { get; }

    /// <summary>The clouds' names, in the file's order, the environment's last.</summary>
    public IReadOnlyList<string> Names => [.. _clouds.Keys];

    /// <summary>The cloud that the OS_ variables describe; null where they describe none.</summary>
    private string? EnvironmentCloud { get; }

    /// <summary>Reads the files and the environment.</summary>
    /// <param name="workingDirectory">Where <c>./clouds.yaml</c> would be; null for the process's own.</param>
    /// <param name="environment">The environment; null for the process's own.</param>
    /// <exception cref="CloudConfigurationException">A file is malformed.</exception>
    public static CloudConfiguration Load(
        string? workingDirectory = null, IReadOnlyDictionary<string, string>? environment = null) =>
        new(environment ?? ReadProcessEnvironment(), workingDirectory ?? Environment.CurrentDirectory);

    /// <summary>What is known of a cloud.</summary>
    /// <param name="name">
    /// Its name; null for OS_CLOUD's, else the one that the environment describes, else the only one there is.
    /// </param>
    /// <param name="region">The region, where the cloud has several; null for its first.</param>
    /// <exception cref="CloudConfigurationException">There is none of that name, or it is not understood.</exception>
    public CloudSettings Get(string? name = null, string? region = null)
    {
        name ??= ChooseName();
        if (_clouds.GetMap(name) is not { } own)
        {
            var known = _clouds.Count == 0
                ? "There are none."
                : $"There are: {Printable.Text(string.Join(", ", Names))}.";
            var place = Path is null ? "any clouds.yaml" : $"'{Path}'";
            throw new CloudConfigurationException(
                CloudConfigurationProblem.CloudNotFound, name,
                $"There is no cloud '{Printable.Text(name)}' in {place}. {known}");
        }

        var warnings = new List<string>();
        var cloud = new CloudMap();
        var profile = own.GetText("profile") ?? own.GetText("cloud");
        if (profile is not null && profile != EnvironmentCloud)
        {
            var vendor = CloudFile.ReadFirst(_places.Vendors)?.Content.GetMap("public-clouds")?.GetMap(profile);
            cloud.Overlay(vendor ?? []);
            if (vendor is null)
            {
                warnings.Add($"The profile '{Printable.Text(profile)}' of the cloud '{Printable.Text(name)}' is in no "
                    + "clouds-public.yaml; the cloud's own settings alone count.");
            }
        }

        cloud.Overlay(own);
        var settings = CloudSettingsReader.Read(ApplyRegion(cloud, name, region), name);
        settings.Cloud = name;
        foreach (var warning in warnings)
        {
            settings.Warnings.Add(warning);
        }

        return settings;
    }

    private static Dictionary<string, string> ReadProcessEnvironment() =>
        Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .ToDictionary(pair => (string)pair.Key, pair => (string?)pair.Value ?? "", StringComparer.Ordinal);

    private static CloudMap ApplyRegion(CloudMap cloud, string name, string? region)
    {
        if (cloud.GetValueOrDefault("regions") is not List<object?> { Count: > 0 } regions)
        {
            cloud["region_name"] = region ?? cloud.GetText("region_name");
            return cloud;
        }

        var known = regions.Select(one => one as CloudMap ?? new CloudMap { ["name"] = one }).ToList();
        region ??= cloud.GetText("region_name");
        var chosen = region is null ? known[0] : known.Find(one => one.GetText("name") == region)
            ?? throw new CloudConfigurationException(
                CloudConfigurationProblem.InvalidValue, name,
                $"The cloud '{Printable.Text(name)}' has no region '{Printable.Text(region)}'. It has: "
                + $"{Printable.Text(string.Join(", ", known.Select(one => one.GetText("name"))))}.");
        cloud.Overlay(chosen.GetMap("values") ?? []);
        cloud["region_name"] = chosen.GetText("name");
        return cloud;
    }

    private string ChooseName()
    {
        if (_environment.GetValueOrDefault("OS_CLOUD") is { Length: > 0 } named)
        {
            return named;
        }

        return EnvironmentCloud ?? (_clouds.Count == 1 ? Names[0] : throw new CloudConfigurationException(
            CloudConfigurationProblem.NoCloudChosen, Path ?? "clouds.yaml",
            _clouds.Count == 0
                ? "There is no clouds.yaml and no OS_AUTH_URL. Write one, name it in OS_CLIENT_CONFIG_FILE, or say "
                    + "where the cloud is with -AuthUrl or -Endpoint."
                : $"'{Path}' has several clouds. Choose one with -Cloud or OS_CLOUD: "
                    + $"{Printable.Text(string.Join(", ", Names))}."));
    }

    private CloudMap? ReadEnvironment()
    {
        string[] selectors =
            ["OS_CLOUD", "OS_REGION_NAME", "OS_CLIENT_CONFIG_FILE", "OS_CLIENT_SECURE_FILE", "OS_CLOUD_NAME"];
        string[] foreign = ["OS_TEST", "OS_STD", "OS_LOG"];
        var variables = _environment.Where(pair => pair.Key.StartsWith("OS_", StringComparison.Ordinal)
            && pair.Value.Length > 0
            && !foreign.Any(prefix => pair.Key.StartsWith(prefix, StringComparison.Ordinal))).ToList();
        if (variables.All(pair => selectors.Contains(pair.Key)))
        {
            return null;
        }

        var map = new CloudMap();
        foreach (var (key, value) in variables)
        {
            map[key[3..].ToLowerInvariant()] = value;
        }

        return map;
    }
}
