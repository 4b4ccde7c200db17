using ImageUtils.Inspection;

namespace ImageUtils.Errors;

/// <summary>What is wrong with a chain of VHDs or VHDXs, or with what is asked of it.</summary>
public enum VhdChainProblem
{
    /// <summary>A disk's parent is nowhere where the disk says that it is.</summary>
    ParentMissing,

    /// <summary>What is where the parent should be has another id.</summary>
    IdMismatch,

    /// <summary>A disk is, over others or directly, its own parent.</summary>
    Cycle,

    /// <summary>The chain is longer than <see cref="VhdChains.VhdChain.MaximumDepth"/>.</summary>
    TooDeep,

    /// <summary>Another disk depends on one that would change or go.</summary>
    ParentShared,

    /// <summary>The disk has no parent, or is not part of the chain.</summary>
    NotInChain,

    /// <summary>A disk is damaged, or of a kind that cannot be part of a chain.</summary>
    NotUsable,
}

/// <summary>A chain cannot be used, or must not be changed; it is as it was.</summary>
/// <param name="problem">Why.</param>
/// <param name="path">The disk at which that was found.</param>
/// <param name="reason">A sentence that says what was found, and what to do.</param>
public sealed class VhdChainException(VhdChainProblem problem, string path, string reason)
    : ImageUtilsException($"'{Printable.Text(path)}': {reason}")
{
    /// <summary>Why.</summary>
    public VhdChainProblem Problem => problem;

    /// <summary>The disk at which that was found.</summary>
    public string Path => path;

    /// <inheritdoc/>
    public override string ErrorId => problem switch
    {
        VhdChainProblem.ParentMissing => "VhdParentMissing",
        VhdChainProblem.IdMismatch => "VhdParentIdMismatch",
        VhdChainProblem.Cycle => "VhdChainCycle",
        VhdChainProblem.TooDeep => "VhdChainTooDeep",
        VhdChainProblem.ParentShared => "VhdParentShared",
        VhdChainProblem.NotInChain => "VhdNotInChain",
        _ => "VhdNotUsable",
    };
}
