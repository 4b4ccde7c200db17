using System.Diagnostics;
using System.Text.Json;
using ImageUtils.Tests.Support;
using Medallion.Shell;

namespace ImageUtils.Tests.OpenStack;

/// <summary>
/// Keystone, Glance and Barbican on loopback (<c>tests/Interop/openstack/start.py</c>), started when the first test
/// asks for them and shared by all. They end with this process, however it ends: their standard input does.
/// </summary>
/// <remarks>
/// In <see cref="CloudsFile"/>, <c>test</c> is the administrator, <c>member</c> the second project's user,
/// <c>runbook</c> and <c>runbook-by-name</c> its application credential, and <c>open</c> a Glance without Keystone,
/// which is also the image service of the region RegionTwo. Images are shared: make names of your own and remove them.
/// </remarks>
internal sealed class OpenStackCloud
{
    /// <summary>The environment variable that names servers that run already, by the line that they printed.</summary>
    public const string Variable = "IMAGEUTILS_TEST_CLOUD";

    public const string AdminPassword = "admin-Secret-1";
    public const string MemberPassword = "member-Secret-2";
    public const string ApplicationSecret = "application-Secret-3";

    private static readonly Lazy<(OpenStackCloud? Cloud, string? Missing)> s_cloud = new(Start);

    private readonly JsonElement _line;

    private OpenStackCloud(string line)
    {
        Line = line;
        using var document = JsonDocument.Parse(line);
        _line = document.RootElement.Clone();
    }

    /// <summary>All secrets that are in it, none of which may be in anything that is printed.</summary>
    public static IReadOnlyList<string> Secrets { get; } = [AdminPassword, MemberPassword, ApplicationSecret];

    /// <summary>What the servers printed when they were ready, for <see cref="Variable"/>.</summary>
    public string Line { get; }

    public string Directory => this["directory"];

    public string CloudsFile => this["clouds"];

    /// <summary>Without the version, such as <c>http://127.0.0.1:25000</c>. It answers on ::1 as well.</summary>
    public string Keystone => this["keystone"];

    public string Glance => this["glance"];

    /// <summary>A Glance that asks for no token; anybody is its administrator.</summary>
    public string OpenGlance => this["open_glance"];

    public string Barbican => this["barbican"];

    /// <summary>A web server without ranges, of the files in <see cref="WebDirectory"/>.</summary>
    public string Web => this["web"];

    public string WebDirectory => Path.Combine(Directory, "web");

    /// <summary>The project <c>second</c>, in the domain Default.</summary>
    public string ProjectId => this["project_id"];

    /// <summary>The user <c>member</c>, in the domain Default.</summary>
    public string UserId => this["user_id"];

    public string ApplicationCredentialId => this["application_credential_id"];

    private string this[string name] => _line.GetProperty(name).GetString()!;

    /// <summary>Skips the calling <c>[SkippableFact]</c> where the servers cannot be had.</summary>
    public static OpenStackCloud Require()
    {
        var (cloud, missing) = s_cloud.Value;
        Skip.If(cloud is null, $"not installed: {missing}");
        return cloud!;
    }

    /// <summary>The servers, or null where they cannot be had.</summary>
    public static OpenStackCloud? Find() => s_cloud.Value.Cloud;

    /// <summary>Runs the openstack client as a cloud of <see cref="CloudsFile"/> and returns what it printed.</summary>
    public string Client(string cloud, params string[] arguments)
    {
        var program = Tool.Require("openstack", "python3-openstackclient");
        var result = Command.Run(program, ["--os-cloud", cloud, .. arguments], options => options
            .EnvironmentVariable("OS_CLIENT_CONFIG_FILE", CloudsFile).Timeout(TimeSpan.FromMinutes(2))).Result;
        return result.Success
            ? result.StandardOutput
            : throw new InvalidOperationException($"openstack {string.Join(' ', arguments)}: {result.StandardError}");
    }

    private static (OpenStackCloud? Cloud, string? Missing) Start()
    {
        if (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } running)
        {
            return (new OpenStackCloud(running), null);
        }

        const string Python = "/usr/bin/python3";
        if (!OperatingSystem.IsLinux() || !File.Exists(Python))
        {
            return (null, "Debian's python3");
        }

        var script = Path.Combine(Repository.Root, "tests", "Interop", "openstack", "start.py");
        var process = Process.Start(new ProcessStartInfo(Python, ["-B", script])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        var line = process.StandardOutput.ReadLine()
            ?? throw new InvalidOperationException($"{script} ended without a word.");
        using var answer = JsonDocument.Parse(line);
        if (answer.RootElement.TryGetProperty("error", out var error))
        {
            throw new InvalidOperationException(error.GetString());
        }

        if (answer.RootElement.TryGetProperty("missing", out var missing))
        {
            return (null, string.Join(", ", missing.EnumerateArray().Select(one => one.GetString())));
        }

        AppDomain.CurrentDomain.ProcessExit += (_, _) =>
        {
            process.StandardInput.Close();
            process.WaitForExit(TimeSpan.FromSeconds(10));
        };
        return (new OpenStackCloud(line), null);
    }
}
