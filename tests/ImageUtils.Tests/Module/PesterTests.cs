using ImageUtils.Tests.OpenStack;
using ImageUtils.Tests.Support;
using Medallion.Shell;

namespace ImageUtils.Tests.Module;

/// <summary>Runs each Pester file in a PowerShell of its own, over the module that this build made.</summary>
public sealed class PesterTests
{
    // Fails on any failed test, container or block, and on a file without tests.
    private const string Script = """
        $ErrorActionPreference = 'Stop'
        $configuration = New-PesterConfiguration
        $configuration.Run.Path = $args[0]
        $configuration.Run.PassThru = $true
        $configuration.Output.Verbosity = 'Detailed'
        $configuration.Output.RenderMode = 'Plaintext'
        $result = Invoke-Pester -Configuration $configuration
        if ($result.Result -ne 'Passed' -or $result.TotalCount -eq 0) { exit 1 }
        """;

    private static readonly Lazy<bool> s_hasPester = new(() => ConsoleFront.RunWith(
        "pwsh", "-NoProfile", "-NonInteractive", "-Command", "Import-Module Pester -MinimumVersion 5.0").Code == 0);

    public static TheoryData<string> Files => [.. PesterFiles.All];

    [SkippableTheory]
    [MemberData(nameof(Files))]
    public void Pester_passes(string file)
    {
        Tool.Require("pwsh", "PowerShell 7.6");
        using var script = new TemporaryFile(System.Text.Encoding.UTF8.GetBytes(Script), ".ps1");
        Skip.IfNot(s_hasPester.Value, "pwsh has no Pester 5");
        var path = Path.Combine(Repository.Root, "tests", "Module", file);
        var needsCloud = File.ReadAllText(path).Contains("OpenStackCloud.ps1", StringComparison.Ordinal);
        var result = Command.Run(
            Tool.Find("pwsh")!, ["-NoProfile", "-NonInteractive", "-File", script.Path, path],
            options => options.Timeout(TimeSpan.FromMinutes(5)).EnvironmentVariable(
                OpenStackCloud.Variable, needsCloud ? OpenStackCloud.Find()?.Line ?? "" : "")).Result;
        Assert.True(result.Success, $"{file}:\n{result.StandardOutput}\n{result.StandardError}");
    }
}
