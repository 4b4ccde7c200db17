using ImageUtils.Conversion;

namespace ImageUtils.PowerShell.Bases;

/// <summary>A cmdlet that looks at VHDs and VHDXs and their parents, which may lie beside a disk too.</summary>
/// <typeparam name="TResult">What the work on one file results in.</typeparam>
public abstract class VhdCmdlet<TResult> : PolicyCmdlet<TResult>
{
    /// <summary>How disks are looked at.</summary>
    protected OpenOptions Source => new() { Inspection = Options };
}
