using System.Management.Automation;
using System.Security;

namespace ImageUtils.PowerShell.Bases;

/// <summary>A cmdlet that inspects files, and so takes what an inspection is told.</summary>
/// <typeparam name="TResult">What the work on one file results in.</typeparam>
public abstract class InspectingCmdlet<TResult> : PolicyCmdlet<TResult>
{
    /// <summary>Opens LUKS volumes, so that what is inside is inspected as well.</summary>
    [Parameter]
    [ValidateNotNull]
    public SecureString? Passphrase { get; set; }

    /// <inheritdoc/>
    protected override SecureString? VolumePassphrase => Passphrase;
}
