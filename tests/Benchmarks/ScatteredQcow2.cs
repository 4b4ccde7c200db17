using System.Buffers.Binary;

namespace ImageUtils.Benchmarks;

/// <summary>
/// A qcow2 (version 3, 64 KiB clusters) of which one cluster in so many is allocated, each at a place of its own, in a
/// file that has holes where their data would be: as much metadata as there can be, and none of the data.
/// </summary>
internal static class ScatteredQcow2
{
    private const int ClusterBits = 16;
    private const int ClusterSize = 1 << ClusterBits;
    private const int EntriesOfTable = ClusterSize / sizeof(ulong);
    private const ulong Copied = 1UL << 63;

    /// <param name="path">The new file.</param>
    /// <param name="virtualSize">A multiple of what one L2 table maps, 512 MiB.</param>
    /// <param name="step">Of how many clusters one is allocated.</param>
    /// <returns>How many clusters are.</returns>
    internal static long Write(string path, long virtualSize, int step)
    {
        using var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write);
        var tables = (int)(virtualSize / ClusterSize / EntriesOfTable);
        var firstTable = AlignUp(tables * sizeof(ulong)) + 2L * ClusterSize;
        var data = firstTable + (long)tables * ClusterSize;
        var level1 = new byte[tables * sizeof(ulong)];
        var level2 = new byte[ClusterSize];
        var allocated = 0L;
        for (var table = 0; table < tables; table++)
        {
            var offset = firstTable + (long)table * ClusterSize;
            BinaryPrimitives.WriteUInt64BigEndian(level1.AsSpan(table * sizeof(ulong)), (ulong)offset | Copied);
            for (var entry = 0; entry < EntriesOfTable; entry += step)
            {
                // From the back, so that no two that are neighbours in the guest are neighbours in the file.
                var host = data + (virtualSize / ClusterSize / step - 1 - allocated++) * ClusterSize;
                BinaryPrimitives.WriteUInt64BigEndian(level2.AsSpan(entry * sizeof(ulong)), (ulong)host | Copied);
            }

            RandomAccess.Write(file, level2, offset);
        }

        RandomAccess.Write(file, Header(virtualSize, tables), 0);
        RandomAccess.Write(file, level1, 2L * ClusterSize);
        RandomAccess.SetLength(file, data + allocated * ClusterSize);
        return allocated;
    }

    // The refcount table is there and empty: who only reads does not look into it.
    private static byte[] Header(long virtualSize, int tables)
    {
        var header = new byte[104];
        var span = header.AsSpan();
        BinaryPrimitives.WriteUInt32BigEndian(span, 0x514649FB);
        BinaryPrimitives.WriteUInt32BigEndian(span[4..], 3);
        BinaryPrimitives.WriteUInt32BigEndian(span[20..], ClusterBits);
        BinaryPrimitives.WriteInt64BigEndian(span[24..], virtualSize);
        BinaryPrimitives.WriteInt32BigEndian(span[36..], tables);
        BinaryPrimitives.WriteInt64BigEndian(span[40..], 2L * ClusterSize);
        BinaryPrimitives.WriteInt64BigEndian(span[48..], ClusterSize);
        BinaryPrimitives.WriteInt32BigEndian(span[56..], 1);
        BinaryPrimitives.WriteInt32BigEndian(span[96..], 4);
        BinaryPrimitives.WriteInt32BigEndian(span[100..], header.Length);
        return header;
    }

    private static long AlignUp(long value) => (value + ClusterSize - 1) / ClusterSize * ClusterSize;
}
