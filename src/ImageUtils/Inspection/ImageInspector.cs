using ImageUtils.Errors;
using ImageUtils.IO;

namespace ImageUtils.Inspection;

/// <summary>
/// Says what a file or stream really is and whether it is safe to hand to anything else, from its bytes alone.
/// </summary>
public static class ImageInspector
{
    /// <summary>
    /// Inspects a regular file or block device with positioned reads: at most 256 KiB of it, and a LUKS volume's key
    /// material where a passphrase is given.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="options">What the inspection is told; <see cref="InspectionOptions.Path"/> is set from the path.</param>
    /// <param name="knownRaw">The caller knows that the image is raw: nothing that a guest may have written is read.</param>
    /// <param name="cancellationToken">Ends the inspection.</param>
    /// <exception cref="ImageFileException">The file cannot be read, is empty, or changed meanwhile.</exception>
    public static async ValueTask<ImageInspection> InspectFileAsync(
        string path,
        InspectionOptions? options = null,
        bool knownRaw = false,
        CancellationToken cancellationToken = default)
    {
        using var source = FileByteSource.Open(path);
        return await InspectFileAsync(source, options, knownRaw, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Inspects a file that is open already.</summary>
    /// <inheritdoc cref="InspectFileAsync(string, InspectionOptions?, bool, CancellationToken)"/>
    public static async ValueTask<ImageInspection> InspectFileAsync(
        FileByteSource source,
        InspectionOptions? options = null,
        bool knownRaw = false,
        CancellationToken cancellationToken = default)
    {
        options = (options ?? InspectionOptions.Default) with { Path = source.Path };
        if (source.Length == 0)
        {
            throw new ImageFileException(
                ImageFileProblem.Empty, source.Path,
                $"'{source.Path}' is empty. An image has at least one byte; was the copy or download interrupted?");
        }

        var inspection = knownRaw
            ? await new InspectionRun(source, options).RunAsRawAsync(cancellationToken).ConfigureAwait(false)
            : await InspectAsync(source, options, cancellationToken).ConfigureAwait(false);
        inspection.AllocatedSize = source.AllocatedBytes;
        return inspection;
    }

    /// <summary>Inspects any source of bytes.</summary>
    public static async ValueTask<ImageInspection> InspectAsync(
        IByteSource source, InspectionOptions? options = null, CancellationToken cancellationToken = default)
    {
        using var cached = await HeadCache.CreateAsync(source, HeadCache.CachedLength, cancellationToken).ConfigureAwait(false);
        return await new InspectionRun(cached, options ?? InspectionOptions.Default)
            .RunAsync(cancellationToken).ConfigureAwait(false);
    }
}
