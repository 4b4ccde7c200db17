using System.Collections;
using System.Collections.Specialized;
using System.Management.Automation;
using ImageUtils.Glance;
using ImageUtils.PowerShell.Bases;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Picks the properties of an image that another image may be given.</summary>
[Cmdlet(VerbsCommon.Select, "ImageProperty")]
[OutputType(typeof(OrderedDictionary))]
public sealed class SelectImagePropertyCommand : ImageUtilsCmdlet
{
    private const string Properties = "Properties";

    /// <summary>An image's metadata: a dictionary, or an object with its names.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true)]
    [AllowEmptyCollection]
    public PSObject InputObject { get; set; } = null!;

    /// <summary>Further prefixes of names that are left out.</summary>
    [Parameter]
    [AllowEmptyCollection]
    public string[] ReservedNamespace { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        var removed = new List<string>();
        WriteObject(ImagePropertyFilter.Select(
            PairsOf(InputObject), [.. Configuration.ReservedNamespaces, .. ReservedNamespace], removed));
        if (removed.Count > 0)
        {
            WriteVerbose($"Left out: {string.Join(", ", removed)}.");
        }
    }

    // An image as Glance's cmdlets emit it has its properties in a dictionary of their own.
    private static IEnumerable<KeyValuePair<string, object?>> PairsOf(PSObject input) =>
        input.BaseObject is IDictionary dictionary
            ? ImagePropertyFilter.PairsOf(dictionary)
            : input.Properties[Properties]?.Value is IDictionary properties && input.BaseObject is not PSCustomObject
                ? ImagePropertyFilter.PairsOf(properties)
                : input.Properties.Where(property => property.IsGettable).Select(
                    property => new KeyValuePair<string, object?>(property.Name, property.Value));
}
