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

    /// <summary>Opens the first that is there of the names that an image has for its parent.</summary>
    /// <returns>It; null where there are no names.</returns>
    /// <exception cref="ImageFileException">None is there: the first name's.</exception>
    /// <inheritdoc cref="OpenParentAsync" path="/exception"/>
    internal async ValueTask<OpenedParent?> OpenFirstParentAsync(
        IEnumerable<string> references, ImageFormat statedFormat, CancellationToken cancellationToken)
    {
        ImageFileException? missing = null;
        foreach (var reference in references)
        {
            try
            {
                return await OpenParentAsync(reference, statedFormat, cancellationToken).ConfigureAwait(false);
            }
            catch (ImageFileException exception) when (exception.Problem == ImageFileProblem.NotFound)
            {
                missing ??= exception;
            }
        }

        return missing is null ? null : throw missing;
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
