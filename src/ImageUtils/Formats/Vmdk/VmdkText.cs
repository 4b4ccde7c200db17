using System.Text;
using ImageUtils.IO;

namespace ImageUtils.Formats.Vmdk;

/// <summary>The bytes of a descriptor: a text that ends with its first NUL, with the area, or with the file.</summary>
/// <param name="Bytes">Up to the text's end.</param>
/// <param name="IsCut">Whether the text goes on behind what was read.</param>
internal sealed record VmdkText(ReadOnlyMemory<byte> Bytes, bool IsCut)
{
    /// <summary>The most of a descriptor that is read; qemu reads up to 1 MiB, usual tools write 10 KiB.</summary>
    internal const int MaximumLength = ForwardReader.HeadLength;

    /// <summary>
    /// qemu looks for a parent's name in this much of an embedded descriptor, whatever the header says of its length.
    /// </summary>
    internal const int QemuEmbeddedLength = 20 * VmdkSparseHeader.SectorLength;

    internal bool IsEmpty => Bytes.IsEmpty;

    internal bool IsAscii => Ascii.IsValid(Bytes.Span);

    public override string ToString() => Encoding.UTF8.GetString(Bytes.Span);

    /// <summary>Reads the text at <paramref name="offset"/>.</summary>
    internal static async ValueTask<VmdkText> ReadAsync(
        ForwardReader reader, long offset, int maximumLength, CancellationToken cancellationToken)
    {
        // Most descriptors are short, and within the bytes that are cached anyway.
        var length = (int)Math.Min(maximumLength, HeadCache.CachedLength - offset);
        var bytes = await reader.ReadAsync(offset, length, cancellationToken).ConfigureAwait(false);
        if (bytes.Length == length && length < maximumLength && !bytes.Span.Contains((byte)0))
        {
            // The whole once more, where the head allows that; the area before it has been read only as a beginning.
            length = (int)Math.Min(maximumLength, ForwardReader.HeadLength - offset);
            bytes = await reader.ReadAsync(offset, length, cancellationToken).ConfigureAwait(false);
        }

        var end = bytes.Span.IndexOf((byte)0);
        return end >= 0 ? new VmdkText(bytes[..end], false) : new VmdkText(bytes, bytes.Length == length);
    }

    /// <summary>Reads the descriptor behind a sparse extent's header, as much of it as any reader looks at.</summary>
    internal static ValueTask<VmdkText> ReadEmbeddedAsync(
        ForwardReader reader, VmdkSparseHeader header, CancellationToken cancellationToken)
    {
        const int SectorLength = VmdkSparseHeader.SectorLength;
        var sectors = Math.Min(header.DescriptorSectors, VmdkSafetyChecks.MaximumDescriptorSectors);
        var length = Math.Clamp((int)sectors * SectorLength, QemuEmbeddedLength, MaximumLength - SectorLength);
        return ReadAsync(reader, SectorLength, length, cancellationToken);
    }

    /// <summary>Whether qemu's probe takes the first sector for a descriptor's beginning.</summary>
    /// <remarks>
    /// QEMU, block/vmdk.c, vmdk_probe: comments and lines of blanks may come first, then <c>version=</c> 1, 2 or 3
    /// must fill a line.
    /// </remarks>
    internal static bool IsDescriptorToQemu(ReadOnlySpan<byte> sector)
    {
        while (!sector.IsEmpty)
        {
            if (sector[0] == '#')
            {
                var newline = sector.IndexOf((byte)'\n');
                sector = newline < 0 ? default : sector[(newline + 1)..];
            }
            else if (sector[0] == ' ')
            {
                sector = sector.TrimStart((byte)' ');
                sector = sector.StartsWith("\r"u8) ? sector[1..] : sector;
                if (!sector.StartsWith("\n"u8))
                {
                    return false;
                }

                sector = sector[1..];
            }
            else
            {
                return sector.Length >= 10
                    && sector.StartsWith("version="u8)
                    && sector[8] is (byte)'1' or (byte)'2' or (byte)'3'
                    && (sector[9..].StartsWith("\n"u8) || sector[9..].StartsWith("\r\n"u8));
            }
        }

        return false;
    }

    /// <summary>Whether the bytes are printable ASCII and white space, as every descriptor begins.</summary>
    internal static bool IsPrintable(ReadOnlySpan<byte> bytes)
    {
        foreach (var value in bytes)
        {
            if (value is not ((>= 0x20 and < 0x7F) or (>= 0x09 and <= 0x0D)))
            {
                return false;
            }
        }

        return true;
    }
}
