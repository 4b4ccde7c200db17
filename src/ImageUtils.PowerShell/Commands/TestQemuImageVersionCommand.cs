using System.Management.Automation;
using ImageUtils.Errors;
using ImageUtils.PowerShell.Bases;
using ImageUtils.Qemu;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Says whether qemu-img is there and of a version at least.</summary>
[Cmdlet(VerbsDiagnostic.Test, "QemuImageVersion")]
[OutputType(typeof(bool))]
public sealed class TestQemuImageVersionCommand : ImageUtilsCmdlet
{
    /// <summary>The lowest version that will do, such as 7.2.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNull]
    public Version MinimumVersion { get; set; } = new();

    /// <inheritdoc/>
    protected override void EndProcessing() => ForItem("qemu-img", () =>
    {
        try
        {
            var found = Await(new ValueTask<QemuImgVersion>(QemuImg.Find().GetVersionAsync(StopToken)));
            WriteObject(found.Version >= MinimumVersion);
        }
        catch (QemuImgNotFoundException exception)
        {
            WriteVerbose(exception.Message);
            WriteObject(false);
        }
    });
}
