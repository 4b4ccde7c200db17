using ImageUtils.Conversion;

namespace ImageUtils.VhdChains;

/// <summary>A chain of VHDs that is to be set right.</summary>
public sealed record VhdRepairRequest
{
    /// <summary>The disks, child first: each is to have the next as its parent.</summary>
    public required IReadOnlyList<string> Paths { get; init; }

    /// <summary>What is allowed. The directories of the disks are allowed for parents anyway.</summary>
    public OpenOptions Source { get; init; } = OpenOptions.Default;

    /// <summary>
    /// Is asked before each repair, which it names by path and what would be done; false: it is left out.
    /// </summary>
    public Func<string, string, bool>? MayRepair { get; init; }
}

/// <summary>What was done to a disk of a chain, and what is left.</summary>
/// <param name="Path">Its absolute path.</param>
/// <param name="Actions">What was done, a sentence each; none: nothing was to do, or may be done.</param>
/// <param name="Problems">What is wrong still, a sentence each.</param>
/// <param name="Warnings">What is noteworthy and does no harm by itself.</param>
public sealed record VhdRepairResult(
    string Path, IReadOnlyList<string> Actions, IReadOnlyList<string> Problems, IReadOnlyList<string> Warnings)
{
    /// <summary>Whether nothing is wrong any more.</summary>
    public bool IsValid => Problems.Count == 0;
}
