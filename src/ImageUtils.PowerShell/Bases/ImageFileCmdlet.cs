using System.Diagnostics;
using System.Management.Automation;
using ImageUtils.Errors;
using ImageUtils.PowerShell.Binding;
using Microsoft.PowerShell.Commands;

namespace ImageUtils.PowerShell.Bases;

/// <summary>A cmdlet that takes files by pattern, by exact name, or from <c>Get-ChildItem</c>.</summary>
/// <remarks>
/// Where many files come in quick succession, the work on them goes on beside the pipeline, which has work enough of its
/// own with each object. What comes out keeps the order of what went in.
/// </remarks>
/// <typeparam name="TResult">What the work on one file results in.</typeparam>
public abstract class ImageFileCmdlet<TResult> : ImageUtilsCmdlet
{
    /// <summary>The parameter set of <see cref="Path"/>.</summary>
    protected const string PathSet = "Path";

    /// <summary>The parameter set of <see cref="LiteralPath"/>.</summary>
    protected const string LiteralPathSet = "LiteralPath";

    /// <summary>The parameter set of <see cref="InputObject"/>.</summary>
    protected const string InputObjectSet = "InputObject";

    // Files that come slower than this, or are few, are worked on in turn, so that nothing waits for the next to come.
    private const int ManyFiles = 32;
    private const int MaximumPending = 256;
    private static readonly TimeSpan s_quickSuccession = TimeSpan.FromMilliseconds(50);

    // What FileInfo objects in a pipeline carry as their PSPath.
    private const string FileSystemPrefix = @"Microsoft.PowerShell.Core\FileSystem::";

    private readonly Queue<(string Path, bool IsOneOfMany, Task<TResult> Work)> _pending = new();
    private long _lastArrival;
    private int _inQuickSuccession;

