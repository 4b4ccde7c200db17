using System.Diagnostics;
using ImageUtils.Errors;
using ImageUtils.Formats;
using ImageUtils.IO;

namespace ImageUtils.Conversion;

/// <summary>
/// Converts images: the source is inspected and must be safe and what it is claimed to be; the result is inspected and
/// must be what was asked for; a destination is complete and flushed, or not there.
/// </summary>
public static class ImageConverter
{
    /// <summary>Converts one image.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="progress">Is told how far it is, several times a second.</param>
    /// <param name="cancellationToken">Ends the work; what was half written is removed when this returns.</param>
    /// <exception cref="ImageFileException">The source cannot be read.</exception>
    /// <exception cref="ImageUnsafeException">The source failed a check.</exception>
    /// <exception cref="ImageFormatMismatchException">The source is not what it is claimed to be.</exception>
    /// <exception cref="UnsupportedImageException">Nothing at hand reads the source or writes the target.</exception>
    /// <exception cref="ImageOptionException">The target format does not have an option.</exception>
    /// <exception cref="ImageWriteException">The destination exists, is too small, full, or cannot be written.</exception>
    /// <exception cref="ConversionDisabledException">The configuration forbids it.</exception>
    /// <exception cref="ConversionResultException">The result is not what it should be.</exception>
    /// <exception cref="VerificationFailedException">What was read back is not what was written.</exception>
    public static async Task<ImageConversionResult> ConvertAsync(
        ConversionRequest request,
        IProgress<ConversionProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        var started = Stopwatch.GetTimestamp();
        var destination = Destination.Resolve(request.DestinationPath);
        if (request.Engine == ConversionEngine.Qemu || NeedsQemu(request))
        {
            return await QemuConversion.RunAsync(request, destination, started, progress, cancellationToken)
                .ConfigureAwait(false);
        }

        OpenedImage source;
        try
        {
            source = await ImageOpener.OpenAsync(
                request.SourcePath, request.Source with { TemporaryDirectory = request.TemporaryDirectory },
                cancellationToken)
                .ConfigureAwait(false);
        }
        catch (UnsupportedImageException) when (request.Engine == ConversionEngine.Auto)
        {
            return await QemuConversion.RunAsync(request, destination, started, progress, cancellationToken)
                .ConfigureAwait(false);
        }

        using (source)
        {
            ThrowIfDisabled(request, source.Format);
            return await new NativeConversion(request, source, destination, progress)
                .RunAsync(started, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The exact size of the file that a conversion would make; what is compressed is compressed for it.</summary>
    /// <param name="request">The conversion; its destination is not looked at.</param>
    /// <param name="progress">Is told how far it is.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <inheritdoc cref="ConvertAsync" path="/exception"/>
    public static async Task<ImageMeasurement> MeasureAsync(
        ConversionRequest request,
        IProgress<ConversionProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        using var source = await ImageOpener.OpenAsync(
                request.SourcePath, request.Source with { TemporaryDirectory = request.TemporaryDirectory },
                cancellationToken)
            .ConfigureAwait(false);
        return await new NativeConversion(request, source, "", progress).MeasureAsync(cancellationToken)
            .ConfigureAwait(false);
    }

    /// <summary>
    /// What a conversion writes at most: its plan, which reads no data, so that zeros hidden in data count. What is
    /// compressed is measured.
    /// </summary>
    /// <param name="request">The conversion; its destination is not looked at.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <inheritdoc cref="ConvertAsync" path="/exception"/>
    public static async Task<ImageMeasurement> PlanAsync(
        ConversionRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        using var source = await ImageOpener.OpenAsync(request.SourcePath, request.Source, cancellationToken)
            .ConfigureAwait(false);
        return await new NativeConversion(request, source, "", null).PlanAsync(cancellationToken)
            .ConfigureAwait(false);
    }

    /// <summary>The exact size of the file that holds an empty disk.</summary>
    /// <param name="virtualSize">The disk's size in bytes.</param>
    /// <param name="format">The file's format.</param>
    /// <param name="target">What the file is like; its virtual size is not looked at.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="UnsupportedImageException">The format is not written natively.</exception>
    /// <exception cref="ImageOptionException">The format does not have an option, or such a size.</exception>
    public static Task<ImageMeasurement> MeasureEmptyAsync(
        long virtualSize, ImageFormat format, WriterOptions target, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(virtualSize);
        ArgumentNullException.ThrowIfNull(target);
        return NativeConversion.MeasureEmptyAsync(virtualSize, format, target, cancellationToken);
    }

    /// <summary>The formats that are written natively.</summary>
    public static IReadOnlyList<ImageFormat> WritableFormats { get; } =
    [
        ImageFormat.Raw, .. FormatRegistry.All.OfType<IWritableFormat>().Select(format => format.Format),
    ];

    /// <summary>The formats that are read natively.</summary>
    public static IReadOnlyList<ImageFormat> ReadableFormats { get; } =
    [
        ImageFormat.Raw, ImageFormat.Iso, ImageFormat.Gpt, ImageFormat.Mbr,
        .. FormatRegistry.All.OfType<IReadableFormat>().Select(format => format.Format),
    ];

    internal static IWritableFormat? FindWriter(ImageFormat format) =>
        (format.ToQemuName() == "raw" ? FormatRegistry.Raw : FormatRegistry.All.FirstOrDefault(one => one.Format == format))
        as IWritableFormat;

    /// <summary>What writes a format.</summary>
    /// <exception cref="UnsupportedImageException">Nothing here does.</exception>
    internal static IWritableFormat GetWriter(ImageFormat format) =>
        FindWriter(format) ?? throw NotWrittenNatively(format.ToName());

    /// <summary>Says that only qemu-img may write something.</summary>
    /// <param name="what">What, as a sentence begins.</param>
    internal static UnsupportedImageException NotWrittenNatively(string what) => new(
        $"{what} is not written natively. Written natively are "
        + $"{string.Join(", ", WritableFormats.Select(one => one.ToName()))}; -Engine Qemu writes what qemu-img can.");

    /// <summary>Refuses a change of format where the configuration forbids any.</summary>
    internal static void ThrowIfDisabled(ConversionRequest request, ImageFormat found)
    {
        if (request.ConversionDisabled && (request.DestinationFormat.ToQemuName() ?? "") != found.ToQemuName())
        {
            throw new ConversionDisabledException(request.SourcePath, found, request.DestinationFormat);
        }
    }

    /// <summary>Refuses a target that is the source, or something that the source is based on, by whatever name.</summary>
    /// <exception cref="ImageWriteException">It is.</exception>
    internal static void ThrowIfDestinationIsSource(
        ConversionRequest request, string source, IEnumerable<string> basedOn, string destination)
    {
        if ((!request.InPlace && IsSame(source, destination)) || basedOn.Any(one => IsSame(one, destination)))
        {
            throw new ImageWriteException(
                ImageWriteProblem.Exists, destination,
                $"'{destination}' is the source, or one of the files that it is based on. Choose another destination, "
                + "or convert in place with -InPlace.");
        }
    }

    // A device has as many names as somebody made nodes for it. A file's other name can be replaced without harm.
    private static bool IsSame(string path, string destination) =>
        Destination.Resolve(path) == destination
        || (OperatingSystem.IsLinux()
            && Posix.FindIdentity(path) is { Type: Posix.FileType.BlockDevice } identity
            && Posix.FindIdentity(destination) == identity);

    private static bool NeedsQemu(ConversionRequest request) =>
        request.Engine == ConversionEngine.Auto
        && (FindWriter(request.DestinationFormat) is null || request.Qemu.Encryption is not null);
}
