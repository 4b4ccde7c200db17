using System.Text;

namespace ImageUtils.Formats.Vhdx;

/// <summary>The file's first bytes, which are never changed.</summary>
/// <remarks>
/// MS-VHDX, section 2.2.1, "File Type Identifier".
/// <code>
///   0   8  signature "vhdxfile"             8 512  creator, UTF-16LE, for diagnosis only
/// </code>
/// </remarks>
internal sealed record VhdxFileIdentifier(string Creator)
{
    internal const int Length = 520;

    private const int CreatorOffset = 8;

    internal static ReadOnlySpan<byte> Signature => "vhdxfile"u8;

    /// <summary>Reads the identifier, or as much of it as is there. The caller has seen the signature.</summary>
    internal static VhdxFileIdentifier Parse(ReadOnlySpan<byte> bytes)
    {
        var creator = Encoding.Unicode.GetString(bytes[CreatorOffset..Math.Min(bytes.Length, Length)]);
        var end = creator.IndexOf('\0', StringComparison.Ordinal);
        return new VhdxFileIdentifier(end < 0 ? creator : creator[..end]);
    }

    /// <summary>Writes the identifier into 520 bytes.</summary>
    internal void Write(Span<byte> bytes)
    {
        bytes = bytes[..Length];
        bytes.Clear();
        Signature.CopyTo(bytes);
        Encoding.Unicode.GetBytes(Creator, bytes[CreatorOffset..]);
    }
}
