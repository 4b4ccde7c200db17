using System.Diagnostics;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.Formats.Wrappers;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.VhdChains;

namespace ImageUtils.XenServer;

/// <summary>
/// XenServer's images as Glance keeps them: a gzip-compressed tar archive of a chain of VHDs. They are made one disk,
/// as Cinder's <c>replace_xenserver_image_with_coalesced_vhd</c> does.
/// </summary>
public static class XenServerImage
{
    private const UnixFileMode OwnersMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>
    /// Whether Glance's properties of an image say that it is one: Cinder's <c>is_xenserver_format</c>.
    /// </summary>
    /// <param name="diskFormat">Glance's <c>disk_format</c>.</param>
    /// <param name="containerFormat">Glance's <c>container_format</c>.</param>
    public static bool IsXenServerImage(string? diskFormat, string? containerFormat) =>
        string.Equals(diskFormat, "vhd", StringComparison.OrdinalIgnoreCase)
        && string.Equals(containerFormat, "ovf", StringComparison.OrdinalIgnoreCase);

    /// <summary>Unpacks an image's chain of VHDs and writes it as one disk: complete and flushed, or not
    /// there.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="progress">Is told how far it is, at most five times a second.</param>
    /// <param name="cancellationToken">Ends the work; what was unpacked and half written is removed.</param>
    /// <exception cref="XenServerImageException">The archive, or an entry of it, is refused.</exception>
    /// <exception cref="VhdChainException">The disks in it are no chain.</exception>
    /// <exception cref="ImageFileException">The archive cannot be read.</exception>
    /// <exception cref="ImageFormatException">Its compression is damaged.</exception>
    /// <exception cref="ImageUnsafeException">A disk, or the archive, failed a check.</exception>
    /// <exception cref="ImageFormatMismatchException">What is called a VHD is none.</exception>
    /// <exception cref="ImageWriteException">The destination exists, is full, or cannot be written.</exception>
    /// <exception cref="UnsupportedImageException">The format is not written natively.</exception>
    /// <exception cref="ConversionDisabledException">The configuration forbids a change of format.</exception>
    public static async Task<XenServerImageResult> ExpandAsync(
        XenServerImageRequest request,
        IProgress<ConversionProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentOutOfRangeException.ThrowIfNegative(request.MaximumSize);
        var started = Stopwatch.GetTimestamp();
        var path = Destination.Resolve(request.Path);
        var destination = request.Destination is null ? path : Destination.Resolve(request.Destination);
        var conversion = new ConversionRequest
        {
            SourcePath = path,
            DestinationPath = destination,
            DestinationFormat = request.Format,
            Overwrite = request.Overwrite || request.Destination is null,
            Source = new OpenOptions { Inspection = request.Inspection },
            Verify = request.Verify,
            ConversionDisabled = request.ConversionDisabled,
        };
        ThrowIfInTheWay(conversion, isInPlace: request.Destination is null);
        ImageConverter.GetWriter(request.Format);
        ImageConverter.ThrowIfDisabled(conversion, ImageFormat.Vhd);
        return await ReadAsync(
            request,
            async (source, chain, unpacked) =>
            {
                var target = await TargetAsync(request, chain[^1], cancellationToken).ConfigureAwait(false);
                var result = await new NativeConversion(
                    conversion with { Target = target }, source, destination, progress)
                    .RunAsync(started, cancellationToken).ConfigureAwait(false);
                return new XenServerImageResult(
                    path, result.Destination, request.Format, chain.Count, result.VirtualSize, result.FileSize,
                    unpacked, result.Verified, Stopwatch.GetElapsedTime(started));
            },
            progress, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Unpacks an image's chain of VHDs, and has it read as one disk.</summary>
    /// <param name="request">What is asked for; what it says of a destination is not looked at.</param>
    /// <param name="read">
    /// Reads the disk, of which nothing is left afterwards. It is given the paths of the chain, the top first, and what
    /// they have together in bytes.
    /// </param>
    /// <param name="progress">Is told how far the unpacking is.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    internal static async Task<T> ReadAsync<T>(
        XenServerImageRequest request,
        Func<OpenedImage, IReadOnlyList<string>, long, Task<T>> read,
        IProgress<ConversionProgress>? progress,
        CancellationToken cancellationToken)
    {
        var path = Destination.Resolve(request.Path);
        var stamp = Stamp(path);
        var directory = MakeDirectory(request.UnpackDirectory ?? System.IO.Path.Join(
            request.TemporaryDirectory ?? System.IO.Path.GetTempPath(), $".imageutils-{Guid.NewGuid():N}"));
        try
        {
            var (chain, unpacked) = await UnpackAsync(request, path, directory, progress, cancellationToken)
                .ConfigureAwait(false);
            if (Stamp(path) != stamp)
            {
                throw new SourceChangedException(path);
            }

            using var source = await ChainLayers.OpenAsync(chain, request.Inspection, cancellationToken)
                .ConfigureAwait(false);
            return await read(source, chain, unpacked).ConfigureAwait(false);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async ValueTask<(List<string> Chain, long Unpacked)> UnpackAsync(
        XenServerImageRequest request,
        string path,
        string directory,
        IProgress<ConversionProgress>? progress,
        CancellationToken cancellationToken)
    {
        using var file = FileByteSource.Open(path);
        var wrapper = await ImageInspector
            .InspectFileAsync(file, request.Inspection, false, cancellationToken).ConfigureAwait(false);

        // The disk may be read by whoever may read the archive; until then nobody else gets at it.
        var mode = OwnersMode | Destination.ModeOfCopy([path]);
        var archive = new XenServerArchive(path, directory, request.MaximumSize, mode);
        var content = WrappedImage.CanUnpack(wrapper.Format)
            ? new WrappedImage(file, wrapper.Format).OpenDecompressed(LongestContent(request.MaximumSize))
            : new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        await using (content.ConfigureAwait(false))
        {
            var paced = new PacedProgress(progress);
            var chain = await archive.UnpackAsync(
                content,
                position => paced.Report(ConversionStage.Unpacking, position, archive.UnpackedBytes),
                cancellationToken).ConfigureAwait(false);
            return (chain, archive.UnpackedBytes);
        }
    }

    // The entries, with their headers and what fills up the archive.
    private static long LongestContent(long maximumSize)
    {
        const long headers = 1L << 30;
        return maximumSize > long.MaxValue - headers ? long.MaxValue : maximumSize + headers;
    }

    // As the base is, into which Cinder coalesces the others: its id and its blocks' size.
    private static async ValueTask<WriterOptions> TargetAsync(
        XenServerImageRequest request, string basePath, CancellationToken cancellationToken)
    {
        var options = new WriterOptions { VirtualSize = 0 };
        if (request.Format != ImageFormat.Vhd)
        {
            return options;
        }

        var inspection = await ImageInspector
            .InspectFileAsync(basePath, request.Inspection, false, cancellationToken).ConfigureAwait(false);
        return inspection.Details is VhdDetails details
            ? options with
            {
                UniqueId = details.UniqueId,
                ClusterSize = details.BlockSize is { } size ? Math.Max(size, VhdWriterOptions.LeastBlockSize) : null,
            }
            : options;
    }

    private static void ThrowIfInTheWay(ConversionRequest conversion, bool isInPlace)
    {
        if (!isInPlace)
        {
            ImageConverter.ThrowIfDestinationIsSource(
                conversion, conversion.SourcePath, [], conversion.DestinationPath);
        }

        // Before all is unpacked, not after.
        if (!conversion.Overwrite && (File.Exists(conversion.DestinationPath)
            || Destination.IsBlockDevice(conversion.DestinationPath)))
        {
            throw DestinationErrors.Exists(conversion.DestinationPath);
        }
    }

    private static (long Length, DateTime Written) Stamp(string path)
    {
        using var file = FileByteSource.Open(path);
        return (file.Length, File.GetLastWriteTimeUtc(path));
    }

    private static string MakeDirectory(string path)
    {
        try
        {
            if (OperatingSystem.IsWindows())
            {
                Directory.CreateDirectory(path);
            }
            else
            {
                Directory.CreateDirectory(path, OwnersMode | UnixFileMode.UserExecute);
            }

            return path;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new ImageWriteException(
                ImageWriteProblem.AccessDenied, path,
                $"The chain cannot be unpacked in '{path}': {exception.Message} Name another directory "
                + "(ConversionDirectory of the configuration).");
        }
    }
}
