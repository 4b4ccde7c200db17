using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using ImageUtils.Inspection;

namespace ImageUtils.Cli;

/// <summary>Prints one JSON object a line, with the property names of the cmdlets' objects.</summary>
/// <param name="toObjects">The objects that a report becomes.</param>
internal sealed class JsonOutput(Func<ImageFormatReport, IEnumerable<object>> toObjects) : IReportOutput
{
    private static readonly JsonSerializerOptions s_options = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new FormatConverter(), new JsonStringEnumConverter(), new DetailsConverter() },
    };

    public void Add(ImageFormatReport report)
    {
        foreach (var one in toObjects(report))
        {
            Console.Out.WriteLine(JsonSerializer.Serialize(one, one.GetType(), s_options));
        }
    }

    public void Finish()
    {
    }

    private sealed class FormatConverter : JsonConverter<ImageFormat>
    {
        public override ImageFormat Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            ImageFormatNames.Parse(reader.GetString()!);

        public override void Write(Utf8JsonWriter writer, ImageFormat value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.ToName());
    }

    private sealed class DetailsConverter : JsonConverter<FormatDetails>
    {
        public override bool CanConvert(Type typeToConvert) => typeToConvert == typeof(FormatDetails);

        public override FormatDetails Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            throw new NotSupportedException("Details are written only.");

        public override void Write(Utf8JsonWriter writer, FormatDetails value, JsonSerializerOptions options) =>
            JsonSerializer.Serialize(writer, value, value.GetType(), options);
    }
}
