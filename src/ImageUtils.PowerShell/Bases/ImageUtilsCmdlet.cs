using System.Management.Automation;
using ImageUtils.Configuration;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Glance;
using ImageUtils.Keystone;
using ImageUtils.PowerShell.Binding;
using ImageUtils.Qemu;
using ImageUtils.Safety;

namespace ImageUtils.PowerShell.Bases;

/// <summary>A cmdlet whose work ends when Ctrl+C is pressed.</summary>
public abstract class ImageUtilsCmdlet : PSCmdlet, IDisposable
{
    private static readonly TimeSpan s_progressInterval = TimeSpan.FromMilliseconds(200);

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

    /// <summary>What is allowed: a policy, or the one that is configured, with the directories put on top.</summary>
    /// <param name="policy">What -Policy says.</param>
    /// <param name="backingFileDirectories">What -AllowBackingFile says.</param>
    protected SafetyPolicy MakePolicy(SafetyPolicy? policy, string[]? backingFileDirectories)
    {
        policy ??= Configuration.Policy;
        return backingFileDirectories is null
            ? policy
            : policy with
            {
                BackingFileDirectories = [.. backingFileDirectories.Select(GetUnresolvedProviderPathFromPSPath)],
            };
    }

    /// <summary>
    /// Glance, in a session that is named or in the default one. Where there is none, the cmdlet ends. To be used on
    /// the pipeline's thread.
    /// </summary>
    private protected GlanceClient MakeGlanceClient(ImageServiceSession? session)
    {
        session ??= SessionTable.Default;
        if (session is null)
        {
            ThrowTerminatingError(ErrorRecords.NotConnected());
        }

        return new GlanceClient(session!);
    }

    /// <summary>How a new image is encrypted; null where it is not.</summary>
    private protected static LuksTarget? MakeEncryption(Passphrase? passphrase, string? cipherSpec, int keySize) =>
        passphrase is null ? null : new LuksTarget
        {
            Passphrase = passphrase.Bytes,
            Cipher = cipherSpec is null ? null : CipherSpec.Parse(cipherSpec, keySize),
        };

    /// <summary>Waits on the pipeline's thread for work that was given <see cref="StopToken"/>.</summary>
    protected static T Await<T>(ValueTask<T> work) =>
        work.IsCompleted ? work.GetAwaiter().GetResult() : work.AsTask().GetAwaiter().GetResult();

    /// <summary>
    /// Waits on the pipeline's thread for work that was given <see cref="StopToken"/>, and shows how far it is, at most
    /// five times a second.
    /// </summary>
    /// <param name="start">Starts the work, which reports its progress to what it is given.</param>
    /// <param name="activity">What is being done, for the progress bar.</param>
    protected T AwaitWithProgress<T>(Func<IProgress<ConversionProgress>, Task<T>> start, string activity)
    {
        var progress = new LatestProgress();
        var work = Task.Run(() => start(progress));
        var record = new ProgressRecord(1, activity, "…");
        var isShown = false;
        try
        {
            while (!((IAsyncResult)work).AsyncWaitHandle.WaitOne(s_progressInterval))
            {
                if (progress.Take() is { } latest && !StopToken.IsCancellationRequested)
                {
                    record.StatusDescription = $"{latest.Stage}: {ByteSize.ToText(latest.Position)} of "
                        + $"{ByteSize.ToText(latest.Total)}";
                    record.PercentComplete = (int)Math.Clamp(latest.Percent, 0, 100);
                    isShown = true;
                    WriteProgress(record);
                }
            }

            return work.GetAwaiter().GetResult();
        }
        finally
        {
            // However the waiting ended, nothing works on when the cmdlet is gone.
            if (!work.IsCompleted)
            {
                _stopping.Cancel();
                ((IAsyncResult)work).AsyncWaitHandle.WaitOne();
            }

            if (isShown && !StopToken.IsCancellationRequested)
            {
                record.RecordType = ProgressRecordType.Completed;
                WriteProgress(record);
            }
        }
    }

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

    private sealed class LatestProgress : IProgress<ConversionProgress>
    {
        private readonly Lock _lock = new();
        private ConversionProgress? _latest;

        public void Report(ConversionProgress value)
        {
            lock (_lock)
            {
                _latest = value;
            }
        }

        internal ConversionProgress? Take()
        {
            lock (_lock)
            {
                var latest = _latest;
                _latest = null;
                return latest;
            }
        }
    }
}
