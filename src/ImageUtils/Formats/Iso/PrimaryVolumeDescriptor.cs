using System.Buffers.Binary;
using System.Text;

namespace ImageUtils.Formats.Iso;

/// <summary>The primary volume descriptor of an ISO 9660 volume, in sector 16.</summary>
/// <remarks>
/// ECMA-119, section 8.4. Numbers marked 2x are there twice: little-endian, then big-endian.
/// <code>
///   0  1  type (1)                       128 4 (2x2)  logical block size
///   1  5  "CD001"                        132 8 (2x4)  path table size
///   6  1  version (1)                    318 128      publisher identifier
///   8 32  system identifier              574 128      application identifier
///  40 32  volume identifier
///  80  8 (2x4)  volume space size, in logical blocks
/// 120  4 (2x2)  volume set size
/// 124  4 (2x2)  volume sequence number
/// </code>
/// </remarks>
internal sealed record PrimaryVolumeDescriptor
{
    public required string SystemId { get; init; }

    public required string VolumeId { get; init; }

    public required string PublisherId { get; init; }

    public required string ApplicationId { get; init; }

    public uint VolumeSpaceBlocks { get; init; }

    public ushort BlockSize { get; init; }

    /// <summary>
    /// The first number whose two copies differ, by name and offset in the descriptor; null where none does.
    /// </summary>
    public (string Name, int Offset)? Disagreement { get; init; }

    internal static PrimaryVolumeDescriptor Parse(ReadOnlySpan<byte> bytes) => new()
    {
        SystemId = Text(bytes.Slice(8, 32)),
        VolumeId = Text(bytes.Slice(40, 32)),
        PublisherId = Text(bytes.Slice(318, 128)),
        ApplicationId = Text(bytes.Slice(574, 128)),
        VolumeSpaceBlocks = BinaryPrimitives.ReadUInt32LittleEndian(bytes[80..]),
        BlockSize = BinaryPrimitives.ReadUInt16LittleEndian(bytes[128..]),
        Disagreement = FindDisagreement(bytes),
    };

    private static (string Name, int Offset)? FindDisagreement(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<(string Name, int Offset, int Length)> numbers =
        [
            ("volume space size", 80, 4),
            ("volume set size", 120, 2),
            ("volume sequence number", 124, 2),
            ("logical block size", 128, 2),
            ("path table size", 132, 4),
        ];
        foreach (var (name, offset, length) in numbers)
        {
            for (var index = 0; index < length; index++)
            {
                if (bytes[offset + index] != bytes[offset + 2 * length - 1 - index])
                {
                    return (name, offset);
                }
            }
        }

        return null;
    }

    private static string Text(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes).TrimEnd(' ', '\0');
}
