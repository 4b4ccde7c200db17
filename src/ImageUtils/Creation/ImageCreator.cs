using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Qemu;
using ImageUtils.Safety;

namespace ImageUtils.Creation;

/// <summary>Makes empty images, on their own or based on another: complete and flushed, or not there.</summary>
public static class ImageCreator
{
    /// <summary>Makes one empty image.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="cancellationToken">Ends the work; what was half written is removed when this returns.</param>
    /// <returns>What the new image is found to be.</returns>
    /// <exception cref="ImageOptionException">The format does not have an option, or the size is missing.</exception>
    /// <exception cref="ImageWriteException">The file exists, or cannot be written.</exception>
    /// <exception cref="UnsupportedImageException">Nothing at hand writes the format.</exception>
    /// <exception cref="ImageFileException">The backing file cannot be read.</exception>
    /// <exception cref="ImageUnsafeException">The backing file failed a check.</exception>
    /// <exception cref="ImageFormatMismatchException">The backing file is not what it is claimed to be.</exception>
    /// <exception cref="ConversionResultException">The result is not what it should be.</exception>
    public static async Task<ImageInspection> CreateAsync(
        ImageCreationRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        var path = Destination.Resolve(request.Path);
        if (request is { BackingFile: null, BackingFormat: not ImageFormat.Unknown })
        {
            throw new ImageOptionException(
                nameof(request.BackingFormat), "BackingFormat does nothing without BackingFile.");
        }

        var parent = request.BackingFile is null
            ? null
            : await CreationParent.FindAsync(request, path, cancellationToken).ConfigureAwait(false);
        var size = request.VirtualSize ?? parent?.VirtualSize ?? throw new ImageOptionException(
            "Size", $"How large is the disk of '{path}' to be? Give its size in bytes.");
        var options = request.Target with { VirtualSize = size };
        options = parent?.AddTo(options) ?? options;
        if (!request.Overwrite && Destination.IsBlockDevice(path))
        {
            throw new ImageWriteException(
                ImageWriteProblem.Exists, path,
                $"'{path}' is a block device; what it holds would be lost. Use -Force to overwrite it.");
        }

        if (request.Engine == ConversionEngine.Qemu
            || (request.Engine == ConversionEngine.Auto && NeedsQemu(request)))
        {
            return await CreateByQemuAsync(request, path, options, cancellationToken).ConfigureAwait(false);
        }

        return await CreateNativelyAsync(request, path, options, parent, cancellationToken).ConfigureAwait(false);
    }

    private static bool NeedsQemu(ImageCreationRequest request) =>
        request.Qemu.Encryption is not null
        || (ImageConverter.FindWriter(request.Format) is null && request.BackingFile is null);

    private static async Task<ImageInspection> CreateNativelyAsync(
        ImageCreationRequest request,
        string path,
        WriterOptions options,
        CreationParent? parent,
        CancellationToken cancellationToken)
    {
        var format = ImageConverter.GetWriter(request.Format);
        if (request.Qemu.Encryption is not null)
        {
            throw ImageConverter.NotWrittenNatively("Encryption");
        }

        var measured = new CountingSink();
        var planner = format.CreateWriter(options);
        await planner.BeginAsync(measured, cancellationToken).ConfigureAwait(false);
        await planner.FinishAsync(cancellationToken).ConfigureAwait(false);
        new ConversionPlan(measured.Length, Math.Min(measured.BytesWritten, measured.Length)).ThrowIfNoSpace(path);

        var writer = format.CreateWriter(options);
        using var destination = Destination.Create(path, request.Overwrite);
        var sink = destination.Sink;
        await writer.BeginAsync(sink, cancellationToken).ConfigureAwait(false);
        if (writer.LinearOffset is not null)
        {
            await writer.WriteZeroesAsync(0, writer.VirtualSize, cancellationToken).ConfigureAwait(false);
        }

        await Completion.FinishAsync(writer, sink, cancellationToken).ConfigureAwait(false);
        await Completion.FlushAsync(sink, cancellationToken).ConfigureAwait(false);
        return await CompleteAsync(request, destination, options, writer.VirtualSize, parent, cancellationToken)
            .ConfigureAwait(false);
    }

    private static async Task<ImageInspection> CreateByQemuAsync(
        ImageCreationRequest request, string path, WriterOptions options, CancellationToken cancellationToken)
    {
        if (options.BackingFile is not null)
        {
            throw new ImageOptionException(
                nameof(request.BackingFile),
                "An image with a backing file is made natively, and not encrypted. Leave the engine and the passphrase "
                + "out, or the backing file.");
        }

        if (options.AzureAligned || options.UniqueId is not null)
        {
            throw new ImageOptionException(
                nameof(options.AzureAligned),
                "AzureAligned and UniqueId are the native engine's; qemu-img has no such options.");
        }

        var qemu = QemuImg.Find(request.Qemu.Path);
        using var destination = Destination.CreateNamed(path, request.Overwrite);
        if (destination.PartPath is { } part)
        {
            // It makes the file itself, and refuses one that is there.
            File.Delete(part);
        }

        var target = destination.PartPath ?? destination.Path;
        await qemu.CreateAsync(
            target, request.Format, options.VirtualSize, QemuTargetOptions.Of(request.Format, options),
            request.Qemu.Encryption, request.Qemu.RunOptions, cancellationToken).ConfigureAwait(false);
        using (var handle = File.OpenHandle(target, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
        {
            RandomAccess.FlushToDisk(handle);
        }

        return await CompleteAsync(request, destination, options, null, null, cancellationToken)
            .ConfigureAwait(false);
    }

    // Inspects what was made, and gives it its name.
    private static async Task<ImageInspection> CompleteAsync(
        ImageCreationRequest request,
        Destination destination,
        WriterOptions options,
        long? virtualSize,
        CreationParent? parent,
        CancellationToken cancellationToken)
    {
        string[] directories = parent is null ? [] : [System.IO.Path.GetDirectoryName(parent.Path)!];
        var (inspection, _) = await ResultCheck.InspectAsync(
            destination,
            new ConversionRequest
            {
                SourcePath = destination.Path,
                DestinationPath = destination.Path,
                DestinationFormat = request.Format,
                Target = options,
                Qemu = request.Qemu,
                Source = new OpenOptions
                {
                    Inspection = new InspectionOptions
                    {
                        Policy = SafetyPolicy.Default with { BackingFileDirectories = directories },
                    },
                },
            },
            virtualSize,
            cancellationToken).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        destination.Commit();
        using var file = FileByteSource.Open(destination.Path);
        inspection.AllocatedSize = file.AllocatedBytes;
        return inspection;
    }
}
