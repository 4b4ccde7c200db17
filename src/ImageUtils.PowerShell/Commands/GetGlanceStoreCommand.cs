using System.Management.Automation;
using ImageUtils.Glance;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Emits the stores of Glance.</summary>
[Cmdlet(VerbsCommon.Get, "GlanceStore")]
[OutputType(typeof(GlanceStore))]
public sealed class GetGlanceStoreCommand : GlanceCmdlet
{
    /// <summary>Ids of stores that must be there and take data; without it, all stores.</summary>
    [Parameter(Position = 0)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(GlanceStoreCompleter))]
    public string[]? Id { get; set; }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        foreach (var id in Id ?? [])
        {
            ForItem(id, () => WriteObject(Await(Client.ValidateStoreAsync(id, StopToken))));
        }

        if (Id is null)
        {
            ForItem(Client.Session, () => WriteObject(
                Await(Client.GetStoresAsync(StopToken)), enumerateCollection: true));
        }
    }
}
