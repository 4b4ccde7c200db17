namespace ImageUtils.Qemu;

/// <summary>How <c>qemu-img info</c> is run.</summary>
public sealed record QemuInfoOptions
{
    /// <summary>As it is by itself.</summary>
    public static QemuInfoOptions Default { get; } = new();

    /// <summary>
    /// Whether the image is read although a running guest writes to it (<c>-U</c>); what is said may be stale.
    /// </summary>
    public bool ForceShare { get; init; }

    /// <summary>
    /// Whether the images below are described as well (<c>--backing-chain</c>). The image must come from
    /// <see cref="VettedImage.VetChainAsync"/>.
    /// </summary>
    public bool BackingChain { get; init; }

    /// <summary>What it may take.</summary>
    public ProcessLimits Limits { get; init; } = ProcessLimits.Default;
}
