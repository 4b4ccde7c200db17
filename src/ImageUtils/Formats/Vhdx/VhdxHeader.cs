using System.Buffers.Binary;
using ImageUtils.Errors;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Vhdx;

/// <summary>One of the two headers. The valid one with the higher sequence number is current.</summary>
/// <remarks>
/// MS-VHDX, section 2.2.2, "Headers", at 64 KiB and 128 KiB. Integers are little-endian.
/// <code>
///   0  4  signature "head"                48 16  log guid
///   4  4  checksum, CRC-32C               64  2  log version (0)
///   8  8  sequence number                 66  2  version (1)
///  16 16  file write guid                 68  4  log length
///  32 16  data write guid                 72  8  log offset
///                                         80     reserved, to 4096
/// </code>
/// </remarks>
internal sealed record VhdxHeader
{
    internal const int Length = 4096;
    internal const long FirstOffset = 64 * 1024;
    internal const long SecondOffset = 128 * 1024;

    internal static ReadOnlySpan<byte> Signature => "head"u8;

    public ulong SequenceNumber { get; init; }

    public Guid FileWriteGuid { get; init; }

    public Guid DataWriteGuid { get; init; }

    /// <summary>Marks the log entries that are to be replayed; zero: there are none.</summary>
    public Guid LogGuid { get; init; }

    public ushort LogVersion { get; init; }

    public ushort Version { get; init; } = 1;

    public uint LogLength { get; init; }

    public ulong LogOffset { get; init; }

    /// <summary>Whether signature and checksum of a header of 4096 bytes hold.</summary>
    internal static bool IsValid(ReadOnlySpan<byte> bytes) =>
        bytes.StartsWith(Signature) && VhdxChecksum.IsValid(bytes);

    /// <summary>The current one of the two headers.</summary>
    /// <exception cref="ImageFormatException">None is valid, or none is newer than the other.</exception>
    internal static VhdxHeader FindCurrent(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second)
    {
        var (isFirstValid, isSecondValid) = (IsValid(first), IsValid(second));
        if (!isFirstValid && !isSecondValid)
        {
            throw new ImageFormatException(
                CheckNames.Checksum,
                $"Neither of the VHDX headers at bytes {FirstOffset} and {SecondOffset} has its signature and a "
                + "checksum that holds.");
        }

        var (one, other) = (Parse(first), Parse(second));
        if (!isSecondValid || !isFirstValid)
        {
            return isFirstValid ? one : other;
        }

        // Disk2vhd writes both headers alike.
        return one.SequenceNumber == other.SequenceNumber && !first.SequenceEqual(second)
            ? throw new ImageFormatException(
                CheckNames.Checksum,
                $"Both VHDX headers have the sequence number {one.SequenceNumber}, but they differ: none is current.")
            : one.SequenceNumber >= other.SequenceNumber ? one : other;
    }

    internal static VhdxHeader Parse(ReadOnlySpan<byte> bytes) => new()
    {
        SequenceNumber = BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]),
        FileWriteGuid = new Guid(bytes.Slice(16, 16)),
        DataWriteGuid = new Guid(bytes.Slice(32, 16)),
        LogGuid = new Guid(bytes.Slice(48, 16)),
        LogVersion = BinaryPrimitives.ReadUInt16LittleEndian(bytes[64..]),
        Version = BinaryPrimitives.ReadUInt16LittleEndian(bytes[66..]),
        LogLength = BinaryPrimitives.ReadUInt32LittleEndian(bytes[68..]),
        LogOffset = BinaryPrimitives.ReadUInt64LittleEndian(bytes[72..]),
    };

    /// <summary>Writes the header with its checksum into 4096 bytes.</summary>
    internal void Write(Span<byte> bytes)
    {
        bytes = bytes[..Length];
        bytes.Clear();
        Signature.CopyTo(bytes);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], SequenceNumber);
        FileWriteGuid.TryWriteBytes(bytes[16..]);
        DataWriteGuid.TryWriteBytes(bytes[32..]);
        LogGuid.TryWriteBytes(bytes[48..]);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[64..], LogVersion);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[66..], Version);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[68..], LogLength);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[72..], LogOffset);
        VhdxChecksum.Write(bytes);
    }
}
