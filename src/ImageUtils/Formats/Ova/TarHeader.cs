using System.Text;

namespace ImageUtils.Formats.Ova;

/// <summary>The header of an entry of a tar archive.</summary>
/// <remarks>
/// POSIX.1-2017, pax, "ustar Interchange Format". Numbers are octal digits in ASCII.
/// <code>
///   0 100  name                           156   1  typeflag
/// 124  12  size                           257   6  magic "ustar"
/// 148   8  chksum                         345 155  prefix
/// </code>
/// </remarks>
/// <param name="Name">The entry's name, with its prefix where the header is POSIX's own.</param>
/// <param name="Size">The length of its data in bytes, padded to 512 in the archive; null: no number.</param>
/// <param name="Type">What the entry is: '0' or NUL a file, '1' and '2' links…</param>
internal sealed record TarHeader(string Name, long? Size, char Type)
{
    internal const int Length = 512;

    /// <summary>Reads a header; null where magic or checksum do not hold.</summary>
    internal static TarHeader? Parse(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < Length || !bytes[257..].StartsWith("ustar"u8))
        {
            return null;
        }

        // The checksum is made with its own field full of spaces.
        var sum = 8L * ' ';
        for (var at = 0; at < Length; at++)
        {
            sum += at is >= 148 and < 156 ? 0 : bytes[at];
        }

        if (ParseOctal(bytes.Slice(148, 8)) != sum)
        {
            return null;
        }

        // GNU's own header, "ustar  ", has other fields where the prefix would be.
        var prefix = bytes[262] == 0 ? Text(bytes.Slice(345, 155)) : "";
        var name = Text(bytes[..100]);
        return new TarHeader(
            prefix.Length == 0 ? name : $"{prefix}/{name}", ParseOctal(bytes.Slice(124, 12)), (char)bytes[156]);
    }

    private static string Text(ReadOnlySpan<byte> field)
    {
        var end = field.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? field : field[..end]);
    }

    private static long? ParseOctal(ReadOnlySpan<byte> field)
    {
        var digits = field.Trim(" \0"u8);
        long value = 0;
        foreach (var digit in digits)
        {
            if (digit is < (byte)'0' or > (byte)'7')
            {
                return null;
            }

            value = value * 8 + (digit - '0');
        }

        return digits.IsEmpty ? null : value;
    }
}
