using ImageUtils.Tests.Support;

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
        var (code, output, error) = ConsoleFront.RunWith(
            "pwsh", "-NoProfile", "-NonInteractive", "-File", script.Path,
            Path.Combine(Repository.Root, "tests", "Module", file));
        Assert.True(code == 0, $"{file}:\n{output}\n{error}");
    }
}
