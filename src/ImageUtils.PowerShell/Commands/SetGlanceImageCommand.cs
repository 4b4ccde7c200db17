using System.Collections;
using System.Management.Automation;
using ImageUtils.Glance;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Changes what Glance says of images.</summary>
[Cmdlet(VerbsCommon.Set, "GlanceImage", SupportsShouldProcess = true)]
[OutputType(typeof(GlanceImage))]
public sealed class SetGlanceImageCommand : GlanceCmdlet
{
    /// <summary>Ids.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    [Alias("ImageId")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(GlanceImageIdCompleter))]
    public string[] Id { get; set; } = [];

    /// <summary>Another name.</summary>
    [Parameter]
    [ValidateNotNull]
    public string? Name { get; set; }

    /// <summary>Properties that are not the API's own, with their values. Others stay as they are.</summary>
    [Parameter]
    [ValidateNotNull]
    public IDictionary? Property { get; set; }

    /// <summary>Names of properties to remove; those that are not there are passed over.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string[]? RemoveProperty { get; set; }

    /// <summary>The tags, in place of those that there are.</summary>
    [Parameter]
    [ValidateNotNull]
    [AllowEmptyCollection]
    public string[]? Tag { get; set; }

    /// <summary>The visibility.</summary>
    [Parameter]
    [ValidateSet("public", "private", "shared", "community")]
    public string? Visibility { get; set; }

    /// <summary>Whether they cannot be deleted.</summary>
    [Parameter]
    public bool Protected { get; set; }

    /// <summary>Whether lists leave them out.</summary>
    [Parameter]
    public bool Hidden { get; set; }

    /// <summary>The smallest disk, in GiB.</summary>
    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int MinDisk { get; set; }

    /// <summary>The least memory, in MiB.</summary>
    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int MinRam { get; set; }

    /// <summary>The disk format, of an image that has no data yet.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? DiskFormat { get; set; }

    /// <summary>The container format, of an image that has no data yet.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? ContainerFormat { get; set; }

    /// <summary>Emit the changed images.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        if (RemoveProperty is null && MakeChange().IsEmpty)
        {
            ThrowTerminatingError(ErrorRecords.NothingToSet());
        }

        if (RemoveProperty?.FirstOrDefault(name => Property?.Contains(name) is true) is { } both)
        {
            ThrowTerminatingError(ErrorRecords.SetAndRemoved(both));
        }
    }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (var id in Id)
        {
            ForItem(id, () => Change(id));
        }
    }

    private void Change(string id)
    {
        if (!ShouldProcess(id, "Change the image"))
        {
            return;
        }

        var change = MakeChange();
        if (RemoveProperty is not null)
        {
            var image = Await(Client.GetAsync(id, StopToken));
            foreach (var name in RemoveProperty.Where(image.Properties.ContainsKey).Distinct())
            {
                change.Remove(name);
            }

            if (change.IsEmpty)
            {
                Emit(image);
                return;
            }
        }

        Emit(Await(Client.UpdateAsync(id, change, StopToken)));
    }

    private void Emit(GlanceImage image)
    {
        if (PassThru)
        {
            WriteObject(image);
        }
    }

    private GlanceImageChange MakeChange()
    {
        var change = new GlanceImageChange();
        foreach (var (name, value) in new[]
        {
            ("name", Name), ("visibility", Visibility), ("disk_format", DiskFormat),
            ("container_format", ContainerFormat),
        })
        {
            if (value is not null)
            {
                change.Set(name, value);
            }
        }

        var bound = MyInvocation.BoundParameters;
        foreach (var (parameter, name, value) in new[]
        {
            (nameof(Protected), "protected", Protected), (nameof(Hidden), "os_hidden", Hidden),
        })
        {
            if (bound.ContainsKey(parameter))
            {
                change.Set(name, value);
            }
        }

        foreach (var (parameter, name, value) in new[]
        {
            (nameof(MinDisk), "min_disk", MinDisk), (nameof(MinRam), "min_ram", MinRam),
        })
        {
            if (bound.ContainsKey(parameter))
            {
                change.Set(name, value);
            }
        }

        foreach (DictionaryEntry entry in Property ?? new Hashtable())
        {
            change.Set(entry.Key.ToString()!, entry.Value?.ToString() ?? "");
        }

        return Tag is null ? change : change.SetTags(Tag);
    }
}
