using ImageUtils.Conversion;
using ImageUtils.Inspection;

namespace ImageUtils.Creation;

/// <summary>One empty image that is asked for.</summary>
public sealed record ImageCreationRequest
{
    /// <summary>The new file, or a block device that exists.</summary>
    public required string Path { get; init; }

    /// <summary>What it is to be.</summary>
    public required ImageFormat Format { get; init; }

    /// <summary>The disk's size in bytes; null: that of the backing file or parent.</summary>
    public long? VirtualSize { get; init; }

    /// <summary>
    /// What the image is like. Its size, and all that it says of a backing file or parent, is set from this request.
    /// </summary>
    public WriterOptions Target { get; init; } = new() { VirtualSize = 0 };

    /// <summary>
    /// qcow2: the backing file; vhd and vhdx: the parent. The name is written as it is given; a relative one is relative
    /// to the new image's directory, as with qemu-img. The file is inspected, and must be safe.
    /// </summary>
    public string? BackingFile { get; init; }

    /// <summary>What the backing file must be; <see cref="ImageFormat.Unknown"/>: what it is found to be.</summary>
    public ImageFormat BackingFormat { get; init; }

    /// <summary>What is allowed of the backing file; its policy is the gate for what that in turn is based on.</summary>
    public InspectionOptions Inspection { get; init; } = InspectionOptions.Default;

    /// <summary>What makes it.</summary>
    public ConversionEngine Engine { get; init; }

    /// <summary>Whether a file that exists may be replaced, or a block device overwritten.</summary>
    public bool Overwrite { get; init; }

    /// <summary>How qemu-img is run where it is, and how the image is encrypted.</summary>
    public QemuSettings Qemu { get; init; } = QemuSettings.Default;
}
