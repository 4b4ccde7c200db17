using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.Inspection;
using ImageUtils.Safety;

namespace ImageUtils.VhdChains;

/// <summary>
/// Looks for a disk's parent by the names that the disk has for it, below directories that are allowed.
/// </summary>
internal sealed class ParentSearch
{
    private readonly IReferenceGate _gate;

    /// <param name="options">What is allowed.</param>
    /// <param name="directory">The leaf's directory, which is allowed as well; not so where it is the root.</param>
    internal ParentSearch(InspectionOptions options, string? directory)
    {
        var isRoot = string.IsNullOrEmpty(directory) || Path.GetDirectoryName(directory) is null;
        var policy = isRoot
            ? options.Policy
            : options.Policy with { BackingFileDirectories = [.. options.Policy.BackingFileDirectories, directory!] };
        Options = options with { Policy = policy, Passphrase = null };
        _gate = policy.BackingFileGate;
    }

    /// <summary>What an inspection is told, with the leaf's directory allowed.</summary>
    internal InspectionOptions Options { get; }

    /// <summary>A disk's absolute path, as it was named.</summary>
    /// <exception cref="ImageFileException">It cannot be one of a file.</exception>
    internal static string Locate(string path) => path.Contains('\0', StringComparison.Ordinal)
        ? throw new ImageFileException(ImageFileProblem.NotFound, path, "A path cannot contain a NUL character.")
        : Path.GetFullPath(path);

    /// <summary>Reads one disk.</summary>
    /// <exception cref="ImageFileException">It cannot be read.</exception>
    /// <exception cref="VhdChainException">Its log is damaged.</exception>
    internal async ValueTask<ChainDisk> ReadAsync(
        string path, bool isRaw, ReadOnlyMemory<byte>? passphrase, CancellationToken cancellationToken)
    {
        try
        {
            return await ChainDisk
                .ReadAsync(path, Options with { Passphrase = passphrase }, isRaw, cancellationToken)
                .ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is ImageFormatException or UnsupportedImageException)
        {
            throw new VhdChainException(VhdChainProblem.NotUsable, path, exception.Message);
        }
    }

    /// <summary>Reads a disk of a list, which must lie below the allowed directories, and not only its link.</summary>
    /// <inheritdoc cref="ReadAsync" path="/exception"/>
    internal ValueTask<ChainDisk> ReadListedAsync(string path, bool isRaw, CancellationToken cancellationToken)
    {
        var decision = _gate.Decide(path, null);
        return decision.IsAllowed
            ? ReadAsync(path, isRaw, null, cancellationToken)
            : throw new VhdChainException(
                VhdChainProblem.NotUsable, path, $"It is not looked at: {decision.Reason}. Allow its directory.");
    }

    /// <summary>Looks for a disk's parent.</summary>
    /// <exception cref="ImageFileException">
    /// There is something where the parent should be that cannot be read.
    /// </exception>
    /// <exception cref="VhdChainException">It has a log that is damaged.</exception>
    internal async ValueTask<ParentFinding> FindAsync(ChainDisk disk, CancellationToken cancellationToken)
    {
        var references = VhdParentReference.ToSearch(disk.Inspection);
        var refusals = new List<string>();
        foreach (var reference in references)
        {
            // Raw files have no id to be known by.
            if (reference.IsByFileName && disk.HasRawParent)
            {
                continue;
            }

            var decision = reference.Decide(_gate, disk.Path);
            if (decision.Path is not { } path)
            {
                refusals.Add($"'{Printable.Text(reference.Target)}' was not looked at: {decision.Reason}.");
                continue;
            }

            if (await TryReadAsync(path, disk.HasRawParent, cancellationToken).ConfigureAwait(false) is { } parent
                && (!reference.IsByFileName || disk.IsChildOf(parent)))
            {
                return new ParentFinding(parent, parent.Path, "");
            }
        }

        if (references.Count == 0)
        {
            return new ParentFinding(
                null, null,
                "It depends on a parent, but names it in no way that can be read. Give it its parent with "
                    + "Set-VhdParent.");
        }

        var names = string.Join(", ", references.Select(one => $"'{Printable.Text(one.Name)}'").Distinct());
        return new ParentFinding(
            null, references[0].Name,
            string.Join(
                " ",
                [
                    $"Its parent {names} was not found. Put it there, allow its directory, or give the disk its right "
                        + "parent with Set-VhdParent.",
                    .. refusals,
                ]));
    }

    private async ValueTask<ChainDisk?> TryReadAsync(string path, bool isRaw, CancellationToken cancellationToken)
    {
        try
        {
            return await ReadAsync(path, isRaw, null, cancellationToken).ConfigureAwait(false);
        }
        catch (ImageFileException exception) when (exception.Problem == ImageFileProblem.NotFound)
        {
            return null;
        }
    }
}

/// <summary>What came of looking for a parent.</summary>
/// <param name="Parent">What was found; its id may be another. Null: nothing.</param>
/// <param name="FirstName">Where it was found, or else the first name that the disk has for it.</param>
/// <param name="Problem">A sentence that says why nothing was found.</param>
internal sealed record ParentFinding(ChainDisk? Parent, string? FirstName, string Problem);
