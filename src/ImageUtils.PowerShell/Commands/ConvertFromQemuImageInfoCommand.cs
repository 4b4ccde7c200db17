using System.Management.Automation;
using System.Text;
using ImageUtils.PowerShell.Bases;
using ImageUtils.Qemu;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Reads what <c>qemu-img info</c> printed, JSON or text.</summary>
[Cmdlet(VerbsData.ConvertFrom, "QemuImageInfo")]
[OutputType(typeof(QemuImageInfo))]
public sealed class ConvertFromQemuImageInfoCommand : ImageUtilsCmdlet
{
    private readonly StringBuilder _output = new();

    /// <summary>The output, whole or line by line.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true)]
    [AllowEmptyString]
    [AllowEmptyCollection]
    public string[] InputObject { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (var text in InputObject)
        {
            if (IsWhole(text))
            {
                Flush();
                _output.Append(text);
                Flush();
            }
            else
            {
                _output.Append(text).Append('\n');
            }
        }
    }

    /// <inheritdoc/>
    protected override void EndProcessing() => Flush();

    // A program's output comes line by line; a file read with -Raw, or one line of JSON, stands for itself.
    private static bool IsWhole(string text)
    {
        var trimmed = text.AsSpan().Trim();
        return trimmed.Contains('\n')
            || (trimmed.Length > 2 && ((trimmed[0] == '{' && trimmed[^1] == '}') || (trimmed[0] == '[' && trimmed[^1] == ']')));
    }

    private void Flush()
    {
        var output = _output.ToString();
        _output.Clear();
        if (!string.IsNullOrWhiteSpace(output))
        {
            ForItem("qemu-img info", () => WriteObject(QemuInfoOutput.Parse(output), enumerateCollection: true));
        }
    }
}
