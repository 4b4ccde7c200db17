using ImageUtils.Inspection;

namespace ImageUtils.Qemu;

/// <summary>Who is to answer.</summary>
public enum InfoEngineChoice
{
    /// <summary>The native inspector, which knows every format that qemu-img knows.</summary>
    Auto,

    /// <summary>The native inspector.</summary>
    Native,

    /// <summary>qemu-img, once the native inspector has passed the image.</summary>
    Qemu,
}

/// <summary>How an image is to be described.</summary>
public sealed record ImageInfoOptions
{
    /// <summary>Who is to answer.</summary>
    public InfoEngineChoice Engine { get; init; }

    /// <summary>What the image must be; <c>Unknown</c>: whatever it is. <c>Raw</c> is taken at the caller's word.</summary>
    public ImageFormat Format { get; init; }

    /// <summary>What is allowed.</summary>
    public InspectionOptions Inspection { get; init; } = InspectionOptions.Default;

    /// <summary>Whether the images below are described as well. They must all be safe.</summary>
    public bool BackingChain { get; init; }

    /// <summary>Whether qemu-img reads an image that a running guest writes to. The native inspector always can.</summary>
    public bool ForceShare { get; init; }

    /// <summary>What qemu-img may take.</summary>
    public ProcessLimits Limits { get; init; } = ProcessLimits.Default;
}
