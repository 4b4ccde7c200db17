using ImageUtils.Conversion;

namespace ImageUtils.Resizing;

/// <summary>One change of an image's size that is asked for.</summary>
public sealed record ImageResizeRequest
{
    /// <summary>The image.</summary>
    public required string Path { get; init; }

    /// <summary>Its new size, or the difference.</summary>
    public required SizeChange Size { get; init; }

    /// <summary>Whether it may become smaller, where everything behind the new end reads as zero.</summary>
    public bool AllowShrink { get; init; }

    /// <summary>What it is claimed to be, and what is allowed.</summary>
    public OpenOptions Source { get; init; } = OpenOptions.Default;

    /// <summary>What does it.</summary>
    public ConversionEngine Engine { get; init; }

    /// <summary>How qemu-img is run where it is.</summary>
    public QemuSettings Qemu { get; init; } = QemuSettings.Default;
}
