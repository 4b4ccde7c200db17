using System.Diagnostics;
using ImageUtils.Errors;

namespace ImageUtils.Conversion;

/// <summary>Compares what guests would see of two images, of whatever formats.</summary>
public static class DiskComparer
{
    /// <summary>Compares two images up to the first difference.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="progress">Is told how far it is, several times a second.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="ImageFileException">One of them cannot be read.</exception>
    /// <exception cref="ImageUnsafeException">One of them failed a check.</exception>
    /// <exception cref="ImageFormatMismatchException">One of them is not what it is claimed to be.</exception>
    /// <exception cref="UnsupportedImageException">One of them is not read natively.</exception>
    /// <exception cref="ImageFormatException">One of them is malformed before the first difference.</exception>
    public static async Task<DiskImageComparison> CompareAsync(
        DiskComparisonRequest request,
        IProgress<ConversionProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        var started = Stopwatch.GetTimestamp();
        using var image = await ImageOpener.OpenAsync(request.Path, request.Image, cancellationToken)
            .ConfigureAwait(false);
        using var reference = await ImageOpener
            .OpenAsync(request.ReferencePath, request.Reference, cancellationToken).ConfigureAwait(false);
        var result = new DiskImageComparison
        {
            Path = image.Path,
            ReferencePath = reference.Path,
            Format = image.Format,
            ReferenceFormat = reference.Format,
            VirtualSize = image.Map.VirtualSize,
            ReferenceVirtualSize = reference.Map.VirtualSize,
        };
        if (request.Strict && !result.IsSameSize)
        {
            return result with { Difference = DiskDifference.Size, Duration = Stopwatch.GetElapsedTime(started) };
        }

        var walk = new ComparisonWalk(image, reference, progress);
        await walk.RunAsync(cancellationToken).ConfigureAwait(false);
        return result with
        {
            Difference = walk.FirstDifference is null ? DiskDifference.None : DiskDifference.Content,
            FirstDifference = walk.FirstDifference,
            BytesCompared = walk.BytesCompared,
            Duration = Stopwatch.GetElapsedTime(started),
        };
    }
}
