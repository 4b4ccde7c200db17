using System.Management.Automation;
using ImageUtils.Glance;
using ImageUtils.PowerShell.Bases;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Removes temporary files of imports whose process is gone.</summary>
[Cmdlet(VerbsCommon.Clear, "ImageTemporaryFile", SupportsShouldProcess = true)]
[OutputType(typeof(ImageTemporaryFile))]
public sealed class ClearImageTemporaryFileCommand : ImageUtilsCmdlet
{
    /// <summary>The directory; the configured conversion directory by itself.</summary>
    [Parameter(Position = 0)]
    [ValidateNotNullOrEmpty]
    public string? ConversionDirectory { get; set; }

    /// <summary>Only those of projects with these ids.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string[]? Owner { get; set; }

    /// <summary>Only those that were not written to for so long.</summary>
    [Parameter]
    public TimeSpan OlderThan { get; set; }

    /// <summary>Emit the files that were removed.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        var directory = ConversionDirectory is null
            ? Configuration.ConversionDirectory
            : GetUnresolvedProviderPathFromPSPath(ConversionDirectory);
        ForItem(directory, () =>
        {
            foreach (var file in ImageTemporaryFile.Find(directory))
            {
                ForItem(file.Path, () => Clear(file));
            }
        });
    }

    private void Clear(ImageTemporaryFile file)
    {
        if ((Owner is not null && !Owner.Contains(file.Owner, StringComparer.OrdinalIgnoreCase))
            || DateTimeOffset.UtcNow - file.LastWriteTime < OlderThan)
        {
            return;
        }

        if (file.IsInUse)
        {
            WriteVerbose($"'{file.Path}' is left alone: the process {file.ProcessId} that made it still runs.");
        }
        else if (ShouldProcess(file.Path, "Remove the temporary file") && file.Remove() && PassThru)
        {
            WriteObject(file);
        }
    }
}
