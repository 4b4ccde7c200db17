using System.IO.Compression;
using ImageUtils.Conversion;

namespace ImageUtils.Streaming;

/// <summary>What is asked of a file that is sent while it is made.</summary>
internal sealed record StreamedTargetRequest
{
    /// <summary>What it becomes.</summary>
    internal required ImageFormat Format { get; init; }

    /// <summary>What it is like; <see cref="WriterOptions.VirtualSize"/> is set from the source.</summary>
    internal WriterOptions Target { get; init; } = new() { VirtualSize = 0 };

    /// <summary>
    /// Whether the file goes out within gzip (Glance's container format <c>compressed</c>), and how hard it is tried.
    /// </summary>
    internal CompressionLevel? Gzip { get; init; }

    /// <summary>Where temporary files go, where one is needed; null: the system's directory for them.</summary>
    internal string? TemporaryDirectory { get; init; }

    /// <summary>Is told how far on the guest's disk the search for zeros, or the compression beforehand, is.</summary>
    internal Action<long>? OnPlanned { get; init; }

    /// <summary>How much of its tables a plan keeps in memory; tests have less.</summary>
    internal long? TableLimit { get; init; }
}
