using System.Management.Automation;
using ImageUtils.Errors;
using Microsoft.PowerShell.Commands;

namespace ImageUtils.PowerShell.Bases;

/// <summary>A cmdlet that takes files by pattern, by exact name, or from <c>Get-ChildItem</c>.</summary>
public abstract class ImageFileCmdlet : ImageUtilsCmdlet
{
    /// <summary>The parameter set of <see cref="Path"/>.</summary>
    protected const string PathSet = "Path";

    /// <summary>The parameter set of <see cref="LiteralPath"/>.</summary>
    protected const string LiteralPathSet = "LiteralPath";

    /// <summary>The parameter set of <see cref="InputObject"/>.</summary>
    protected const string InputObjectSet = "InputObject";

    // What FileInfo objects in a pipeline carry as their PSPath.
    private const string FileSystemPrefix = @"Microsoft.PowerShell.Core\FileSystem::";

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

    /// <summary>A file, as Get-ChildItem emits it.</summary>
    /// <remarks>
    /// Binding the object itself costs a tenth of binding its PSPath by name, which is what counts with many files.
    /// </remarks>
    [Parameter(Mandatory = true, ParameterSetName = InputObjectSet, ValueFromPipeline = true)]
    [ValidateNotNull]
    public FileSystemInfo? InputObject { get; set; }

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

    /// <summary>Does the work on one file.</summary>
    /// <param name="path">An absolute path of the operating system.</param>
    protected abstract void ProcessFile(string path);

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

    private void ProcessOne(string path, bool isOneOfMany) => ForItem(path, () =>
    {
        try
        {
            ProcessFile(path);
        }
        catch (ImageFileException exception)
            when (isOneOfMany && exception.Problem == ImageFileProblem.IsDirectory)
        {
            WriteVerbose($"'{path}' is a directory; passed over.");
        }
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
