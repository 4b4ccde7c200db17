using ImageUtils.Formats.Qcow2;
using ImageUtils.Formats.Vhd;
using ImageUtils.Formats.Vmdk;
using ImageUtils.Inspection;
using ImageUtils.Qemu;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Qemu;

/// <summary>Compares what the native inspector says with the real qemu-img, in JSON and in human text.</summary>
internal static class QemuAgreement
{
    /// <summary>Where the two differ on purpose, and why: there, the field is left out. All else is the same.</summary>
    private static readonly (string Why, Func<QemuImageInfo, bool> Applies, Func<QemuImageInfo, QemuImageInfo> Leave)[]
        s_differences =
    [
        ("qemu's parallels driver tells neither the cluster size nor whether the image was closed; the header does.",
            info => info.Format == ImageFormat.Ploop,
            info => info with { ClusterSize = null, IsDirty = false }),
        ("qemu-img 7.2 calls a QED image clean even where the header's need-check bit is set.",
            info => info.Format == ImageFormat.Qed,
            info => info with { IsDirty = false }),
        ("Natively no other file is opened: qemu-img adds what a data file or extents take up on disk.",
            info => info.FormatSpecific is Qcow2Details { DataFile: not null }
                || info.FormatSpecific is VmdkDetails vmdk && IsInOtherFiles(vmdk),
            info => info with { ActualSize = null }),
        ("Natively no other file is opened: the grain of sparse extents in files of their own is said there.",
            info => info.FormatSpecific is VmdkDetails vmdk && IsInOtherFiles(vmdk),
            info => info with
            {
                ClusterSize = null,
                FormatSpecific = (VmdkDetails)info.FormatSpecific! with
                {
                    Extents =
                    [
                        .. ((VmdkDetails)info.FormatSpecific).Extents.Select(
                            extent => extent with { ClusterSize = null }),
                    ],
                },
            }),
        ("Of a VMDK's descriptor qemu-img shows no more than identifiers, type and extents, each as it was opened: "
            + "with the file's whole path, and without a kind where it is the image itself.",
            info => info.FormatSpecific is VmdkDetails,
            info => info with { FormatSpecific = ToShared((VmdkDetails)info.FormatSpecific!, info.FileName) }),
        ("Details of the other formats are ours alone.",
            info => info.FormatName is not ("qcow2" or "luks" or "vmdk"),
            info => info with { FormatSpecific = null }),
    ];

    // A fixed VHD has its signature in the last sector only, where qemu-img does not look: it would probe it as raw.
    private static string ToProbed(QemuImageInfo native) =>
        native.FormatSpecific is VhdDetails { DiskType: "fixed" } ? "raw" : native.FormatName;

    /// <summary>Insists on it, field by field, and on the same driver without <c>-f</c>.</summary>
    /// <returns>What the native inspector says.</returns>
    public static QemuImageInfo AssertSame(string path, string driver)
    {
        Tool.Require("qemu-img", "qemu-utils");
        var qemu = Assert.Single(QemuInfoOutput.Parse(
            Tool.Run("qemu-img", "info", "-U", "-f", driver, "--output=json", path)));
        Assert.Empty(qemu.Notes);
        var native = Inspect(path);

        // A file system that allocates late may have done so in between.
        for (var attempt = 0; attempt < 3 && native.ActualSize != qemu.ActualSize; attempt++)
        {
            qemu = qemu with
            {
                ActualSize = Assert.Single(QemuInfoOutput.Parse(
                    Tool.Run("qemu-img", "info", "-U", "-f", driver, "--output=json", path))).ActualSize,
            };
            native = Inspect(path);
        }

        Assert.Equal(ToText(qemu), ToText(native));

        // And so does the human text, as far as it goes: three digits of sizes, seconds of dates.
        var probed = Assert.Single(QemuInfoOutput.Parse(Tool.Run("qemu-img", "info", "-U", path)));
        Assert.Equal(ToProbed(native), probed.FormatName);
        var text = probed.FormatName == driver
            ? probed
            : Assert.Single(QemuInfoOutput.Parse(Tool.Run("qemu-img", "info", "-U", "-f", driver, path)));
        Assert.Empty(text.Notes);
        Assert.Equal(ToText(ToCoarse(qemu)), ToText(ToCoarse(text)));
        return native;
    }

    private static QemuImageInfo Inspect(string path) => QemuImageInfo.FromInspection(
        path, ImageInspector.InspectFileAsync(path).AsTask().GetAwaiter().GetResult());

    private static QemuImageInfo ToCoarse(QemuImageInfo info) => info with
    {
        ActualSize = null,
        Snapshots =
        [
            .. info.Snapshots.Select(snapshot => snapshot with
            {
                VmStateSize = 0,
                Date = DateTimeOffset.FromUnixTimeSeconds(snapshot.Date.ToUnixTimeSeconds()),
                VmClock = TimeSpan.FromMilliseconds((long)snapshot.VmClock.TotalMilliseconds),
            }),
        ],
    };

    private static string ToText(QemuImageInfo info)
    {
        foreach (var (_, applies, leave) in s_differences)
        {
            info = applies(info) ? leave(info) : info;
        }

        return string.Join('\n',
            $"FileName: {info.FileName}", $"Format: {info.Format}", $"FormatName: {info.FormatName}",
            $"TreatAs: {info.TreatAs}", $"VirtualSize: {info.VirtualSize}", $"ActualSize: {info.ActualSize}",
            $"ClusterSize: {info.ClusterSize}", $"IsEncrypted: {info.IsEncrypted}", $"IsDirty: {info.IsDirty}",
            $"BackingFile: {info.BackingFile}", $"FullBackingFile: {info.FullBackingFile}",
            $"BackingFormat: {info.BackingFormat}",
            $"Snapshots: {string.Join('\n', info.Snapshots.Select(snapshot => snapshot with { DiskSize = null }))}",
            $"FormatSpecific: {info.FormatSpecific?.GetType().Name} {Inspected.ToJson(info.FormatSpecific)}");
    }

    private static bool IsInOtherFiles(VmdkDetails details) =>
        details.CreateType is not ("monolithicSparse" or "streamOptimized");

    private static VmdkDetails ToShared(VmdkDetails details, string path) => new()
    {
        CreateType = details.CreateType,
        ContentId = details.ContentId,
        ParentContentId = details.ParentContentId,
        Extents =
        [
            .. details.Extents.Select(extent => extent with
            {
                Access = null,
                Offset = null,
                Format = IsInOtherFiles(details) ? extent.Format : null,
                FileName = QemuImageInfo.Combine(path, extent.FileName!),
            }),
        ],
    };
}
