using System.Buffers.Binary;
using System.Text;

namespace ImageUtils.Formats.Vhdx;

/// <summary>The metadata item that names a differencing disk's parent.</summary>
/// <remarks>
/// MS-VHDX, section 2.6.2.6, "Parent Locator". Little-endian.
/// <code>
///   0 16  locator type                    18  2  key value count
///  16  2  reserved
///  20     entries of 12 bytes:  0 4 key offset, 4 4 value offset, 8 2 key length, 10 2 value length;
///         offsets are from the item's start, strings are UTF-16LE
/// </code>
/// </remarks>
internal sealed record VhdxParentLocator(Guid LocatorType, IReadOnlyList<KeyValuePair<string, string>> Entries)
{
    private const int HeaderLength = 20;
    private const int EntryLength = 12;

    /// <summary>
    /// The keys whose values are paths, in the order in which a reader tries them (section 2.6.2.6.3).
    /// </summary>
    internal static readonly string[] PathKeys = [RelativePath, "volume_path", "absolute_win32_path"];

    /// <summary>The only of them whose value is no absolute path of Windows.</summary>
    internal const string RelativePath = "relative_path";

    private const string Linkage = "parent_linkage";

    // Beside the parent's identity as it was, the one that it had when a merge was interrupted.
    private const string OtherLinkage = "parent_linkage2";

    /// <summary>The data write guids of which the parent has one.</summary>
    internal static IReadOnlyList<Guid> LinkagesOf(IReadOnlyList<KeyValuePair<string, string>> entries) =>
    [
        .. entries.Where(entry => entry.Key is Linkage or OtherLinkage)
            .Select(entry => Guid.TryParse(entry.Value, out var id) ? id : Guid.Empty)
            .Where(id => id != Guid.Empty),
    ];

    /// <summary>The length of the locator when it is written, in bytes.</summary>
    internal int Length => HeaderLength
        + Entries.Sum(entry => EntryLength + (entry.Key.Length + entry.Value.Length) * sizeof(char));

    /// <summary>A locator of a parent by a path that is relative to the disk's directory.</summary>
    /// <param name="path">The path, with backslashes.</param>
    /// <param name="dataWriteGuid">The parent's.</param>
    internal static VhdxParentLocator Relative(string path, Guid dataWriteGuid) => new(
        VhdxIds.VhdxParentLocatorType,
        [
            new("parent_linkage", dataWriteGuid.ToString("B")),
            new("relative_path", path[0] == '.' ? path : @".\" + path),
        ]);

    /// <summary>Reads a locator; null where it is not whole and sound.</summary>
    internal static VhdxParentLocator? Parse(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < HeaderLength)
        {
            return null;
        }

        var count = BinaryPrimitives.ReadUInt16LittleEndian(bytes[18..]);
        if (count > (bytes.Length - HeaderLength) / EntryLength)
        {
            return null;
        }

        // Strings that share their bytes would be much longer together than the item.
        var stringsLength = 0L;
        var entries = new KeyValuePair<string, string>[count];
        for (var index = 0; index < count; index++)
        {
            var entry = bytes.Slice(HeaderLength + index * EntryLength, EntryLength);
            var key = Text(bytes, BinaryPrimitives.ReadUInt32LittleEndian(entry), entry[8..]);
            var value = Text(bytes, BinaryPrimitives.ReadUInt32LittleEndian(entry[4..]), entry[10..]);
            stringsLength += BinaryPrimitives.ReadUInt16LittleEndian(entry[8..])
                + BinaryPrimitives.ReadUInt16LittleEndian(entry[10..]);
            if (key is null || value is null || stringsLength > bytes.Length)
            {
                return null;
            }

            entries[index] = new KeyValuePair<string, string>(key, value);
        }

        return new VhdxParentLocator(new Guid(bytes[..16]), entries);
    }

    /// <summary>Writes the locator and returns its length; the bytes must have room for it.</summary>
    internal int Write(Span<byte> bytes)
    {
        LocatorType.TryWriteBytes(bytes);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[16..], 0);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[18..], (ushort)Entries.Count);
        var at = HeaderLength + Entries.Count * EntryLength;
        for (var index = 0; index < Entries.Count; index++)
        {
            var entry = bytes.Slice(HeaderLength + index * EntryLength, EntryLength);
            var keyLength = Encoding.Unicode.GetBytes(Entries[index].Key, bytes[at..]);
            var valueLength = Encoding.Unicode.GetBytes(Entries[index].Value, bytes[(at + keyLength)..]);
            BinaryPrimitives.WriteUInt32LittleEndian(entry, (uint)at);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[4..], (uint)(at + keyLength));
            BinaryPrimitives.WriteUInt16LittleEndian(entry[8..], (ushort)keyLength);
            BinaryPrimitives.WriteUInt16LittleEndian(entry[10..], (ushort)valueLength);
            at += keyLength + valueLength;
        }

        return at;
    }

    private static string? Text(ReadOnlySpan<byte> bytes, uint offset, ReadOnlySpan<byte> lengthField)
    {
        var length = BinaryPrimitives.ReadUInt16LittleEndian(lengthField);
        return offset <= bytes.Length - length
            ? Encoding.Unicode.GetString(bytes.Slice((int)offset, length)).TrimEnd('\0')
            : null;
    }
}
