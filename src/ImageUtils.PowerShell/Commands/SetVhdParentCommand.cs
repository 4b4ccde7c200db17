using System.Management.Automation;
using ImageUtils.PowerShell.Bases;
using ImageUtils.VhdChains;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Has differencing VHDs name another parent.</summary>
[Cmdlet(VerbsCommon.Set, "VhdParent", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(VhdParentChange))]
public sealed class SetVhdParentCommand : VhdCmdlet<VhdParentChange?>
{
    private string _parentPath = "";

    /// <summary>The parent.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    [ValidateNotNullOrEmpty]
    public string ParentPath { get; set; } = "";

    /// <summary>The parent may have another id than the disk states.</summary>
    [Parameter]
    public SwitchParameter IgnoreIdMismatch { get; set; }

    /// <summary>The parent is a raw disk.</summary>
    [Parameter]
    public SwitchParameter KnownRaw { get; set; }

    /// <summary>Emit what was done.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override bool MayWorkBeside => false;

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        _parentPath = GetUnresolvedProviderPathFromPSPath(ParentPath);
    }

    /// <inheritdoc/>
    protected override VhdParentChange? Work(string path) =>
        ShouldProcess(path, $"Name '{_parentPath}' as its parent") ? base.Work(path) : null;

    /// <inheritdoc/>
    protected override async ValueTask<VhdParentChange?> WorkAsync(string path) => await VhdParentChanger.SetAsync(
        new VhdParentRequest
        {
            Path = path,
            ParentPath = _parentPath,
            IgnoreIdMismatch = IgnoreIdMismatch,
            IsParentRaw = KnownRaw,
            Source = Source,
        },
        StopToken).ConfigureAwait(false);

    /// <inheritdoc/>
    protected override void Emit(string path, VhdParentChange? result)
    {
        foreach (var warning in result?.Warnings ?? [])
        {
            WriteWarning($"{path}: {warning}");
        }

        if (PassThru && result is not null)
        {
            WriteObject(result);
        }
    }
}
