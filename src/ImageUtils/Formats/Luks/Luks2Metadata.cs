using System.Text.Json;
using ImageUtils.Encryption;
using ImageUtils.Errors;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Luks;

/// <summary>The JSON metadata of a LUKS volume, version 2, as far as it is needed to open it.</summary>
/// <remarks>
/// LUKS2 On-Disk Format Specification 1.1.1, section 3, "JSON area". Numbers of 64 bits are texts, binary data is
/// Base64.
/// <code>
/// keyslots  { "0": { type, key_size, af: { type, stripes, hash }, area: { type, offset, size, encryption, key_size },
///                    kdf: { type, salt, hash, iterations | time, memory, cpus } } }
/// segments  { "0": { type, offset, size ("dynamic": to the end), iv_tweak, encryption, sector_size } }
/// digests   { "0": { type, keyslots: ["0"], segments: ["0"], hash, iterations, salt, digest } }
/// config    { json_size, keyslots_size, requirements }
/// </code>
/// </remarks>
internal sealed record Luks2Metadata
{
    // The specification allows 32 key slots; the other objects are fewer.
    private const int MaximumObjects = 64;

    public required IReadOnlyList<LuksSlot> Slots { get; init; }

    /// <summary>The end of each slot's area, in bytes, in the order of <see cref="Slots"/>.</summary>
    public required IReadOnlyList<long> AreaEnds { get; init; }

    /// <summary>The encrypted data; null where the volume has none, or is in the middle of re-encryption.</summary>
    public required LuksSegment? Segment { get; init; }

    /// <summary>The digest of the data's key.</summary>
    public required LuksDigest? Digest { get; init; }

    public required long JsonSize { get; init; }

    public required long KeyslotsSize { get; init; }

    /// <summary>Reads the metadata.</summary>
    /// <param name="area">The JSON text, up to the NUL that ends it.</param>
    /// <exception cref="ImageFormatException">It is not JSON, or a field is missing or of another kind.</exception>
    internal static Luks2Metadata Parse(ReadOnlyMemory<byte> area)
    {
        try
        {
            using var document = JsonDocument.Parse(area);
            return Parse(document.RootElement);
        }
        catch (Exception exception) when (exception
            is JsonException or KeyNotFoundException or FormatException or InvalidOperationException
                or OverflowException)
        {
            throw new ImageFormatException(
                CheckNames.Tables,
                $"The LUKS2 metadata at byte {Luks2Header.Length} is not as it should be: "
                + Inspection.Printable.Text(exception.Message));
        }
    }

    private static Luks2Metadata Parse(JsonElement root)
    {
        var segments = Objects(root, "segments");
        var segment = segments.Count == 1 && Text(segments[0].Value, "type") == "crypt"
            ? ParseSegment(segments[0].Value)
            : null;
        var digests = Objects(root, "digests");
        var slots = new List<(LuksSlot Slot, long AreaEnd)>();
        foreach (var slot in Objects(root, "keyslots").Where(slot => Text(slot.Value, "type") == "luks2"))
        {
            slots.Add(ParseSlot(slot, FindDigest(digest => Names(digest, "keyslots", slot.Name))));
        }

        slots.Sort((left, right) => left.Slot.Offset.CompareTo(right.Slot.Offset));
        var config = root.GetProperty("config");
        return new Luks2Metadata
        {
            Slots = [.. slots.Select(slot => slot.Slot)],
            AreaEnds = [.. slots.Select(slot => slot.AreaEnd)],
            Segment = segment,
            Digest = FindDigest(_ => true),
            JsonSize = Number(config, "json_size"),
            KeyslotsSize = Number(config, "keyslots_size"),
        };

        // The digest of the segment's key, where there is one that is of the slot too.
        LuksDigest? FindDigest(Predicate<JsonElement> isOfSlot)
        {
            var found = segment is null
                ? default
                : digests.Find(digest => Names(digest.Value, "segments", segments[0].Name) && isOfSlot(digest.Value));
            return found.Value.ValueKind == JsonValueKind.Object ? ParseDigest(found.Value) : null;
        }
    }

