using System.Collections;
using System.Management.Automation;
using ImageUtils.Errors;
using ImageUtils.Glance;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Emits images of Glance, by id or by what they are, page by page.</summary>
[Cmdlet(VerbsCommon.Get, "GlanceImage", DefaultParameterSetName = ListSet)]
[OutputType(typeof(GlanceImage))]
public sealed class GetGlanceImageCommand : GlanceCmdlet
{
    private const string ListSet = "List";
    private const string IdSet = "Id";

    /// <summary>Names, with wildcards.</summary>
    [Parameter(Position = 0, ParameterSetName = ListSet)]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(GlanceImageNameCompleter))]
    public string[]? Name { get; set; }

    /// <summary>Ids.</summary>
    [Parameter(Mandatory = true, ParameterSetName = IdSet, ValueFromPipelineByPropertyName = true)]
    [Alias("ImageId")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(GlanceImageIdCompleter))]
    public string[]? Id { get; set; }

    /// <summary>The status.</summary>
    [Parameter(ParameterSetName = ListSet)]
    [ValidateSet(
        "active", "queued", "saving", "uploading", "importing", "deactivated", "killed", "pending_delete", "deleted")]
    public string? Status { get; set; }

    /// <summary>The id of the project that owns them.</summary>
    [Parameter(ParameterSetName = ListSet)]
    [ValidateNotNullOrEmpty]
    public string? Owner { get; set; }

    /// <summary>The visibility.</summary>
    [Parameter(ParameterSetName = ListSet)]
    [ValidateSet("public", "private", "shared", "community", "all")]
    public string? Visibility { get; set; }

    /// <summary>The disk format.</summary>
    [Parameter(ParameterSetName = ListSet)]
    [ValidateNotNullOrEmpty]
    public string? DiskFormat { get; set; }

    /// <summary>Tags, of which they have all.</summary>
    [Parameter(ParameterSetName = ListSet)]
    [ValidateNotNullOrEmpty]
    public string[] Tag { get; set; } = [];

    /// <summary>Properties that are not the API's own, with their values.</summary>
    [Parameter(ParameterSetName = ListSet)]
    [ValidateNotNull]
    public IDictionary Property { get; set; } = new Hashtable();

    /// <summary>Hidden images, and no others.</summary>
    [Parameter(ParameterSetName = ListSet)]
    public SwitchParameter Hidden { get; set; }

    /// <summary>The order, as the API writes it.</summary>
    [Parameter(ParameterSetName = ListSet)]
    [ValidateNotNullOrEmpty]
    public string? Sort { get; set; }

    /// <summary>How many, at most.</summary>
    [Parameter(ParameterSetName = ListSet)]
    [ValidateRange(1, int.MaxValue)]
    public int First { get; set; } = int.MaxValue;

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName == IdSet)
        {
            foreach (var id in Id!)
            {
                ForItem(id, () => WriteObject(Await(Client.GetAsync(id, StopToken))));
            }

            return;
        }

        var left = First;
        foreach (var name in Name ?? [null!])
        {
            ForItem(name, () => Write(name, ref left));
        }
    }

    private void Write(string? name, ref int left)
    {
        var pattern = name is not null && WildcardPattern.ContainsWildcardCharacters(name)
            ? WildcardPattern.Get(name, WildcardOptions.IgnoreCase)
            : null;
        var filter = new GlanceImageFilter
        {
            Name = pattern is null ? name : null,
            Status = Status,
            Owner = Owner,
            Visibility = Visibility,
            DiskFormat = DiskFormat,
            OsHidden = Hidden,
            Tags = Tag,
            Properties = [.. Property.Cast<DictionaryEntry>().Select(entry =>
                KeyValuePair.Create(entry.Key.ToString()!, entry.Value?.ToString() ?? ""))],
            Sort = Sort,
            PageSize = pattern is null && left <= 1000 ? left : null,
        };
        var isFound = false;
        if (left > 0)
        {
            foreach (var image in Enumerate(Client.ListAsync(filter, StopToken))
                .Where(image => pattern is null || (image.Name is { } text && pattern.IsMatch(text))))
            {
                isFound = true;
                WriteObject(image);
                if (--left == 0)
                {
                    return;
                }
            }
        }

        if (!isFound && left > 0 && name is not null && pattern is null)
        {
            throw new ImageNotFoundInGlanceException(
                name, $"There is no such image of the name '{name}'. Check the name and the other conditions.",
                System.Net.HttpStatusCode.NotFound, null);
        }
    }
}
