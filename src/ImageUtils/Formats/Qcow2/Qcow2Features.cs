namespace ImageUtils.Formats.Qcow2;

/// <summary>Features that a reader must know. QEMU, docs/interop/qcow2.rst, bytes 72-79 of the header.</summary>
[Flags]
internal enum Qcow2IncompatibleFeatures : ulong
{
    None = 0,
    Dirty = 1 << 0,
    Corrupt = 1 << 1,
    ExternalDataFile = 1 << 2,
    CompressionType = 1 << 3,
    ExtendedL2 = 1 << 4,
}

/// <summary>Features that a reader may ignore; bytes 80-87.</summary>
[Flags]
internal enum Qcow2CompatibleFeatures : ulong
{
    None = 0,
    LazyRefcounts = 1 << 0,
}

/// <summary>Features that a writer who does not know them must clear; bytes 88-95.</summary>
[Flags]
internal enum Qcow2AutoclearFeatures : ulong
{
    None = 0,
    Bitmaps = 1 << 0,
    RawExternalData = 1 << 1,
}

/// <summary>The features' names, as in the feature name table that qemu writes.</summary>
internal static class Qcow2FeatureNames
{
    private static readonly string[] s_incompatible =
        ["dirty bit", "corrupt bit", "external data file", "compression type", "extended L2 entries"];

    private static readonly string[] s_compatible = ["lazy refcounts"];

    private static readonly string[] s_autoclear = ["bitmaps", "raw external data"];

    internal static IReadOnlyList<string> Of(Qcow2Header header)
    {
        if (header is
            {
                IncompatibleFeatures: Qcow2IncompatibleFeatures.None,
                CompatibleFeatures: Qcow2CompatibleFeatures.None,
                AutoclearFeatures: Qcow2AutoclearFeatures.None,
            })
        {
            return [];
        }

        return
        [
            .. Name((ulong)header.IncompatibleFeatures, s_incompatible, "incompatible"),
            .. Name((ulong)header.CompatibleFeatures, s_compatible, "compatible"),
            .. Name((ulong)header.AutoclearFeatures, s_autoclear, "autoclear"),
        ];
    }

    /// <summary>The known features: kind (0 incompatible, 1 compatible, 2 autoclear), bit and name.</summary>
    internal static IEnumerable<(byte Kind, byte Bit, string Name)> All =>
        new[] { s_incompatible, s_compatible, s_autoclear }
            .SelectMany((names, kind) => names.Select((name, bit) => ((byte)kind, (byte)bit, name)));

    private static IEnumerable<string> Name(ulong bits, string[] names, string kind)
    {
        for (var bit = 0; bit < 64; bit++)
        {
            if ((bits >> bit & 1) != 0)
            {
                yield return bit < names.Length ? names[bit] : $"{kind} bit {bit}";
            }
        }
    }
}
