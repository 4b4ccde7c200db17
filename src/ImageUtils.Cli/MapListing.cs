using System.Text.Encodings.Web;
using System.Text.Json;
using ImageUtils.Conversion;
using ImageUtils.Mapping;

namespace ImageUtils.Cli;

/// <summary>Prints extents as they come, with qemu-img map's columns or its JSON.</summary>
internal sealed class MapListing(TextWriter output, OpenedImage image, bool isJson)
{
    private bool _isFirst = true;

    internal void Begin() => output.WriteLine(isJson ? "[" : "Offset          Length          Mapped to       File");

    internal void Add(DiskImageExtent extent)
    {
        if (isJson)
        {
            output.Write(_isFirst ? "" : ",\n");
            output.Write(ToJson(extent));
            _isFirst = false;
        }
        else if (extent.Kind == DiskExtentKind.Data)
        {
            output.WriteLine(
                $"0x{extent.Start,-14:x}0x{extent.Length,-14:x}0x{extent.HostOffset,-14:x}{ToPrintable(extent.File!)}");
        }
        else if (extent.Kind == DiskExtentKind.Compressed)
        {
            // qemu-img refuses to list such images.
            output.WriteLine($"0x{extent.Start,-14:x}0x{extent.Length,-14:x}{"compressed",-16}{ToPrintable(extent.File!)}");
        }
    }

    internal void End()
    {
        if (isJson)
        {
            output.WriteLine(_isFirst ? "]" : "\n]");
        }
    }

    internal static void Print(TextWriter output, DiskImageMapSummary summary)
    {
        Row("format", summary.Format.ToName());
        Row("virtual size", WithBytes(summary.VirtualSize));
        if (summary.Length != summary.VirtualSize)
        {
            Row("range", $"{WithBytes(summary.Length)} from byte {summary.Start} on");
        }

        Row("allocated", $"{WithBytes(summary.AllocatedBytes)}, {FormattableString.Invariant($"{summary.PercentAllocated}")} %");
        Row("data", WithBytes(summary.DataBytes));
        Row("compressed", summary.CompressedBytes == 0
            ? WithBytes(0)
            : $"{WithBytes(summary.CompressedBytes)} in {WithBytes(summary.CompressedHostBytes)}");
        Row("zero", WithBytes(summary.ZeroBytes));
        Row("hole", WithBytes(summary.HoleBytes));
        Row("extents", $"{summary.ExtentCount}");
        Row("fragments", $"{summary.FragmentCount}");
        foreach (var file in summary.Files)
        {
            Row("file", $"{ToPrintable(file.Path)}: {WithBytes(file.GuestBytes)}");
        }

        void Row(string name, string value) => output.WriteLine($"{name + ":",-14}{value}");
    }

    private string ToJson(DiskImageExtent extent)
    {
        // A hole is seen through to the last image; of zeros it is known only where there is but one image.
        var depth = extent.Depth
            ?? (extent.Kind == DiskExtentKind.Hole || image.Depth == 0 ? image.Depth : (int?)null);
        var text = $"{{ \"start\": {extent.Start}, \"length\": {extent.Length}"
            + (depth is null ? "" : $", \"depth\": {depth}")
            + $", \"present\": {ToJson(extent.Kind != DiskExtentKind.Hole)}, \"zero\": {ToJson(!extent.IsAllocated)}"
            + $", \"data\": {ToJson(extent.IsAllocated)}"
            + $", \"compressed\": {ToJson(extent.Kind == DiskExtentKind.Compressed)}"
            + (extent.Kind == DiskExtentKind.Data ? $", \"offset\": {extent.HostOffset}" : "");
        return extent.Depth > 0
            ? $"{text}, \"filename\": \"{JsonEncodedText.Encode(extent.File!, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"}}"
            : text + "}";
    }

    private static string ToJson(bool value) => value ? "true" : "false";

    private static string WithBytes(long bytes) => $"{ByteSize.ToText(bytes)} ({bytes} bytes)";

    // A file's name may hold anything, a terminal's control sequences too.
    private static string ToPrintable(string text) =>
        string.Concat(text.Select(one => char.IsControl(one) ? '\ufffd' : one));
}
