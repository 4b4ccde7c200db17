using ImageUtils.Conversion;

namespace ImageUtils.VhdChains;

/// <summary>Another parent that a differencing VHD is to name.</summary>
public sealed record VhdParentRequest
{
    /// <summary>The differencing VHD.</summary>
    public required string Path { get; init; }

    /// <summary>Its parent: a VHD, or a raw disk.</summary>
    public required string ParentPath { get; init; }

    /// <summary>Whether the parent may have another id than the disk states; the new id is then stated.</summary>
    public bool IgnoreIdMismatch { get; init; }

    /// <summary>Whether the parent is a raw disk: what a guest may have written there is not looked at.</summary>
    public bool IsParentRaw { get; init; }

    /// <summary>What is allowed. The directories of disk and parent are allowed for parents anyway.</summary>
    public OpenOptions Source { get; init; } = OpenOptions.Default;
}

/// <summary>A differencing VHD that names a parent.</summary>
/// <param name="Path">Its absolute path.</param>
/// <param name="ParentPath">The parent's absolute path.</param>
/// <param name="ParentName">The parent's path from the disk's directory, with forward slashes: as written.</param>
/// <param name="OldParentId">The id of the parent that it had; null: a raw one.</param>
/// <param name="ParentId">The id of the parent that it has; null: a raw one.</param>
/// <param name="Warnings">What is odd and was done all the same, a sentence each: a parent that is smaller…</param>
public sealed record VhdParentChange(
    string Path,
    string ParentPath,
    string ParentName,
    Guid? OldParentId,
    Guid? ParentId,
    IReadOnlyList<string> Warnings);
