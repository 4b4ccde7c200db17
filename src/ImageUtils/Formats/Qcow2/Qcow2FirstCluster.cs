using System.Buffers.Binary;
using System.Text;
using ImageUtils.Errors;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Qcow2;

/// <summary>What a qcow2 image's first cluster holds: header, extensions and the backing file's name.</summary>
internal static class Qcow2FirstCluster
{
    // The area of header extensions ends with the first cluster; qemu itself writes a few hundred bytes.
    private const int MaximumExtensionArea = 32 * 1024;

    /// <summary>Reads the header, which may still be impossible.</summary>
    /// <exception cref="TruncatedImageException">The file ends within it.</exception>
    internal static async ValueTask<Qcow2Header> ReadHeaderAsync(
        ForwardReader reader, CancellationToken cancellationToken)
    {
        var bytes = await reader.ReadAsync(0, Qcow2Header.MaximumLength, cancellationToken).ConfigureAwait(false);
        var needed = bytes.Length >= 8 && BinaryPrimitives.ReadUInt32BigEndian(bytes.Span[4..]) >= 3
            ? Qcow2Header.Version3Length
            : Qcow2Header.Version2Length;
        return bytes.Length >= needed
            ? Qcow2Header.Parse(bytes.Span)
            : throw new TruncatedImageException(
                $"The qcow2 header has {needed} bytes at least, but the file has only {bytes.Length}: "
                + "the file is cut short.");
    }

    /// <summary>Reads what is behind a header that is possible.</summary>
    /// <exception cref="ImageFormatException">An extension or the name does not fit.</exception>
    internal static async ValueTask<(Qcow2HeaderExtensions Extensions, string? BackingFile)> ReadAsync(
        ForwardReader reader, Qcow2Header header, CancellationToken cancellationToken)
    {
        var clusterSize = 1L << (int)header.ClusterBits;
        var hasName = header.BackingFileOffset != 0;
        var nameFits = header.BackingFileSize <= Qcow2SafetyChecks.MaximumBackingFileNameLength
            && header.BackingFileOffset >= Qcow2Header.Version2Length
            && header.BackingFileOffset <= (ulong)(clusterSize - header.BackingFileSize)
            && header.BackingFileOffset <= MaximumExtensionArea - Qcow2SafetyChecks.MaximumBackingFileNameLength;
        if (hasName && !nameFits)
        {
            throw new ImageFormatException(
                CheckNames.Tables,
                $"The qcow2 backing file name of {header.BackingFileSize} bytes at byte {header.BackingFileOffset} "
                + $"does not lie in the header's cluster, or is longer than {Qcow2SafetyChecks.MaximumBackingFileNameLength} bytes.");
        }

        // Extensions lie between the header and the name; nearly always within the bytes that are cached anyway.
        var nameEnd = hasName ? (long)header.BackingFileOffset + header.BackingFileSize : 0;
        var extensionsEnd = hasName ? (long)header.BackingFileOffset : Math.Min(clusterSize, MaximumExtensionArea);
        var area = await reader
            .ReadAsync(0, (int)Math.Min(clusterSize, Math.Max(HeadCache.CachedLength, nameEnd)), cancellationToken)
            .ConfigureAwait(false);
        if (area.Length < nameEnd)
        {
            throw new TruncatedImageException(
                $"The qcow2 backing file name ends at byte {nameEnd}, but the file has only {area.Length}: it is cut short.");
        }

        var headerEnd = (int)Math.Min(header.HeaderLength, area.Length);
        var extensions = Qcow2HeaderExtensions.Parse(
            area.Span[headerEnd..(int)Math.Max(headerEnd, Math.Min(extensionsEnd, area.Length))], headerEnd,
            mustEnd: !hasName && clusterSize > area.Length);
        var name = hasName
            ? Encoding.UTF8.GetString(area.Span.Slice((int)header.BackingFileOffset, (int)header.BackingFileSize))
            : null;
        return (extensions, name);
    }
}
