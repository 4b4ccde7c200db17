using ImageUtils.Inspection;

namespace ImageUtils.Remote;

/// <summary>How an image somewhere else is inspected.</summary>
public sealed record RemoteInspectionOptions
{
    /// <summary>What may be read by default of an image of which no ranges can be had, in bytes: 4 GiB.</summary>
    public const long DefaultMaximumDownload = 4L << 30;

    /// <summary>What is allowed; whatever it says of directories, such an image can name no other files.</summary>
    public InspectionOptions Inspection { get; init; } = InspectionOptions.Default;

    /// <summary>
    /// What the image is claimed to be; <c>Unknown</c>: what Glance says of it, and of an image on the web nothing.
    /// </summary>
    public ImageFormat Expected { get; init; }

    /// <summary>
    /// Whether an image in Glance is held against what Glance says of it, where <see cref="Expected"/> says nothing.
    /// </summary>
    public bool HoldsAgainstClaim { get; init; } = true;

    /// <summary>The caller knows that the image is raw: only its length is looked at.</summary>
    public bool KnownRaw { get; init; }

    /// <summary>
    /// Whether reading ends once a check has failed for good, where all of the image would have to be read. What is not
    /// known then stays unknown.
    /// </summary>
    public bool StopsAtFailure { get; init; }

    /// <summary>What may be read of an image of which no ranges can be had, in bytes.</summary>
    public long MaximumDownload { get; init; } = DefaultMaximumDownload;
}

/// <summary>What an image somewhere else is.</summary>
/// <param name="Name">Its id in Glance, or its address without what may be secret in it.</param>
/// <param name="Image">What was found.</param>
/// <param name="Expected">What it is held against; <c>Unknown</c>: nothing.</param>
/// <param name="BytesRead">How many bytes were read.</param>
/// <param name="Requests">How many requests were made for them.</param>
/// <param name="IsPartial">
/// Whether it was not read to its end, because a check had failed for good and no ranges could be had.
/// </param>
public sealed record RemoteInspection(
    string Name, ImageInspection Image, ImageFormat Expected, long BytesRead, int Requests, bool IsPartial);
