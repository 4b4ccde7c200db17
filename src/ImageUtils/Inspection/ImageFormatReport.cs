using ImageUtils.Safety;

namespace ImageUtils.Inspection;

/// <summary>One file's verdict: what it is, whether that is what it is claimed to be, and whether it is safe.</summary>
public sealed class ImageFormatReport
{
    /// <summary>Makes a report of an inspection.</summary>
    /// <param name="path">The file, or a name for a stream.</param>
    /// <param name="inspection">What was found.</param>
    /// <param name="expected">What the file is claimed to be; <c>Unknown</c>: no claim.</param>
    public ImageFormatReport(string path, ImageInspection inspection, ImageFormat expected = ImageFormat.Unknown)
    {
        Path = path;
        Inspection = inspection;
        ExpectedFormat = expected == ImageFormat.Unknown ? null : expected;
        MatchesExpected = expected == ImageFormat.Unknown ? null : expected.Accepts(inspection.Format);
        Failures = [.. inspection.Failures];
    }

    /// <summary>The file, or a name for a stream.</summary>
    public string Path { get; }

    /// <summary>The format found.</summary>
    public ImageFormat Format => Inspection.Format;

    /// <summary>The kind within the format; null where there is one only.</summary>
    public string? Subformat => Inspection.Subformat;

    /// <summary>What the file is claimed to be; null: no claim.</summary>
    public ImageFormat? ExpectedFormat { get; }

    /// <summary>Whether the format found is acceptable as the one claimed; null: no claim.</summary>
    public bool? MatchesExpected { get; }

    /// <summary>Whether no check failed.</summary>
    public bool IsSafe => Failures.Count == 0;

    /// <summary>Whether the file is safe and not something other than it is claimed to be.</summary>
    public bool IsAcceptable => IsSafe && MatchesExpected != false;

    /// <summary>The size that a guest sees, in bytes; null where it is not known.</summary>
    public long? VirtualSize => Inspection.VirtualSize;

    /// <summary>The file's length in bytes.</summary>
    public long FileSize => Inspection.FileSize;

    /// <summary>What the file takes up on disk, in bytes; null for streams and devices.</summary>
    public long? AllocatedSize => Inspection.AllocatedSize;

    /// <summary>Every check with its verdict.</summary>
    public IReadOnlyList<SafetyCheckResult> Checks => Inspection.Checks;

    /// <summary>The checks that failed.</summary>
    public IReadOnlyList<SafetyCheckResult> Failures { get; }

    /// <summary>The format inside an encrypted volume; null where it was not opened.</summary>
    public ImageFormat? InnerFormat => Inspection.InnerImage?.Format;

    /// <summary>All that was found.</summary>
    public ImageInspection Inspection { get; }

    /// <inheritdoc/>
    public override string ToString() => $"{Path}: {Format.ToName()}, {(IsSafe ? "safe" : "unsafe")}";
}
