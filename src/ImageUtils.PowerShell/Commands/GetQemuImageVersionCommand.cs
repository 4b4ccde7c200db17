using System.Management.Automation;
using ImageUtils.PowerShell.Bases;
using ImageUtils.Qemu;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Says which qemu-img there is.</summary>
[Cmdlet(VerbsCommon.Get, "QemuImageVersion")]
[OutputType(typeof(QemuImgVersion))]
public sealed class GetQemuImageVersionCommand : ImageUtilsCmdlet
{
    /// <inheritdoc/>
    protected override void EndProcessing() => ForItem("qemu-img", () => WriteObject(
        Await(new ValueTask<QemuImgVersion>(QemuImg.Find().GetVersionAsync(StopToken)))));
}
