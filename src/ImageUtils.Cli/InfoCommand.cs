using System.CommandLine;
using ImageUtils.Inspection;
using ImageUtils.Qemu;

namespace ImageUtils.Cli;

/// <summary><c>imageutils info</c>: each image described as <c>qemu-img info</c> does, natively.</summary>
internal static class InfoCommand
{
    internal static Command Create() => InspectionCommand.Create(
        "info",
        "Describe each image as qemu-img info does, without qemu-img. Exit codes as for test.",
        asJson => asJson
            ? new JsonOutput(report => [QemuImageInfo.FromInspection(report.Path, report.Inspection)])
            : new TableOutput(["File", "Property", "Value"], ToRows));

    private static IEnumerable<string[]> ToRows(ImageFormatReport report)
    {
        var image = report.Inspection;
        (string Property, string? Value)[] rows =
        [
            ("format", image.Format.ToName()),
            ("subformat", image.Subformat),
            ("version", image.FormatVersion),
            ("virtual size", WithBytes(image.VirtualSize)),
            ("file size", WithBytes(image.FileSize)),
            ("allocated", image.AllocatedSize is null ? null : WithBytes(image.AllocatedSize)),
            ("cluster size", image.ClusterSize is null ? null : WithBytes(image.ClusterSize)),
            ("backing file", image.BackingFile),
            ("backing format", image.BackingFormat),
            ("data file", image.DataFile),
            ("extent files", OrNull(string.Join(", ", image.ExtentFiles))),
            ("compression", image.CompressionType),
            ("features", OrNull(string.Join(", ", image.Features))),
            ("state", OrNull(string.Join(", ", States(image)))),
            ("inside", image.InnerImage?.Format.ToName()),
            ("failed checks", OrNull(string.Join(", ", report.Failures.Select(failure => failure.Name)))),
        ];
        foreach (var (property, value) in rows.Where(row => row.Value is not null))
        {
            yield return [report.Path, property, value!];
        }

        foreach (var snapshot in image.Snapshots)
        {
            yield return [report.Path, "snapshot", $"{snapshot.Id}: {snapshot.Name}, {snapshot.Date:u}"];
        }
    }

    private static IEnumerable<string> States(ImageInspection image)
    {
        (bool Is, string Name)[] states =
        [
            (image.IsEncrypted, "encrypted"),
            (image.IsDirty, "dirty"),
            (image.IsCorrupt, "marked corrupt"),
            (image.IsLogPending, "log pending"),
        ];
        return states.Where(state => state.Is).Select(state => state.Name);
    }

    private static string WithBytes(long? bytes) => $"{ByteSize.ToText(bytes)} ({bytes} bytes)";

    private static string? OrNull(string text) => text.Length == 0 ? null : text;
}
