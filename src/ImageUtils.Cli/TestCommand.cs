using System.CommandLine;
using ImageUtils.Inspection;

namespace ImageUtils.Cli;

/// <summary><c>imageutils test</c>: one line a file, as Test-ImageFormat shows it.</summary>
internal static class TestCommand
{
    internal static Command Create() => InspectionCommand.Create(
        "test",
        "Say what each file is and whether it is safe. Exit code: 0 all safe, 1 one is unsafe or a mismatch, 2 error.",
        asJson => asJson
            ? new JsonOutput(report => [ToObject(report)])
            : new TableOutput(["Verdict", "Format", "Virtual", "File", "Name", "Failures"], report => [ToRow(report)]));

    private static string[] ToRow(ImageFormatReport report) =>
    [
        !report.IsSafe ? "UNSAFE" : report.MatchesExpected == false ? "MISMATCH" : "safe",
        report.Format.ToName(),
        ByteSize.ToText(report.VirtualSize),
        ByteSize.ToText(report.FileSize),
        report.Path,
        string.Join(", ", report.Failures.Select(failure => failure.Name)),
    ];

    private static TestLine ToObject(ImageFormatReport report) => new(
        report.Path,
        report.Format,
        report.Subformat,
        report.ExpectedFormat,
        report.MatchesExpected,
        report.IsSafe,
        report.VirtualSize,
        report.FileSize,
        report.AllocatedSize,
        report.InnerFormat,
        report.Checks,
        report.Failures);
}
