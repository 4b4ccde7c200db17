namespace ImageUtils.VhdChains;

/// <summary>One disk of a chain of VHDs or VHDXs. Sizes are in bytes.</summary>
public sealed record VhdChainLink
{
    /// <summary>The disk's absolute path.</summary>
    public required string Path { get; init; }

    /// <summary>Its place in the chain: 0 is the leaf, the highest is the base.</summary>
    public required int Index { get; init; }

    /// <summary><see cref="ImageFormat.Vhd"/>, <see cref="ImageFormat.Vhdx"/>, or raw at the base.</summary>
    public required ImageFormat Format { get; init; }

    /// <summary><c>fixed</c>, <c>dynamic</c>, <c>differencing</c> or <c>raw</c>.</summary>
    public required string Type { get; init; }

    /// <summary>The size that a guest sees.</summary>
    public required long VirtualSize { get; init; }

    /// <summary>The file's length.</summary>
    public required long FileSize { get; init; }

    /// <summary>What the file takes up on its file system; null where that is not known.</summary>
    public long? AllocatedBytes { get; init; }

    /// <summary>The VHD footer's unique id, or the VHDX's data write guid, by which children know it; null: raw.</summary>
    public Guid? UniqueId { get; init; }

    /// <summary>The id that the disk says its parent has; null where it has no parent, or a raw one.</summary>
    public Guid? ParentId { get; init; }

    /// <summary>Where the parent was found, or else the first name that the disk has for it; null: no parent.</summary>
    public string? ParentPath { get; init; }

    /// <summary>Whether the parent was found; null where there is none to find.</summary>
    public bool? ParentFound { get; init; }

    /// <summary>Whether the parent that was found has the id that the disk says; null where none was found.</summary>
    public bool? IdMatches { get; init; }

    /// <summary>What is wrong or noteworthy, a sentence each: a parent changed since, a smaller parent…</summary>
    public IReadOnlyList<string> Problems { get; init; } = [];
}
