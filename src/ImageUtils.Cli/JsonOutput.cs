using System.Text.Encodings.Web;
using System.Text.Json;
using ImageUtils.Inspection;

namespace ImageUtils.Cli;

/// <summary>Prints one JSON object a line, with the property names of the cmdlets' objects.</summary>
/// <param name="toObjects">The objects that a report becomes, each of a type that <see cref="JsonShapes"/> knows.</param>
internal sealed class JsonOutput(Func<ImageFormatReport, IEnumerable<object>> toObjects) : IReportOutput
{
    private static readonly JsonSerializerOptions s_options = new(JsonShapes.Default.Options)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public void Add(ImageFormatReport report)
    {
        foreach (var one in toObjects(report))
        {
            Console.Out.WriteLine(JsonSerializer.Serialize(one, s_options.GetTypeInfo(one.GetType())));
        }
    }

    public void Finish()
    {
    }
}
