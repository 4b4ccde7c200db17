using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;

namespace ImageUtils.Mapping;

/// <summary>What a format's reader is told, and the only way for it to reach another file.</summary>
/// <remarks>The files that are opened through it are closed by whoever opened the image.</remarks>
public abstract class ReaderContext
{
    /// <summary>What the inspector found in the image, which has passed.</summary>
    public required ImageInspection Inspection { get; init; }

    /// <summary>The internal snapshot to read, by id or name; null: the disk as it is now.</summary>
    public string? Snapshot { get; init; }

    /// <summary>
    /// Opens the backing file or parent that the image names: through the policy's gate, inspected, and itself opened
    /// with all that it is based on. Cycles and chains that are too long are refused.
    /// </summary>
    /// <param name="reference">The name as written in the image.</param>
    /// <param name="statedFormat">The format as written in the image; <see cref="ImageFormat.Unknown"/>: detected.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="ImageUnsafeException">The gate or a check refuses it.</exception>
    /// <exception cref="ImageFileException">It cannot be read.</exception>
    public abstract ValueTask<OpenedParent> OpenParentAsync(
        string reference, ImageFormat statedFormat, CancellationToken cancellationToken);

    /// <summary>Opens a file as <see cref="OpenParentAsync"/> does if it is the image's parent.</summary>
    /// <param name="reference">The name.</param>
    /// <param name="statedFormat">The format as written in the image.</param>
    /// <param name="isParent">Says it by what the inspector found in the file.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>It; null where it is another file, of which nothing more is then read.</returns>
    /// <inheritdoc cref="OpenParentAsync" path="/exception"/>
    internal virtual async ValueTask<OpenedParent?> TryOpenParentAsync(
        string reference,
        ImageFormat statedFormat,
        Func<ImageInspection, bool> isParent,
        CancellationToken cancellationToken)
    {
        var parent = await OpenParentAsync(reference, statedFormat, cancellationToken).ConfigureAwait(false);
        return isParent(parent.Inspection) ? parent : null;
    }

    /// <summary>Opens an external data file or extent that the image names, through the policy's gate.</summary>
    /// <inheritdoc cref="OpenParentAsync"/>
    public abstract ValueTask<IByteSource> OpenDataFileAsync(string reference, CancellationToken cancellationToken);
}

/// <summary>What an image is based on.</summary>
/// <param name="Map">Its disk.</param>
/// <param name="Inspection">What the inspector found in it, such as its identity.</param>
/// <param name="Path">Its absolute path.</param>
public sealed record OpenedParent(ImageMap Map, ImageInspection Inspection, string Path);
