namespace ImageUtils.Formats.Iso;

/// <summary>What the volume descriptors from sector 16 on say: those of ISO 9660, of UDF, or of both.</summary>
/// <remarks>
/// ECMA-119, section 8.1 (volume descriptors), and ECMA-167, part 2, section 9.1 (volume structure descriptors). Each
/// takes a sector of 2,048 bytes.
/// <code>
///   0  1  type: ISO 9660: 0 boot record, 1 primary, 2 supplementary, 255 end; UDF: 0
///   1  5  identifier: CD001; BEA01, NSR02, NSR03, TEA01, BOOT2, CDW02
///   6  1  version
///   7 32  ISO 9660 boot record: boot system identifier
///  88 32  ISO 9660 supplementary: escape sequences (%/@, %/C, %/E: Joliet)
/// </code>
/// </remarks>
internal sealed class VolumeDescriptors
{
    internal const int Offset = 32768;
    internal const int SectorSize = 2048;

    /// <summary>How many sectors are looked at; they end with the part of the image that can be read again.</summary>
    internal const int MaximumCount = 16;

    internal bool IsIso9660 { get; private set; }

    /// <summary>Where the primary volume descriptor lies, in bytes from the first descriptor.</summary>
    internal int? PrimaryAt { get; private set; }

    internal bool IsBootable { get; private set; }

    internal bool IsJoliet { get; private set; }

    /// <summary>NSR02 or NSR03; null without UDF.</summary>
    internal string? UdfDescriptor { get; private set; }

    /// <summary>Whether a sector begins with an identifier that a disc's first descriptor may have.</summary>
    internal static bool IsFirst(ReadOnlySpan<byte> sector) =>
        HasIdentifier(sector, "CD001"u8) || IsUdf(sector) || IsUdfExtension(sector);

    /// <summary>Whether the sector says that there is a UDF volume.</summary>
    internal static bool IsUdf(ReadOnlySpan<byte> sector) =>
        HasIdentifier(sector, "NSR02"u8) || HasIdentifier(sector, "NSR03"u8);

    /// <summary>Whether the sector belongs to the sequence that announces a UDF volume, without being that.</summary>
    internal static bool IsUdfExtension(ReadOnlySpan<byte> sector) =>
        HasIdentifier(sector, "BEA01"u8) || HasIdentifier(sector, "BOOT2"u8) || HasIdentifier(sector, "CDW02"u8);

    /// <param name="area">From <see cref="Offset"/> on, up to <see cref="MaximumCount"/> sectors.</param>
    internal static VolumeDescriptors Parse(ReadOnlySpan<byte> area)
    {
        var descriptors = new VolumeDescriptors();
        for (var at = 0; at + SectorSize <= area.Length; at += SectorSize)
        {
            var sector = area.Slice(at, SectorSize);
            if (HasIdentifier(sector, "CD001"u8))
            {
                descriptors.IsIso9660 = true;
                descriptors.AddIso9660(sector, at);
            }
            else if (IsUdf(sector))
            {
                descriptors.UdfDescriptor ??= sector[5] == '2' ? "NSR02" : "NSR03";
            }
        }

        return descriptors;
    }

    private static bool HasIdentifier(ReadOnlySpan<byte> sector, ReadOnlySpan<byte> identifier) =>
        sector.Length >= 6 && sector[1..6].SequenceEqual(identifier);

    private void AddIso9660(ReadOnlySpan<byte> sector, int at)
    {
        switch (sector[0])
        {
            case 0:
                IsBootable |= sector[7..].StartsWith("EL TORITO SPECIFICATION"u8);
                break;
            case 1:
                PrimaryAt ??= at;
                break;
            case 2:
                var escape = sector.Slice(88, 3);
                IsJoliet |= escape.SequenceEqual("%/@"u8) || escape.SequenceEqual("%/C"u8)
                    || escape.SequenceEqual("%/E"u8);
                break;
        }
    }
}
