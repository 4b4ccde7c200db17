using System.Management.Automation;
using ImageUtils.Configuration;
using ImageUtils.Errors;

namespace ImageUtils.PowerShell.Bases;

/// <summary>A cmdlet whose work ends when Ctrl+C is pressed.</summary>
public abstract class ImageUtilsCmdlet : PSCmdlet, IDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private ImageUtilsConfiguration? _configuration;

    /// <summary>Cancelled when the pipeline stops.</summary>
    protected CancellationToken StopToken => _stopping.Token;

    /// <summary>
    /// What holds where no parameter says otherwise, read once per call. Where it cannot be read or trusted, the cmdlet
    /// ends with the reason: it is to be used on the pipeline's thread, at the latest when processing begins.
    /// </summary>
    protected ImageUtilsConfiguration Configuration
    {
        get
        {
            try
            {
                return _configuration ??= ImageUtilsConfiguration.Load();
            }
            catch (ConfigurationException exception)
            {
                ThrowTerminatingError(ErrorRecords.From(exception, exception.Origin));
                throw;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <inheritdoc/>
    protected override void StopProcessing() => _stopping.Cancel();

    /// <summary>Releases what the cmdlet holds.</summary>
    protected virtual void Dispose(bool disposing)
    {
        if (disposing)
        {
            _stopping.Dispose();
        }
    }

    /// <summary>Waits on the pipeline's thread for work that was given <see cref="StopToken"/>.</summary>
    protected static T Await<T>(ValueTask<T> work) =>
        work.IsCompleted ? work.GetAwaiter().GetResult() : work.AsTask().GetAwaiter().GetResult();

    /// <summary>
    /// Does one item's work. What goes wrong is reported for this item, and the pipeline goes on.
    /// </summary>
    protected void ForItem(object target, Action work)
    {
        try
        {
            work();
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The pipeline is stopping; there is nobody left to tell.
        }
        catch (Exception exception) when (exception is not (PipelineStoppedException or RuntimeException))
        {
            WriteError(ErrorRecords.From(exception, target));
        }
    }
}
