using System.Management.Automation;
using ImageUtils.Glance;
using ImageUtils.Keystone;

namespace ImageUtils.PowerShell.Bases;

/// <summary>A cmdlet that asks Glance, in a session that is named or in the default one.</summary>
public abstract class GlanceCmdlet : ImageUtilsCmdlet
{
    private GlanceClient? _client;

    /// <summary>The session; without it, the default one.</summary>
    [Parameter]
    [ValidateNotNull]
    public ImageServiceSession? Session { get; set; }

    /// <summary>Glance. Where there is no session, the cmdlet ends. To be used on the pipeline's thread.</summary>
    private protected GlanceClient Client => _client ??= MakeGlanceClient(Session);

    /// <inheritdoc/>
    protected override void BeginProcessing() => _ = Client;

    /// <summary>Waits on the pipeline's thread for work that was given the token of the pipeline's stopping.</summary>
    private protected static T Await<T>(Task<T> work) => Await(new ValueTask<T>(work));

    /// <inheritdoc cref="Await{T}(Task{T})"/>
    private protected static void Await(Task work) => work.GetAwaiter().GetResult();

    /// <summary>Reads what comes page by page, no further than it is asked for.</summary>
    private protected static IEnumerable<T> Enumerate<T>(IAsyncEnumerable<T> items)
    {
        var enumerator = items.GetAsyncEnumerator();
        try
        {
            while (Await(enumerator.MoveNextAsync()))
            {
                yield return enumerator.Current;
            }
        }
        finally
        {
            Await(enumerator.DisposeAsync().AsTask());
        }
    }
}
