using System.CommandLine;

namespace ImageUtils.Cli;

/// <summary><c>imageutils checks</c>: every check of every file with its verdict.</summary>
internal static class ChecksCommand
{
    internal static Command Create() => InspectionCommand.Create(
        "checks",
        "Show every safety check with its verdict and reason. Exit codes as for test.",
        asJson => asJson
            ? new JsonOutput(report => report.Checks.Select(
                check => new CheckLine(report.Path, report.Format, check.Name, check.Verdict, check.Message)))
            : new TableOutput(["File", "Format", "Check", "Verdict", "Reason"], report => report.Checks.Select(check =>
                new[] { report.Path, report.Format.ToName(), check.Name, check.Verdict.ToString(), check.Message })));
}
