using System.Globalization;
using ImageUtils.Formats.Qcow2;
using ImageUtils.Inspection;

namespace ImageUtils.Qemu;

/// <summary>Makes typed details of what qemu-img says under <c>format-specific</c>.</summary>
/// <remarks>QEMU, qapi/block-core.json, <c>ImageInfoSpecific</c>.</remarks>
internal static class QemuFormatSpecific
{
    /// <param name="type">qemu's name for the kind of data.</param>
    /// <param name="data">The fields by qemu's names, values as in <see cref="QemuFormatDetails.Data"/>.</param>
    /// <param name="notes">Receives fields that the type made of them has no property for.</param>
    internal static FormatDetails Build(string type, Dictionary<string, object?> data, List<string> notes)
    {
        FormatDetails? details = type switch
        {
            "qcow2" => TryBuildQcow2(data, notes),
            "luks" => QemuLuksSpecific.TryBuild(data, notes),
            "vmdk" => QemuVmdkSpecific.TryBuild(data, notes),
            _ => null,
        };
        return details ?? new QemuFormatDetails { Type = type, Data = data };
    }

    /// <summary>A value as qemu-img prints it in its human text.</summary>
    internal static string ToText(object? value) => value switch
    {
        null => "null",
        true => "true",
        false => "false",
        IReadOnlyDictionary<string, object?> fields =>
            $"{{{string.Join(", ", fields.Select(field => $"{field.Key}: {ToText(field.Value)}"))}}}",
        IReadOnlyList<object?> items => $"[{string.Join(", ", items.Select(ToText))}]",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    // Null where a field is missing or of another kind than expected: then nothing is known of the others either.
    private static Qcow2Details? TryBuildQcow2(Dictionary<string, object?> data, List<string> notes)
    {
        var rest = new Dictionary<string, object?>(data);
        if (!rest.Remove("compat", out var compat) || compat is null
            || !TryTake<long>(rest, "refcount-bits", out var refcountBits) || refcountBits is < 0 or > 64
            || !TryTake<bool?>(rest, "lazy-refcounts", out var lazyRefcounts)
            || !TryTake<bool?>(rest, "corrupt", out var corrupt)
            || !TryTake<bool?>(rest, "extended-l2", out var extendedL2)
            || !TryTake<bool?>(rest, "data-file-raw", out var dataFileRaw)
            || !TryTakeBitmaps(rest, out var bitmaps)
            || !TryTakeEncryption(rest, out var encryptionFormat, out var encryption, out var encryptionNotes))
        {
            return null;
        }

        var details = new Qcow2Details
        {
            Compat = ToText(compat),
            CompressionType = TakeText(rest, "compression-type"),
            // Before qemu 2.3 there was no other width, and no word of it.
            RefcountBits = refcountBits == 0 ? 16 : (int)refcountBits,
            LazyRefcounts = lazyRefcounts,
            Corrupt = corrupt,
            ExtendedL2 = extendedL2,
            DataFile = TakeText(rest, "data-file"),
            DataFileRaw = dataFileRaw,
            EncryptionFormat = encryptionFormat,
            Encryption = encryption,
            Bitmaps = bitmaps,
        };
        AddRest(notes, rest);
        notes.AddRange(encryptionNotes);
        return details;
    }

    private static bool TryTakeBitmaps(Dictionary<string, object?> data, out List<Qcow2Bitmap> bitmaps)
    {
        bitmaps = [];
        if (!data.Remove("bitmaps", out var value))
        {
            return true;
        }

        if (value is not List<object?> list)
        {
            return false;
        }

        foreach (var item in list)
        {
            if (item is not Dictionary<string, object?> fields
                || !fields.TryGetValue("name", out var name)
                || !fields.TryGetValue("granularity", out var granularity) || granularity is not long
                || !TryTake<List<object?>?>(new(fields), "flags", out var flags))
            {
                return false;
            }

            bitmaps.Add(new Qcow2Bitmap(
                ToText(name), (long)granularity, flags?.Contains("in-use") == true, flags?.Contains("auto") == true));
        }

        return true;
    }

    private static bool TryTakeEncryption(
        Dictionary<string, object?> data, out string? format, out FormatDetails? header, out List<string> notes)
    {
        (format, header, notes) = (null, null, []);
        if (!data.Remove("encrypt", out var value))
        {
            return true;
        }

        if (value is not Dictionary<string, object?> fields)
        {
            return false;
        }

        var rest = new Dictionary<string, object?>(fields);
        format = TakeText(rest, "format");
        header = rest.Count == 0 ? null : Build(format ?? "", rest, notes);
        return format is not null;
    }

    /// <summary>Makes notes of the fields that nothing was made of.</summary>
    internal static void AddRest(List<string> notes, Dictionary<string, object?> rest) =>
        notes.AddRange(rest.Select(field => $"format-specific {field.Key}: {ToText(field.Value)}"));

    /// <summary>Takes a field out; false where it is there and of another kind.</summary>
    internal static bool TryTake<T>(Dictionary<string, object?> data, string name, out T? value)
    {
        value = default;
        if (!data.Remove(name, out var found))
        {
            return true;
        }

        if (found is not T typed)
        {
            return false;
        }

        value = typed;
        return true;
    }

    /// <summary>Takes a field out as text; null where it is missing.</summary>
    internal static string? TakeText(Dictionary<string, object?> data, string name) =>
        data.Remove(name, out var value) && value is not null ? ToText(value) : null;
}