    private static LuksSegment ParseSegment(JsonElement segment) => new(
        Number(segment, "offset"),
        Text(segment, "size") == "dynamic" ? null : Number(segment, "size"),
        SectorCipherName.Parse(Text(segment, "encryption")),
        (int)Number(segment, "sector_size", int.MaxValue),
        (ulong)Number(segment, "iv_tweak"));

    private static (LuksSlot Slot, long AreaEnd) ParseSlot(JsonProperty property, LuksDigest? digest)
    {
        var slot = property.Value;
        var (split, area, kdf) = (slot.GetProperty("af"), slot.GetProperty("area"), slot.GetProperty("kdf"));
        var isPbkdf2 = Text(kdf, "type") == "pbkdf2";
        var parsed = new LuksSlot
        {
            Name = Inspection.Printable.Text(property.Name),
            Offset = Number(area, "offset"),
            Stripes = (int)Number(split, "stripes", LuksSafetyChecks.MaximumStripes),
            SplitHash = Text(split, "hash"),
            KeyLength = (int)Number(slot, "key_size", LuksSafetyChecks.MaximumKeyLength),
            AreaCipher = SectorCipherName.Parse(Text(area, "encryption")),
            AreaKeyLength = (int)Number(area, "key_size", LuksSafetyChecks.MaximumKeyLength),
            Kdf = new LuksKdf(
                Text(kdf, "type"),
                isPbkdf2 ? Text(kdf, "hash") : "",
                Number(kdf, isPbkdf2 ? "iterations" : "time"),
                isPbkdf2 ? 0 : Number(kdf, "memory"),
                isPbkdf2 ? 0 : Number(kdf, "cpus"),
                kdf.GetProperty("salt").GetBytesFromBase64()),
            Digest = digest,
        };
        var size = Number(area, "size");
        if (parsed.KeyLength == 0 || parsed.AreaKeyLength == 0 || parsed.Stripes == 0 || parsed.Kdf.Iterations == 0
            || size < parsed.KeyLength * (long)parsed.Stripes)
        {
            throw new FormatException(
                $"key slot {property.Name} has an area of {size} bytes for {parsed.Stripes} stripes of "
                    + $"{parsed.KeyLength} bytes, made with {parsed.Kdf.Iterations} iterations.");
        }

        return (parsed, parsed.Offset > long.MaxValue - size ? long.MaxValue : parsed.Offset + size);
    }

    private static LuksDigest ParseDigest(JsonElement digest)
    {
        var parsed = new LuksDigest(
            Text(digest, "hash"),
            Number(digest, "iterations"),
            digest.GetProperty("salt").GetBytesFromBase64(),
            digest.GetProperty("digest").GetBytesFromBase64());
        return Text(digest, "type") == "pbkdf2" && parsed.Iterations > 0
            && parsed.Digest.Length is >= LuksSafetyChecks.MinimumDigestLength
                and <= LuksSafetyChecks.MaximumDigestLength
                ? parsed
                : throw new FormatException(
                    $"a digest of type {Text(digest, "type")} has {parsed.Digest.Length} bytes and {parsed.Iterations} "
                    + "iterations.");
    }

    private static List<JsonProperty> Objects(JsonElement root, string name)
    {
        var objects = root.GetProperty(name).EnumerateObject().ToList();
        return objects.Count <= MaximumObjects
            ? objects
            : throw new FormatException($"{name} has {objects.Count} objects; {MaximumObjects} are the most that is "
                + "accepted.");
    }

    private static bool Names(JsonElement element, string array, string name) =>
        element.GetProperty(array).EnumerateArray().Any(item => item.ValueEquals(name));

    private static string Text(JsonElement element, string name) =>
        element.GetProperty(name).GetString() ?? throw new FormatException($"{name} is null.");

    private static long Number(JsonElement element, string name, long maximum = long.MaxValue)
    {
        var property = element.GetProperty(name);
        var number = property.ValueKind == JsonValueKind.String
            ? long.Parse(property.GetString()!)
            : property.GetInt64();
        return number >= 0 && number <= maximum
            ? number
            : throw new FormatException($"{name} is {number}; 0 to {maximum} is possible.");
    }
}
