using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.Formats.Vhdx;
using ImageUtils.Inspection;
using ImageUtils.Qemu;
using ImageUtils.Safety;

namespace ImageUtils.Creation;

/// <summary>What a new image is based on: a file that was found, inspected and passed, with all that is below it.</summary>
/// <param name="Name">The name that is written into the new image.</param>
/// <param name="Path">The absolute path that it leads to.</param>
/// <param name="Format">What the file is.</param>
/// <param name="VirtualSize">Its disk's size in bytes; null where that is not known without a passphrase.</param>
internal sealed record CreationParent(string Name, string Path, ImageFormat Format, long? VirtualSize)
{
    private Guid? Id { get; init; }

    private DateTimeOffset? TimeStamp { get; init; }

    /// <param name="request">What is asked for.</param>
    /// <param name="imagePath">The new image's absolute path.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="ImageOptionException">The format has no parent, or the name is none of a file.</exception>
    /// <exception cref="ImageFileException">The parent cannot be read.</exception>
    /// <exception cref="ImageUnsafeException">It, or something that it is based on, failed a check.</exception>
    /// <exception cref="ImageFormatMismatchException">It is not what it is claimed to be.</exception>
    internal static async ValueTask<CreationParent> FindAsync(
        ImageCreationRequest request, string imagePath, CancellationToken cancellationToken)
    {
        var name = request.BackingFile!;
        if (request.Format is not (ImageFormat.Qcow2 or ImageFormat.Vhd or ImageFormat.Vhdx))
        {
            throw new ImageOptionException(
                nameof(request.BackingFile),
                $"A {request.Format.ToName()} image cannot be based on another. qcow2, vhd and vhdx can.");
        }

        var path = Locate(name, imagePath);
        var found = request.Format == ImageFormat.Qcow2
            ? await FindBackingAsync(request, name, path, imagePath, cancellationToken).ConfigureAwait(false)
            : await FindParentAsync(request, name, path, imagePath, cancellationToken).ConfigureAwait(false);
        var claimed = request.BackingFormat;
        return claimed == ImageFormat.Unknown || claimed.ToQemuName() == found.Format.ToQemuName()
            ? found
            : throw new ImageFormatMismatchException(path, claimed, found.Format);
    }

    /// <summary>Says in the options what the new image is based on.</summary>
    internal WriterOptions AddTo(WriterOptions options) => options with
    {
        BackingFile = Name,
        BackingFormat = Format,
        ParentId = Id,
        ParentTimeStamp = TimeStamp,
    };

    // As qemu does it: relative to the image's directory, whatever the current one is.
    private static string Locate(string name, string imagePath)
    {
        var colon = name.IndexOf(':', StringComparison.Ordinal);
        var slash = name.IndexOf('/', StringComparison.Ordinal);
        if (OperatingSystem.IsLinux() && colon >= 0 && (slash < 0 || colon < slash))
        {
            throw new ImageOptionException(
                nameof(ImageCreationRequest.BackingFile),
                $"'{Printable.Text(name)}' names a protocol to qemu, not a file. Put './' before a file's name that has "
                + "a colon.");
        }

        try
        {
            return DirectoryGate.Resolve(System.IO.Path.IsPathRooted(name)
                ? name
                : System.IO.Path.Join(System.IO.Path.GetDirectoryName(imagePath), name));
        }
        catch (IOException exception)
        {
            throw new ImageFileException(
                ImageFileProblem.NotFound, name, $"{exception.Message}. Check the path of the backing file.");
        }
    }

    private static async ValueTask<CreationParent> FindBackingAsync(
        ImageCreationRequest request, string name, string path, string imagePath, CancellationToken cancellationToken)
    {
        var image = await VettedImage.VetChainAsync(
            path, request.Inspection, request.BackingFormat == ImageFormat.Raw, cancellationToken)
            .ConfigureAwait(false);
        ThrowIfSame(imagePath, [path, .. image.BackingChain!.Select(below => DirectoryGate.Resolve(below.Path))]);
        return new CreationParent(name, path, image.Format, image.Inspection.VirtualSize);
    }

    private static async ValueTask<CreationParent> FindParentAsync(
        ImageCreationRequest request, string name, string path, string imagePath, CancellationToken cancellationToken)
    {
        using var image = await ImageOpener.OpenAsync(
            path,
            new OpenOptions { Inspection = request.Inspection, KnownRaw = request.BackingFormat == ImageFormat.Raw },
            cancellationToken).ConfigureAwait(false);
        ThrowIfSame(imagePath, [path, .. image.BasedOn]);
        var isRaw = image.Format.ToQemuName() == "raw" && request.Format == ImageFormat.Vhd;
        if (!isRaw && image.Format != request.Format)
        {
            throw new ImageFormatMismatchException(path, request.Format, image.Format);
        }

        // A VHD states its disk's size twice; children are made of the size that Hyper-V goes by.
        var vhd = image.Inspection.Details as VhdDetails;
        var size = vhd?.CurrentSize ?? image.Map.VirtualSize;
        return new CreationParent(name, path, isRaw ? ImageFormat.Raw : image.Format, size)
        {
            Id = vhd?.UniqueId ?? (image.Inspection.Details as VhdxDetails)?.DataWriteGuid,
            TimeStamp = File.GetLastWriteTimeUtc(path),
        };
    }

    private static void ThrowIfSame(string imagePath, IEnumerable<string> basedOn)
    {
        if (basedOn.Contains(imagePath, StringComparer.Ordinal))
        {
            throw new ImageWriteException(
                ImageWriteProblem.Exists, imagePath,
                $"'{imagePath}' is the backing file, or one of those that it is based on, and would be lost. Name "
                + "another file.");
        }
    }
}
