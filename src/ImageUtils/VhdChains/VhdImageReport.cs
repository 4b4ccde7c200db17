namespace ImageUtils.VhdChains;

/// <summary>What a look at all of a VHD's or VHDX's structures, and at its parent, came to.</summary>
public sealed record VhdImageReport
{
    /// <summary>The file's absolute path.</summary>
    public required string Path { get; init; }

    /// <summary><see cref="ImageFormat.Vhd"/> or <see cref="ImageFormat.Vhdx"/>.</summary>
    public required ImageFormat Format { get; init; }

    /// <summary><c>fixed</c>, <c>dynamic</c> or <c>differencing</c>; null where that cannot be read.</summary>
    public required string? Type { get; init; }

    /// <summary>Whether nothing is wrong.</summary>
    public bool IsValid => ProblemCount == 0;

    /// <summary>What is wrong, a sentence each; the first hundred.</summary>
    public required IReadOnlyList<string> Problems { get; init; }

    /// <summary>How much is wrong altogether.</summary>
    public required long ProblemCount { get; init; }

    /// <summary>What is noteworthy and does no harm by itself, a sentence each.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>The blocks that have a place in the file, and were looked at.</summary>
    public required long AllocatedBlocks { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{Path}: {(IsValid ? "valid" : "not valid")}";
}
