using System.Management.Automation;
using ImageUtils.Glance;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Emits tasks of Glance: an image's, one by its id, or the project's.</summary>
[Cmdlet(VerbsCommon.Get, "GlanceTask", DefaultParameterSetName = ListSet)]
[OutputType(typeof(GlanceTask))]
public sealed class GetGlanceTaskCommand : GlanceCmdlet
{
    private const string ListSet = "List";
    private const string IdSet = "Id";
    private const string ImageSet = "ImageId";
    private const string PipelineSet = "Image";

    /// <summary>Ids of tasks.</summary>
    [Parameter(Mandatory = true, ParameterSetName = IdSet)]
    [ValidateNotNullOrEmpty]
    public string[] Id { get; set; } = [];

    /// <summary>Ids of images, whose tasks are emitted.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = ImageSet)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(GlanceImageIdCompleter))]
    public string[] ImageId { get; set; } = [];

    /// <summary>Images, whose tasks are emitted.</summary>
    [Parameter(Mandatory = true, ParameterSetName = PipelineSet, ValueFromPipeline = true)]
    [ValidateNotNull]
    public GlanceImage[] Image { get; set; } = [];

    /// <summary>Only tasks in this state.</summary>
    [Parameter(ParameterSetName = ListSet)]
    [Parameter(ParameterSetName = ImageSet)]
    [Parameter(ParameterSetName = PipelineSet)]
    [ValidateSet("pending", "processing", "success", "failure")]
    public string? Status { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (var id in Id)
        {
            ForItem(id, () => WriteObject(Await(Client.GetTaskAsync(id, StopToken))));
        }

        foreach (var id in ImageId.Concat(Image.Select(image => image.Id)))
        {
            ForItem(id, () => WriteObject(
                Await(Client.GetImageTasksAsync(id, StopToken)).Where(task => Status is null || task.Status == Status),
                enumerateCollection: true));
        }

        if (ParameterSetName == ListSet)
        {
            ForItem(Client.Session, () =>
            {
                foreach (var task in Enumerate(Client.ListTasksAsync(Status, StopToken)))
                {
                    WriteObject(task);
                }
            });
        }
    }
}
