using System.Buffers.Binary;
using System.Text;

namespace ImageUtils.Formats.Wrappers;

/// <summary>How a compressed file or archive begins, and what its header says of its content's name.</summary>
/// <param name="Format">Which one it is.</param>
/// <param name="Matches">Whether the first bytes are such a header.</param>
/// <param name="FindName">The name of the file inside, or of the first one; null where the header has none.</param>
/// <remarks>
/// <code>
/// gzip   RFC 1952, 2.3      1f 8b 08; 3 1 flags (4 extra, 8 name); 10: extra (2-byte length), name (NUL at its end)
/// xz     .xz format, 2.1.1  fd 37 7a 58 5a 00
/// bzip2  bzip2's decompress.c  "BZh", '1' to '9', then the magic of a block (pi) or of the end (its square root)
/// zstd   RFC 8878, 3.1      28 b5 2f fd; skippable frames of 5x 2a 4d 18 and a 4-byte length may come first
/// zip    APPNOTE.TXT, 4.3   "PK" 3 4 (file: 26 2 length of the name at 30), "PK" 5 6 (empty), "PK" 7 8 (split)
/// lha    LHa for UNIX, header.doc.md  2 5 method; 20 1 level; levels 0, 1: 0 1 length, 1 1 sum of what follows,
///        21 1 length of the name at 22; level 2: 0 2 length; level 3: 0 2 word size (4), 24 4 length
/// </code>
/// </remarks>
internal sealed record WrapperSignature(
    ImageFormat Format, Func<ReadOnlySpan<byte>, bool> Matches, Func<ReadOnlySpan<byte>, string?> FindName)
{
    /// <summary>How many bytes from the start are looked at.</summary>
    internal const int Length = 512;

    /// <summary>What the first byte can be; empty: any.</summary>
    internal ReadOnlySpan<byte> FirstBytes => Format switch
    {
        ImageFormat.Gzip => [0x1F],
        ImageFormat.Xz => [0xFD],
        ImageFormat.Bzip2 => "B"u8,
        ImageFormat.Zip => "P"u8,
        _ => [],
    };

    internal static WrapperSignature Gzip { get; } = new(
        ImageFormat.Gzip, bytes => bytes.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B, 8]), FindGzipName);

    internal static WrapperSignature Xz { get; } = new(
        ImageFormat.Xz, bytes => bytes.StartsWith((ReadOnlySpan<byte>)[0xFD, 0x37, 0x7A, 0x58, 0x5A, 0]), _ => null);

    internal static WrapperSignature Bzip2 { get; } = new(ImageFormat.Bzip2, IsBzip2, _ => null);

    internal static WrapperSignature Zstd { get; } = new(ImageFormat.Zstd, IsZstdFrame, _ => null);

    internal static WrapperSignature Zip { get; } = new(ImageFormat.Zip, IsZip, FindZipName);

    internal static WrapperSignature Lha { get; } = new(ImageFormat.Lha, IsLha, FindLhaName);

    internal static bool IsZstdFrame(ReadOnlySpan<byte> bytes) =>
        bytes.Length >= 4 && BinaryPrimitives.ReadUInt32LittleEndian(bytes) == 0xFD2FB528;

    /// <summary>The length of a skippable Zstandard frame, header and all; null where there is none.</summary>
    internal static long? FindSkippableLength(ReadOnlySpan<byte> bytes) =>
        bytes.Length >= 8 && (BinaryPrimitives.ReadUInt32LittleEndian(bytes) & 0xFFFF_FFF0) == 0x184D_2A50
            ? 8 + (long)BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..])
            : null;

    private static bool IsBzip2(ReadOnlySpan<byte> bytes) =>
        bytes.StartsWith("BZh"u8) && bytes.Length >= 10 && bytes[3] is >= (byte)'1' and <= (byte)'9'
        && (bytes[4..10].SequenceEqual((ReadOnlySpan<byte>)[0x31, 0x41, 0x59, 0x26, 0x53, 0x59])
            || bytes[4..10].SequenceEqual((ReadOnlySpan<byte>)[0x17, 0x72, 0x45, 0x38, 0x50, 0x90]));

    private static bool IsZip(ReadOnlySpan<byte> bytes) =>
        bytes.StartsWith("PK\x3\x4"u8) || bytes.StartsWith("PK\x5\x6"u8) || bytes.StartsWith("PK\x7\x8"u8);

    private static string? FindGzipName(ReadOnlySpan<byte> bytes)
    {
        const int HeaderLength = 10;
        const int ExtraFlag = 4;
        const int NameFlag = 8;
        if (bytes.Length < HeaderLength + 2 || (bytes[3] & NameFlag) == 0)
        {
            return null;
        }

        var at = HeaderLength
            + ((bytes[3] & ExtraFlag) != 0 ? 2 + BinaryPrimitives.ReadUInt16LittleEndian(bytes[HeaderLength..]) : 0);
        var name = at < bytes.Length ? bytes[at..] : default;
        var end = name.IndexOf((byte)0);
        return end > 0 ? Encoding.Latin1.GetString(name[..end]) : null;
    }

    private static string? FindZipName(ReadOnlySpan<byte> bytes)
    {
        const int HeaderLength = 30;
        if (bytes.Length < HeaderLength || bytes[2] != 3)
        {
            return null;
        }

        var length = BinaryPrimitives.ReadUInt16LittleEndian(bytes[26..]);
        return length > 0 && length <= bytes.Length - HeaderLength
            ? Encoding.UTF8.GetString(bytes.Slice(HeaderLength, length))
            : null;
    }

    private static bool IsLha(ReadOnlySpan<byte> bytes)
    {
        const int LevelOffset = 20;
        const int ShortestLevel0 = 22;
        const int ShortestLevel2 = 26;
        const int ShortestLevel3 = 32;
        if (bytes.Length <= ShortestLevel0 || bytes[2] != '-' || bytes[6] != '-'
            || !(bytes[3..5].SequenceEqual("lh"u8) || bytes[3..5].SequenceEqual("lz"u8)
                || bytes[3..5].SequenceEqual("pm"u8))
            || !char.IsAsciiLetterOrDigit((char)bytes[5]))
        {
            return false;
        }

        switch (bytes[LevelOffset])
        {
            case 0 or 1:
                // The length does not count itself and the checksum; the name must fit.
                var end = 2 + bytes[0];
                return end <= bytes.Length && ShortestLevel0 + bytes[21] <= end && Sum(bytes[2..end]) == bytes[1];
            case 2:
                return BinaryPrimitives.ReadUInt16LittleEndian(bytes) >= ShortestLevel2;
            case 3:
                return bytes.Length >= ShortestLevel3 && BinaryPrimitives.ReadUInt16LittleEndian(bytes) == 4
                    && BinaryPrimitives.ReadUInt32LittleEndian(bytes[24..]) >= ShortestLevel3;
            default:
                return false;
        }
    }

    private static byte Sum(ReadOnlySpan<byte> bytes)
    {
        byte sum = 0;
        foreach (var value in bytes)
        {
            sum += value;
        }

        return sum;
    }

    private static string? FindLhaName(ReadOnlySpan<byte> bytes) =>
        bytes[20] is 0 or 1 && bytes[21] > 0 ? Encoding.Latin1.GetString(bytes.Slice(22, bytes[21])) : null;
}
