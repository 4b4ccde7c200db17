using System.Management.Automation;
using ImageUtils.Glance;
using ImageUtils.Inspection;
using ImageUtils.PowerShell.Bases;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Downloads images, checked as they come.</summary>
[Cmdlet(VerbsData.Save, "GlanceImage", SupportsShouldProcess = true)]
[OutputType(typeof(SavedGlanceImage))]
public sealed class SaveGlanceImageCommand : ImageServiceCmdlet
{
    /// <summary>The new file, or a directory, where it gets the image's id as its name.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    [ValidateNotNullOrEmpty]
    public string Destination { get; set; } = "";

    /// <summary>Keep what came when interrupted, and go on from what an earlier run kept.</summary>
    [Parameter]
    public SwitchParameter Resume { get; set; }

    /// <summary>Replace files that exist.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <inheritdoc/>
    protected override void Work(string id)
    {
        var path = GetUnresolvedProviderPathFromPSPath(Destination);
        if (Directory.Exists(path))
        {
            path = Path.Join(path, Await(Client.FindAsync(id, StopToken)).Id);
        }

        if (!ShouldProcess(path, $"Download the image {id}"))
        {
            return;
        }

        var request = new ImageSaveRequest
        {
            Client = Client,
            Image = id,
            Destination = path,
            Overwrite = Force,
            Resume = Resume,
            Inspection = new InspectionOptions { Policy = EffectivePolicy },
            Trust = Trust,
            RequiresSignature = RequireSignature,
        };
        var saved = AwaitWithProgress(
            progress => ImageSaver.SaveAsync(request, progress, StopToken), $"Downloading the image {id}");
        Remember(saved);
        WriteObject(saved);
    }
}
