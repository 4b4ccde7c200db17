using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.VhdChains;

/// <summary>Looks at all structures of a VHD or VHDX, and at whether its parent is there. Nothing is written.</summary>
public static class VhdImageCheck
{
    // What the walk through the tables says more exactly.
    private static readonly string[] s_structural =
        [CheckNames.Version, CheckNames.UnknownFeatures, CheckNames.Checksum, CheckNames.Tables, CheckNames.Truncated];

    /// <summary>
    /// Checks a disk. Of tables and bitmaps only pieces are held: some 40 MiB at most, whatever the size.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="options">What is allowed.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="ImageFileException">It cannot be read.</exception>
    /// <exception cref="VhdChainException">It is neither a VHD nor a VHDX.</exception>
    public static async Task<VhdImageReport> RunAsync(
        string path, OpenOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= OpenOptions.Default;
        var full = ParentSearch.Locate(path);
        var search = new ParentSearch(options.Inspection, Path.GetDirectoryName(full));
        var findings = new CheckFindings();
        var disk = await ReadAsync(search, full, findings, cancellationToken).ConfigureAwait(false);
        if (!disk.IsVhdOrVhdx)
        {
            throw disk.NotUsable($"It is {disk.Inspection.Format.ToName()}, neither a VHD nor a VHDX.");
        }

        await CheckStructuresAsync(disk, findings, cancellationToken).ConfigureAwait(false);
        foreach (var failure in disk.Failures)
        {
            if (!s_structural.Contains(failure.Name) || findings.ProblemCount == 0)
            {
                findings.AddProblem(failure.Message);
            }
        }

        if (disk.HasParent)
        {
            await CheckParentAsync(search, disk, findings, cancellationToken).ConfigureAwait(false);
        }

        return new VhdImageReport
        {
            Path = full,
            Format = disk.Inspection.Format,
            Type = disk.Inspection.Subformat,
            Problems = findings.Problems,
            ProblemCount = findings.ProblemCount,
            Warnings = findings.Warnings,
            AllocatedBlocks = findings.Blocks,
        };
    }

    // A log that is damaged is a finding, and what the file is without it is looked at all the same.
    private static async ValueTask<ChainDisk> ReadAsync(
        ParentSearch search, string path, CheckFindings findings, CancellationToken cancellationToken)
    {
        try
        {
            return await ChainDisk.ReadAsync(path, search.Options, false, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is ImageFormatException or UnsupportedImageException)
        {
            findings.AddProblem(exception.Message);
            return await ChainDisk.ReadAsync(path, search.Options, false, cancellationToken, replaysLog: false)
                .ConfigureAwait(false);
        }
    }

    private static async ValueTask CheckStructuresAsync(
        ChainDisk disk, CheckFindings findings, CancellationToken cancellationToken)
    {
        using var file = FileByteSource.Open(disk.Path);
        try
        {
            if (disk.Inspection.Format == ImageFormat.Vhdx)
            {
                await VhdxTableCheck.RunAsync(file, findings, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                await VhdTableCheck.RunAsync(file, findings, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception exception) when (exception is ImageFormatException or UnsupportedImageException)
        {
            findings.AddProblem(exception.Message);
        }
    }

    private static async ValueTask CheckParentAsync(
        ParentSearch search, ChainDisk disk, CheckFindings findings, CancellationToken cancellationToken)
    {
        ParentFinding found;
        try
        {
            found = await search.FindAsync(disk, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is ImageFileException or VhdChainException)
        {
            findings.AddProblem($"Its parent cannot be used. {exception.Message}");
            return;
        }

        if (found.Parent is not { } parent)
        {
            findings.AddProblem(found.Problem);
            return;
        }

        var isParent = disk.IsChildOf(parent);
        foreach (var sentence in ParentProblems.Find(disk, parent))
        {
            if (isParent)
            {
                findings.AddWarning(sentence);
            }
            else
            {
                findings.AddProblem(sentence);
            }
        }

        if (isParent && parent.Failures.Count > 0)
        {
            findings.AddProblem(
                $"Its parent '{Printable.Text(parent.Path)}' failed its checks. {parent.Failures[0].Message}");
        }
    }
}
