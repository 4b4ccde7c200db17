using System.Buffers.Binary;
using System.Text;

namespace ImageUtils.Formats.PartitionTable;

/// <summary>One entry of a GUID partition table.</summary>
/// <param name="Number">Its place in the table, from 1.</param>
/// <param name="Type">What the partition is for.</param>
/// <param name="Id">The partition's own GUID.</param>
/// <param name="StartLba">The first sector.</param>
/// <param name="EndLba">The last sector.</param>
/// <param name="Name">For people.</param>
/// <remarks>
/// UEFI Specification 2.10, section 5.3.3, "GPT Partition Entry Array". Little-endian.
/// <code>
///  0 16  PartitionTypeGUID           40  8  EndingLBA
/// 16 16  UniquePartitionGUID         48  8  Attributes
/// 32  8  StartingLBA                 56 72  PartitionName (UTF-16)
/// </code>
/// </remarks>
internal readonly record struct GptPartitionEntry(
    int Number, Guid Type, Guid Id, ulong StartLba, ulong EndLba, string Name)
{
    internal const int MinimumLength = 128;

    internal static GptPartitionEntry Parse(ReadOnlySpan<byte> bytes, int number)
    {
        var name = Encoding.Unicode.GetString(bytes.Slice(56, 72));
        var end = name.IndexOf('\0', StringComparison.Ordinal);
        return new GptPartitionEntry(
            number,
            new Guid(bytes[..16]),
            new Guid(bytes.Slice(16, 16)),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[32..]),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[40..]),
            end < 0 ? name : name[..end]);
    }

    /// <summary>The entries in use among those that are there whole.</summary>
    internal static List<GptPartitionEntry> ParseUsed(ReadOnlySpan<byte> array, int entrySize)
    {
        var entries = new List<GptPartitionEntry>();
        for (var index = 0; (index + 1) * (long)entrySize <= array.Length; index++)
        {
            var bytes = array.Slice(index * entrySize, entrySize);
            if (bytes[..16].ContainsAnyExcept((byte)0))
            {
                entries.Add(Parse(bytes, index + 1));
            }
        }

        return entries;
    }
}
