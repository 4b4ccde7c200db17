using System.Buffers.Binary;
using System.Security.Cryptography;
using ImageUtils.Encryption;

namespace ImageUtils.Formats.Luks;

/// <summary>
/// The binary header of a LUKS volume, version 2, in front of each of the two copies of its JSON metadata.
/// </summary>
/// <remarks>
/// LUKS2 On-Disk Format Specification 1.1.1, section 2.1, "Binary header". Big-endian; texts end with NUL.
/// <code>
///   0  6  magic "LUKS\xba\xbe" ("SKUL\xba\xbe" in the second copy)
///   6  2  version (2)                     104 64  salt
///   8  8  hdr_size, JSON area and all     168 40  uuid
///  16  8  seqid                           208 48  subsystem
///  24 48  label                           256  8  hdr_offset
///  72 32  csum_alg                        448 64  csum of hdr_size bytes, itself taken as zero
/// </code>
/// </remarks>
internal sealed record Luks2Header
{
    internal const int Length = 4096;
    private const int ChecksumOffset = 448;
    private const int ChecksumLength = 64;

    public bool IsPrimary { get; init; }

    public bool IsSecondary { get; init; }

    public int Version { get; init; }

    public ulong HeaderSize { get; init; }

    public ulong SequenceId { get; init; }

    public required string Label { get; init; }

    public required string ChecksumAlgorithm { get; init; }

    public required string Uuid { get; init; }

    public required string Subsystem { get; init; }

    public ulong HeaderOffset { get; init; }

    internal static Luks2Header Parse(ReadOnlySpan<byte> bytes) => new()
    {
        IsPrimary = bytes.StartsWith(LuksHeader.Magic),
        IsSecondary = bytes.StartsWith("SKUL"u8) && bytes[4..6].SequenceEqual(LuksHeader.Magic[4..]),
        Version = BinaryPrimitives.ReadUInt16BigEndian(bytes[6..]),
        HeaderSize = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]),
        SequenceId = BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]),
        Label = LuksHeader.Text(bytes.Slice(24, 48)),
        ChecksumAlgorithm = LuksHeader.Text(bytes.Slice(72, 32)),
        Uuid = LuksHeader.Text(bytes.Slice(168, 40)),
        Subsystem = LuksHeader.Text(bytes.Slice(208, 48)),
        HeaderOffset = BinaryPrimitives.ReadUInt64BigEndian(bytes[256..]),
    };

    /// <summary>What is wrong with the checksum of a copy, header and JSON area.</summary>
    internal static string? FindBadChecksum(ReadOnlySpan<byte> copy, string algorithm)
    {
        if (HashName.TryParse(algorithm) is not { } hash)
        {
            return $"has the checksum algorithm '{Inspection.Printable.Text(algorithm)}', which is unknown";
        }

        using var state = IncrementalHash.CreateHash(hash);
        state.AppendData(copy[..ChecksumOffset]);
        state.AppendData(stackalloc byte[ChecksumLength]);
        state.AppendData(copy[(ChecksumOffset + ChecksumLength)..]);
        Span<byte> computed = stackalloc byte[ChecksumLength];
        computed = computed[..state.GetHashAndReset(computed)];
        return copy.Slice(ChecksumOffset, computed.Length).SequenceEqual(computed)
            ? null
            : $"has another {algorithm} checksum than the one at its byte {ChecksumOffset}";
    }
}
