using System.Buffers.Binary;
using ImageUtils.Formats.Vhd;
using ImageUtils.IO;

namespace ImageUtils.VhdChains;

/// <summary>The map of blocks all of whose sectors are there, which tapdisk keeps behind a disk's table.</summary>
/// <remarks>
/// blktap, include/vhd.h, "struct dd_batmap_hdr", and vhd/lib/libvhd.c. Integers are big-endian. The header lies in the
/// first sector behind the table.
/// <code>
///   0  8  cookie "tdbatmap"               20  4  version, 0x00010001 or 0x00010002
///   8  8  offset of the map               24  4  checksum
///  16  4  the map's sectors               28     marker, key's nonce and hash, reserved, to 512
/// </code>
/// </remarks>
/// <param name="HeaderOffset">Where the header is.</param>
/// <param name="HeaderBytes">The header's sector.</param>
/// <param name="Offset">Where the map is.</param>
/// <param name="Map">The map: a bit for each block, a byte's most significant first.</param>
internal sealed record VhdBatmap(long HeaderOffset, byte[] HeaderBytes, long Offset, byte[] Map)
{
    internal const int HeaderLength = VhdFooter.SectorSize;

    private const int ChecksumOffset = 24;
    private const long GreatestLength = 1 << 20;
    private const uint Version11 = 0x0001_0001;

    // The checksum's length is made of the size as if all blocks had 2 MiB, eight for a byte.
    private const int BytesShift = 24;

    internal static ReadOnlySpan<byte> Cookie => "tdbatmap"u8;

    /// <summary>Where the map ends.</summary>
    internal long End => Offset + Map.Length;

    /// <summary>What the map of so many blocks takes up.</summary>
    internal static long LengthFor(long blocks) => Math.Max((blocks + 8 * 512 - 1) / (8 * 512), 1) * 512;

    /// <returns>Null where there is none.</returns>
    internal static async ValueTask<VhdBatmap?> ReadAsync(
        FileByteSource source, VhdFooter footer, VhdDynamicHeader header, CancellationToken cancellationToken)
    {
        if (!VhdFooter.Text(footer.CreatorApplication).StartsWith("tap", StringComparison.Ordinal))
        {
            return null;
        }

        var at = ((long)header.TableOffset + header.TableLength + 511) / 512 * 512;
        var bytes = new byte[HeaderLength];
        if (await source.ReadAsync(at, bytes, cancellationToken).ConfigureAwait(false) < bytes.Length
            || !bytes.AsSpan().StartsWith(Cookie))
        {
            return null;
        }

        var offset = BinaryPrimitives.ReadUInt64BigEndian(bytes.AsSpan(8));
        var length = BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(16)) * 512L;
        if (length > GreatestLength || offset < VhdFooter.Length
            || offset > (ulong)(source.Length - length))
        {
            return null;
        }

        var map = new byte[length];
        await VhdReader.ReadWholeAsync(source, (long)offset, map, "batmap", cancellationToken).ConfigureAwait(false);
        return new VhdBatmap(at, bytes, (long)offset, map);
    }

    /// <summary>The same map for more blocks at another place; the map follows its header.</summary>
    internal VhdBatmap MoveTo(long hostOffset, long blocks, long size)
    {
        var map = new byte[Math.Max(LengthFor(blocks), Map.Length)];
        Map.CopyTo(map, 0);
        var header = HeaderBytes.AsSpan().ToArray();
        BinaryPrimitives.WriteInt64BigEndian(header.AsSpan(8), hostOffset + HeaderLength);
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(16), (uint)(map.Length / 512));
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(ChecksumOffset), Checksum(header, map, size));
        return new VhdBatmap(hostOffset, header, hostOffset + HeaderLength, map);
    }

    private static uint Checksum(ReadOnlySpan<byte> header, ReadOnlySpan<byte> map, long size)
    {
        var isSigned = BinaryPrimitives.ReadUInt32BigEndian(header[20..]) == Version11;
        var length = Math.Max(((size >> BytesShift) + 511) / 512, 1) * 512;
        var sum = 0u;
        foreach (var value in map[..(int)Math.Min(length, map.Length)])
        {
            sum += isSigned ? (uint)(sbyte)value : value;
        }

        return ~sum;
    }
}
