using System.Text.Json;
using System.Text.Json.Serialization;
using ImageUtils.Inspection;

namespace ImageUtils.Tests.Support;

/// <summary>Inspects bytes both ways, as a file and as a stream, and insists that both say the same.</summary>
internal static class Inspected
{
    private static readonly JsonSerializerOptions s_json = new()
    {
        WriteIndented = true,
        Converters = { new JsonStringEnumConverter(), new DetailsConverter() },
    };

    public static ImageInspection Bytes(byte[] bytes, InspectionOptions? options = null)
    {
        var file = File(bytes, options);
        if (bytes.Length > 1 << 20)
        {
            // Most of a large image is passed over: small chunks cost time there, and show nothing.
            AssertSame(file, Stream(bytes, at => at < 1 << 18 ? 511 : 65537, options), "growing chunks");
        }
        else
        {
            foreach (var chunkSize in new[] { 511, 4096, 65537, int.MaxValue })
            {
                AssertSame(file, Stream(bytes, _ => chunkSize, options), $"chunks of {chunkSize}");
            }
        }

        // A byte at a time is slow over megabytes; the headers are where it matters.
        AssertSame(file, Stream(bytes, at => at < 8192 ? 1 : 4093, options), "single bytes");
        return file;
    }

    public static ImageInspection File(byte[] bytes, InspectionOptions? options = null)
    {
        using var file = new TemporaryFile(bytes, Path.GetExtension(options?.Path) ?? "");
        return ImageInspector.InspectFileAsync(file.Path, options).AsTask().GetAwaiter().GetResult();
    }

    public static ImageInspection Stream(byte[] bytes, Func<int, int> chunkSize, InspectionOptions? options = null)
    {
        var inspector = new StreamInspector(options);
        for (var at = 0; at < bytes.Length;)
        {
            var length = Math.Min(Math.Max(1, chunkSize(at)), bytes.Length - at);
            inspector.Push(bytes.AsSpan(at, length));
            Assert.True(inspector.HeldBytes < 1 << 20, $"{inspector.HeldBytes} bytes are held at {at}");
            at += length;
        }

        return inspector.Complete();
    }

    public static void AssertSame(ImageInspection file, ImageInspection stream, string how)
    {
        var (expected, actual) = (ToJson(file), ToJson(stream));
        Assert.True(expected == actual, $"The stream in {how} differs from the file:\n{expected}\n---\n{actual}");
    }

    /// <summary>All that was found, as text, without what a stream cannot know.</summary>
    public static string ToJson(ImageInspection inspection)
    {
        var allocated = inspection.AllocatedSize;
        inspection.AllocatedSize = null;
        var json = JsonSerializer.Serialize(inspection, s_json);
        inspection.AllocatedSize = allocated;
        return json;
    }

    /// <summary>Details as text, with those inside them.</summary>
    public static string ToJson(FormatDetails? details) => JsonSerializer.Serialize(details, s_json);

    private sealed class DetailsConverter : JsonConverter<FormatDetails>
    {
        public override bool CanConvert(Type typeToConvert) => typeToConvert == typeof(FormatDetails);

        public override FormatDetails Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            throw new NotSupportedException();

        public override void Write(Utf8JsonWriter writer, FormatDetails value, JsonSerializerOptions options) =>
            JsonSerializer.Serialize(writer, value, value.GetType(), options);
    }
}
