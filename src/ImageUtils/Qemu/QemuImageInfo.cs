using ImageUtils.Inspection;
using ImageUtils.Safety;

namespace ImageUtils.Qemu;

/// <summary>Who answered.</summary>
public enum InfoEngine
{
    /// <summary>The native inspector, from the image's bytes.</summary>
    Native,

    /// <summary>qemu-img, run for this answer.</summary>
    Qemu,

    /// <summary>Saved output of qemu-img, by which nothing is said of any file that exists now.</summary>
    Parsed,
}

/// <summary>What <c>qemu-img info</c> says of an image, whoever answered.</summary>
/// <remarks>
/// QEMU, qapi/block-core.json, <c>ImageInfo</c>. Where qemu-img says nothing, a property is null, false or empty.
/// </remarks>
public sealed record QemuImageInfo
{
    /// <summary>The image, as it was named.</summary>
    public string FileName { get; init; } = "";

    /// <summary>
    /// The format. qemu has no name of its own for optical discs and partitioned disks: where the native inspector
    /// has looked, this says what they are, and <see cref="FormatName"/> says <c>raw</c>.
    /// </summary>
    public ImageFormat Format { get; init; }

    /// <summary>qemu's driver for the format, such as <c>vpc</c>; our own name where qemu has no driver.</summary>
    public string FormatName { get; init; } = "";

    /// <summary>
    /// The format as which the image is handed on, where that is not <see cref="Format"/>: a LUKS volume is raw.
    /// </summary>
    /// <remarks>
    /// OpenStack moves an encrypted volume as it is, ciphertext and header: Cinder's image_utils therefore converts
    /// <c>luks</c> as <c>raw</c>. With <c>-f luks</c> qemu-img would want the passphrase and hand out the plaintext.
    /// </remarks>
    public ImageFormat? TreatAs => Format == ImageFormat.Luks ? ImageFormat.Raw : null;

    /// <summary>The size that a guest sees, in bytes.</summary>
    public long? VirtualSize { get; init; }

    /// <summary>What the image takes up on disk, in bytes.</summary>
    public long? ActualSize { get; init; }

    /// <summary>The unit of allocation, in bytes.</summary>
    public long? ClusterSize { get; init; }

    /// <summary>Whether the guest's data is encrypted.</summary>
    public bool IsEncrypted { get; init; }

    /// <summary>Whether the image was not closed properly.</summary>
    public bool IsDirty { get; init; }

    /// <summary>The backing file, as written in the image.</summary>
    public string? BackingFile { get; init; }

    /// <summary>The backing file, as reached from the image's directory.</summary>
    public string? FullBackingFile { get; init; }

    /// <summary>The backing file's format as qemu names it, as written in the image.</summary>
    public string? BackingFormat { get; init; }

    /// <summary>Internal snapshots.</summary>
    public IReadOnlyList<ImageSnapshot> Snapshots { get; init; } = [];

    /// <summary>What only this format has: the format's own details.</summary>
    /// <remarks>
    /// qemu-img has something to say of qcow2, LUKS and VMDK images (<see cref="Formats.Qcow2.Qcow2Details"/>,
    /// <see cref="Formats.Luks.LuksDetails"/>, <see cref="Formats.Vmdk.VmdkDetails"/>), and where it answered, this is
    /// null for the others, and <see cref="QemuFormatDetails"/> for a format, or of a version, that is not known here.
    /// </remarks>
    public FormatDetails? FormatSpecific { get; init; }

    /// <summary>What qemu-img said beyond all this, as it said it: warnings, and fields of a later version.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>The images below this one, nearest first; empty unless they were asked for.</summary>
    public IReadOnlyList<QemuImageInfo> BackingChain { get; init; } = [];

    /// <summary>The safety checks that the image failed; none where nobody inspected it.</summary>
    public IReadOnlyList<SafetyCheckResult> Failures { get; init; } = [];

    /// <summary>Who answered.</summary>
    public InfoEngine Engine { get; init; }

    /// <summary>Puts what the native inspector found into the same shape.</summary>
    /// <param name="path">The image, as it was named: a backing file's full name is reached from its directory.</param>
    /// <param name="inspection">What was found. Whether it is safe makes no difference to what is said.</param>
    /// <remarks>
    /// <para><see cref="Format"/> stays what was found (<c>iso</c>, <c>gpt</c>, <c>mbr</c>…), and
    /// <see cref="FormatName"/> is qemu's driver for it (<c>raw</c>), to be compared with what qemu-img says.</para>
    /// <para>No other file is opened: where an image's data lies in others (a qcow2 data file, VMDK extents), qemu-img
    /// adds up what all of them take up, and <see cref="ActualSize"/> here is of the one file. It is unknown for
    /// block devices, for which qemu-img says 0.</para>
    /// <para>qemu counts in sectors: a raw file that ends within one is shown as if it were whole.</para>
    /// </remarks>
    public static QemuImageInfo FromInspection(string path, ImageInspection inspection)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(inspection);
        var driver = inspection.Format.ToQemuName();
        var backing = inspection.BackingFile is { Length: > 0 } name ? name : null;
        return new QemuImageInfo
        {
            FileName = path,
            Format = inspection.Format,
            FormatName = driver ?? inspection.Format.ToName(),
            VirtualSize = driver == "raw" ? ToWholeSectors(inspection.VirtualSize) : inspection.VirtualSize,
            ActualSize = inspection.AllocatedSize,
            ClusterSize = inspection.ClusterSize,
            IsEncrypted = inspection.IsEncrypted,
            IsDirty = inspection.IsDirty,
            BackingFile = backing,
            FullBackingFile = backing is null ? null : Combine(path, backing),
            BackingFormat = inspection.BackingFormat,
            Snapshots = inspection.Snapshots,
            FormatSpecific = inspection.Details,
            Failures = [.. inspection.Failures],
            Engine = InfoEngine.Native,
        };
    }

    internal QemuImageInfo WithFormatName(string name)
    {
        // Versions before 1.0 wrote some names in capitals.
        var driver = name.Trim().ToLowerInvariant();
        return this with
        {
            FormatName = driver,
            Format = ImageFormatNames.TryParse(driver, out var format) ? format : ImageFormat.Unknown,
        };
    }

    // As qemu does it: by text alone, below everything up to the image's last slash, unless the name is absolute or
    // has a protocol before its first slash.
    internal static string Combine(string path, string backing)
    {
        var colon = backing.IndexOf(':', StringComparison.Ordinal);
        var slash = backing.IndexOf('/', StringComparison.Ordinal);
        var hasProtocol = colon >= 0 && (slash < 0 || colon < slash);
        return hasProtocol || Path.IsPathRooted(backing)
            ? backing
            : string.Concat(path.AsSpan(0, LastSeparator(path) + 1), backing);
    }

    private static long? ToWholeSectors(long? length) =>
        length is <= long.MaxValue - 511 ? length + 511 & ~511L : length;

    private static int LastSeparator(string path) => Math.Max(
        path.LastIndexOf(Path.DirectorySeparatorChar), path.LastIndexOf(Path.AltDirectorySeparatorChar));
}
