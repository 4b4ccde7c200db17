using System.Management.Automation;
using ImageUtils.Errors;

namespace ImageUtils.PowerShell.Bases;

/// <summary>A cmdlet that makes new, empty images.</summary>
public abstract class CreatingCmdlet : ImageUtilsCmdlet
{
    /// <summary>The new files; no character is a wildcard.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("FullName")]
    [ValidateNotNullOrEmpty]
    public string[] Path { get; set; } = [];

    /// <summary>Replace what exists.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (var name in Path)
        {
            ForItem(name, () => Make(GetUnresolvedProviderPathFromPSPath(name)));
        }
    }

    /// <summary>Makes one image, on the pipeline's thread.</summary>
    /// <param name="path">An absolute path of the operating system.</param>
    protected abstract void Make(string path);

    /// <summary>What a parameter says that is a size; null where it is not given.</summary>
    /// <param name="parameter">The parameter's name.</param>
    /// <param name="text">What was given.</param>
    /// <exception cref="ImageOptionException">It is no size.</exception>
    protected static long? ParseSize(string parameter, string? text) =>
        text is null ? null
        : ByteSize.TryParse(text, out var size) ? size
        : throw new ImageOptionException(parameter, $"'{text}' is no size. Use bytes or a unit, such as 10G.");
}
