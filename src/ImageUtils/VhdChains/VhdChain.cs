namespace ImageUtils.VhdChains;

/// <summary>A chain of differencing disks, leaf first.</summary>
/// <param name="Links">The disks: the leaf, its parent, and so on to the base, or to where the chain breaks.</param>
public sealed record VhdChain(IReadOnlyList<VhdChainLink> Links)
{
    /// <summary>The most disks that a chain has.</summary>
    public const int MaximumDepth = 64;

    /// <summary>The disk that a guest uses.</summary>
    public VhdChainLink Leaf => Links[0];

    /// <summary>The disk at the bottom.</summary>
    public VhdChainLink Base => Links[^1];
}
