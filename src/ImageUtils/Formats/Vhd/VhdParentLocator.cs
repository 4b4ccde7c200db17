using System.Buffers.Binary;
using System.Text;

namespace ImageUtils.Formats.Vhd;

/// <summary>Where a differencing disk's header says that its parent's name for one platform lies.</summary>
/// <remarks>
/// Microsoft, Virtual Hard Disk Image Format Specification 1.0, "Parent Locator Entry". Integers are big-endian.
/// <code>
///   0  4  platform code                   12  4  reserved
///   4  4  platform data space             16  8  platform data offset
///   8  4  platform data length
/// </code>
/// </remarks>
internal readonly record struct VhdParentLocator(
    uint PlatformCode, uint PlatformDataSpace, uint PlatformDataLength, ulong PlatformDataOffset)
{
    internal const int Length = 24;

    /// <summary>A Windows path relative to the child, in UTF-16LE.</summary>
    internal const uint WindowsRelative = 0x57327275;

    /// <summary>An absolute Windows path, in UTF-16LE.</summary>
    internal const uint WindowsAbsolute = 0x57326B75;

    /// <summary>A file URL, in UTF-8.</summary>
    internal const uint MacUrl = 0x4D616358;

    private const uint OldWindowsRelative = 0x57693272;
    private const uint OldWindowsAbsolute = 0x5769326B;

    /// <summary>Whether the platform data is text that a reader could open; a Mac alias (<c>Mac </c>) is not.</summary>
    internal bool IsText => PlatformCode
        is WindowsRelative or WindowsAbsolute or MacUrl or OldWindowsRelative or OldWindowsAbsolute;

    internal static VhdParentLocator Parse(ReadOnlySpan<byte> bytes) => new(
        BinaryPrimitives.ReadUInt32BigEndian(bytes),
        BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]),
        BinaryPrimitives.ReadUInt32BigEndian(bytes[8..]),
        BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]));

    internal void Write(Span<byte> bytes)
    {
        bytes[..Length].Clear();
        BinaryPrimitives.WriteUInt32BigEndian(bytes, PlatformCode);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[4..], PlatformDataSpace);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[8..], PlatformDataLength);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[16..], PlatformDataOffset);
    }

    /// <summary>The name in the platform data, as written there.</summary>
    internal string DecodeName(ReadOnlySpan<byte> platformData)
    {
        var encoding = PlatformCode switch
        {
            WindowsRelative or WindowsAbsolute => Encoding.Unicode,
            MacUrl => Encoding.UTF8,
            _ => Encoding.Latin1,
        };
        return encoding.GetString(platformData).TrimEnd('\0');
    }

    /// <summary>
    /// The path that a name stands for, with forward slashes: readers on Linux turn a Windows path's backslashes.
    /// </summary>
    internal static string ToPath(string name)
    {
        const string fileScheme = "file://";
        return name.StartsWith(fileScheme, StringComparison.OrdinalIgnoreCase)
            ? Uri.UnescapeDataString(name[fileScheme.Length..])
            : name.Replace('\\', '/');
    }
}
