using System.Management.Automation;
using ImageUtils.Keystone;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Closes sessions and gives their tokens back.</summary>
[Cmdlet(VerbsCommunications.Disconnect, "ImageService")]
[OutputType(typeof(ImageServiceSession))]
public sealed class DisconnectImageServiceCommand : ImageUtilsCmdlet
{
    /// <summary>The sessions; without them, the default one.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true)]
    [ValidateNotNull]
    public ImageServiceSession[]? Session { get; set; }

    /// <summary>Emit the sessions that were closed.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (Session is null && SessionTable.Open.Count == 0)
        {
            WriteError(ErrorRecords.NotConnected());
            return;
        }

        foreach (var session in Session ?? [SessionTable.Open[0]])
        {
            ForItem(session, () =>
            {
                try
                {
                    Await(new ValueTask<bool>(CloseAsync(session)));
                }
                finally
                {
                    SessionTable.Remove(session);
                }

                if (PassThru)
                {
                    WriteObject(session);
                }
            });
        }
    }

    private async Task<bool> CloseAsync(ImageServiceSession session)
    {
        await session.CloseAsync(StopToken).ConfigureAwait(false);
        return true;
    }
}
