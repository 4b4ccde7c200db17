using System.Management.Automation;
using System.Security;
using ImageUtils.Inspection;
using ImageUtils.PowerShell.Binding;
using ImageUtils.Safety;

namespace ImageUtils.PowerShell.Bases;

/// <summary>A cmdlet that takes what is allowed of the files that it looks at.</summary>
/// <typeparam name="TResult">What the work on one file results in.</typeparam>
public abstract class PolicyCmdlet<TResult> : ImageFileCmdlet<TResult>
{
    private Passphrase? _passphrase;

    /// <summary>Directories below which backing files and parents may lie.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string[]? AllowBackingFile { get; set; }

    /// <summary>What is allowed; parameters of the same meaning are put on top of it.</summary>
    [Parameter]
    [SafetyPolicy]
    [ValidateNotNull]
    public SafetyPolicy? Policy { get; set; }

    /// <summary>What the parameters say.</summary>
    protected InspectionOptions Options { get; private set; } = InspectionOptions.Default;

    /// <summary>Opens LUKS volumes, where a parameter says so.</summary>
    protected virtual SecureString? VolumePassphrase => null;

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        _passphrase = VolumePassphrase is { } given ? new Passphrase(given) : null;
        Options = new InspectionOptions
        {
            Passphrase = _passphrase?.Bytes,
            Policy = MakePolicy(Policy, AllowBackingFile),
        };
    }

    /// <summary>Puts further parameters on top of the policy.</summary>
    protected void ChangePolicy(Func<SafetyPolicy, SafetyPolicy> change) =>
        Options = Options with { Policy = change(Options.Policy) };

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        // First what is at work ends, then what it works with goes.
        base.Dispose(disposing);
        if (disposing)
        {
            _passphrase?.Dispose();
        }
    }
}
