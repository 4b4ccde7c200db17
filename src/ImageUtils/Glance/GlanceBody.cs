using System.Buffers;
using System.Net.Http.Headers;
using System.Text.Json;

namespace ImageUtils.Glance;

/// <summary>Bodies of requests.</summary>
internal static class GlanceBody
{
    internal const string Json = "application/json";

    internal static byte[] Write(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            write(json);
        }

        return buffer.WrittenSpan.ToArray();
    }

    internal static void WriteList(Utf8JsonWriter json, string name, IEnumerable<string> values)
    {
        json.WriteStartArray(name);
        foreach (var value in values)
        {
            json.WriteStringValue(value);
        }

        json.WriteEndArray();
    }

    internal static Func<HttpContent> ToContent(byte[] body, string mediaType) => () =>
        new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue(mediaType) } };
}
