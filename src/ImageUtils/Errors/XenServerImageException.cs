using ImageUtils.Inspection;

namespace ImageUtils.Errors;

/// <summary>Why a XenServer image was not expanded.</summary>
public enum XenServerImageProblem
{
    /// <summary>It is no tar archive, or a damaged one.</summary>
    Malformed,

    /// <summary>An entry's name leads elsewhere or is there twice, or the entry is no plain file.</summary>
    UnsafeEntry,

    /// <summary>It unpacks to more than is allowed, or has more entries.</summary>
    TooLarge,

    /// <summary>There is no <c>0.vhd</c> in it.</summary>
    NoChain,
}

/// <summary>A XenServer image (an archive of a chain of VHDs) was not expanded; nothing of it was kept.</summary>
/// <param name="problem">Why.</param>
/// <param name="path">The archive.</param>
/// <param name="reason">A sentence that says what was found, and what to do.</param>
public sealed class XenServerImageException(XenServerImageProblem problem, string path, string reason)
    : ImageUtilsException($"'{Printable.Text(path)}' was not expanded. {reason}")
{
    /// <summary>Why.</summary>
    public XenServerImageProblem Problem => problem;

    /// <summary>The archive.</summary>
    public string Path => path;

    /// <inheritdoc/>
    public override string ErrorId => problem switch
    {
        XenServerImageProblem.Malformed => "ArchiveMalformed",
        XenServerImageProblem.UnsafeEntry => "ArchiveEntryUnsafe",
        XenServerImageProblem.TooLarge => "ArchiveTooLarge",
        _ => "ArchiveHasNoChain",
    };
}