    /// <summary>Files, with wildcards.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = PathSet, ValueFromPipeline = true,
        ValueFromPipelineByPropertyName = true)]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    public string[] Path { get; set; } = [];

    /// <summary>Files, by their exact names.</summary>
    [Parameter(Mandatory = true, ParameterSetName = LiteralPathSet, ValueFromPipelineByPropertyName = true)]
    [Alias("PSPath", "LP", "FullName")]
    [ValidateNotNullOrEmpty]
    public string[] LiteralPath { get; set; } = [];

    /// <summary>A file, as Get-ChildItem emits it, or what a cmdlet emitted about one.</summary>
    /// <remarks>
    /// Binding the object itself costs a tenth of binding its PSPath by name, which is what counts with many files.
    /// </remarks>
    [Parameter(Mandatory = true, ParameterSetName = InputObjectSet, ValueFromPipeline = true)]
    [FileOfResult]
    [ValidateNotNull]
    public virtual FileSystemInfo? InputObject { get; set; }

    /// <summary>Whether the work on many files may go on beside the pipeline: not where it asks, writes or shows progress.</summary>
    protected virtual bool MayWorkBeside => true;

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName == InputObjectSet)
        {
            ProcessOne(InputObject!.FullName, isOneOfMany: true);
            return;
        }

        if (ParameterSetName == LiteralPathSet)
        {
            foreach (var path in LiteralPath)
            {
                if (ToFileSystemPath(path) is { } file)
                {
                    ProcessOne(file, MyInvocation.ExpectingInput);
                }
            }

            return;
        }

        foreach (var pattern in Path)
        {
            ProcessPattern(pattern);
        }
    }

    /// <inheritdoc/>
    protected override void EndProcessing() => EmitPending(0);

    /// <summary>Does the work on one file, on any thread.</summary>
    /// <param name="path">An absolute path of the operating system.</param>
    /// <remarks>Not needed where <see cref="Work"/> does it and <see cref="MayWorkBeside"/> is false.</remarks>
    protected virtual ValueTask<TResult> WorkAsync(string path) =>
        throw new InvalidOperationException("Files are worked on one by one.");

    /// <summary>Does the work on one file on the pipeline's thread.</summary>
    protected virtual TResult Work(string path) => Await(WorkAsync(path));

    /// <summary>Emits what the work on a file resulted in, on the pipeline's thread.</summary>
    protected abstract void Emit(string path, TResult result);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing && _pending.Count > 0)
        {
            // The pipeline was stopped. What is still at work must not outlive what it works with.
            StopProcessing();
            foreach (var (_, _, work) in _pending)
            {
                ((IAsyncResult)work).AsyncWaitHandle.WaitOne();
            }
        }

        base.Dispose(disposing);
    }

    private void ProcessPattern(string pattern)
    {
        var hasWildcards = WildcardPattern.ContainsWildcardCharacters(pattern);
        if (!hasWildcards)
        {
            if (ToFileSystemPath(pattern) is { } file)
            {
                ProcessOne(file, MyInvocation.ExpectingInput);
            }

            return;
        }

        System.Collections.ObjectModel.Collection<string> files;
        ProviderInfo provider;
        try
        {
            files = SessionState.Path.GetResolvedProviderPathFromPSPath(pattern, out provider);
        }
        catch (RuntimeException exception)
        {
            WriteError(new ErrorRecord(exception.ErrorRecord, exception));
            return;
        }

        if (provider.ImplementingType != typeof(FileSystemProvider))
        {
            WriteError(ErrorRecords.NotAFileSystemPath(pattern));
            return;
        }

        if (files.Count == 0)
        {
            if (ToFileSystemPath(pattern) is { } name && File.Exists(name))
            {
                WriteError(ErrorRecords.WildcardsOfAName(pattern));
            }
            else
            {
                WriteVerbose($"No file matches '{pattern}'.");
            }
        }

        foreach (var file in files)
        {
            ProcessOne(file, isOneOfMany: true);
        }
    }

    private void ProcessOne(string path, bool isOneOfMany)
    {
        var now = Stopwatch.GetTimestamp();
        var isQuick = Stopwatch.GetElapsedTime(_lastArrival, now) < s_quickSuccession;
        _inQuickSuccession = isQuick ? _inQuickSuccession + 1 : 0;
        _lastArrival = now;
        if (_inQuickSuccession < ManyFiles || !MayWorkBeside)
        {
            EmitPending(0);
            EmitOne(path, isOneOfMany, () => Work(path));
            return;
        }

        _pending.Enqueue((path, isOneOfMany, Task.Run(() => WorkAsync(path).AsTask())));
        EmitPending(MaximumPending);
    }

    // Emits what is done, and waits for more only where more than `most` would be left.
    private void EmitPending(int most)
    {
        while (_pending.TryPeek(out var next) && (_pending.Count > most || next.Work.IsCompleted))
        {
            _pending.Dequeue();
            EmitOne(next.Path, next.IsOneOfMany, () => next.Work.GetAwaiter().GetResult());
        }
    }

    private void EmitOne(string path, bool isOneOfMany, Func<TResult> getResult) => ForItem(path, () =>
    {
        TResult result;
        try
        {
            result = getResult();
        }
        catch (ImageFileException exception)
            when (isOneOfMany && exception.Problem == ImageFileProblem.IsDirectory)
        {
            WriteVerbose($"'{path}' is a directory; passed over.");
            return;
        }

        Emit(path, result);
    });

    private string? ToFileSystemPath(string path)
    {
        if (path.StartsWith(FileSystemPrefix, StringComparison.OrdinalIgnoreCase))
        {
            return path[FileSystemPrefix.Length..];
        }

        // The session takes 100 microseconds to say the same of a full path.
        if (path[0] == '/' && System.IO.Path.IsPathFullyQualified(path)
            && SessionState.Path.CurrentLocation.Provider.ImplementingType == typeof(FileSystemProvider))
        {
            return System.IO.Path.GetFullPath(path);
        }

        try
        {
            var resolved = SessionState.Path.GetUnresolvedProviderPathFromPSPath(path, out var provider, out _);
            if (provider.ImplementingType == typeof(FileSystemProvider))
            {
                return resolved;
            }

            WriteError(ErrorRecords.NotAFileSystemPath(path));
        }
        catch (RuntimeException exception)
        {
            WriteError(new ErrorRecord(exception.ErrorRecord, exception));
        }

        return null;
    }
}
