using System.Buffers.Binary;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.IO;

namespace ImageUtils.Formats.Qcow2;

/// <summary>Gives out the clusters of a file in order, and keeps their reference counts.</summary>
/// <remarks>
/// QEMU, docs/interop/qcow2.rst, "Host cluster management". A refcount block is itself a cluster that is counted; it
/// lies behind the allocation that went into its range. So only one block is in memory, and the refcount table, which
/// lists the blocks, is the last thing in the file.
/// </remarks>
internal sealed class Qcow2Clusters
{
    private const long MaximumBlocks = Qcow2SafetyChecks.MaximumRefcountTableBytes / 8;

    private readonly Qcow2Plan _plan;
    private readonly ulong _maximumCount;
    private readonly List<long> _blocks = [];
    private readonly byte[] _block;
    private long _blockIndex;

    internal Qcow2Clusters(Qcow2Plan plan)
    {
        _plan = plan;
        _block = new byte[plan.ClusterSize];
        _maximumCount = plan.RefcountBits == 64 ? ulong.MaxValue : (1UL << plan.RefcountBits) - 1;
    }

    /// <summary>How many clusters the file has.</summary>
    internal long End { get; private set; }

    /// <summary>Moves the file's end behind an allocation and the refcount blocks that it makes necessary.</summary>
    /// <param name="end">The file's clusters.</param>
    /// <param name="blocks">Its refcount blocks.</param>
    /// <param name="count">How many clusters to take.</param>
    /// <param name="blockSize">How many clusters a block counts.</param>
    internal static void Advance(ref long end, ref long blocks, long count, long blockSize)
    {
        end += count;
        while (blocks < MaximumBlocks && blocks * blockSize < end)
        {
            blocks++;
            end++;
        }

        if (blocks * blockSize < end)
        {
            throw new ImageOptionException(
                nameof(WriterOptions.ClusterSize),
                $"The qcow2 file would have more than the {MaximumBlocks * blockSize} clusters whose references can be "
                + "counted. Use larger clusters, or fewer RefcountBits.");
        }
    }

    /// <summary>The refcount table's clusters: the file ends with it and the blocks that it makes necessary.</summary>
    internal static long CountRefcountTableClusters(long end, long blocks, long blockSize, int clusterSize)
    {
        for (var count = 1L; ;)
        {
            var (nextEnd, nextBlocks) = (end, blocks);
            Advance(ref nextEnd, ref nextBlocks, count, blockSize);
            var needed = (nextBlocks * 8 + clusterSize - 1) / clusterSize;
            if (needed <= count)
            {
                return count;
            }

            count = needed;
        }
    }

    /// <summary>Takes clusters that follow each other, each with a reference count of 1.</summary>
    /// <returns>The first of them.</returns>
    internal async ValueTask<long> AllocateAsync(IByteSink sink, long count, CancellationToken cancellationToken)
    {
        var first = End;
        long end = first, blocks = _blocks.Count;
        Advance(ref end, ref blocks, count, _plan.RefcountBlockSize);
        for (var block = end - (blocks - _blocks.Count); block < end; block++)
        {
            _blocks.Add(block);
        }

        End = end;
        for (var cluster = first; cluster < end; cluster++)
        {
            if (cluster / _plan.RefcountBlockSize != _blockIndex)
            {
                await WriteBlockAsync(sink, cancellationToken).ConfigureAwait(false);
                _blockIndex = cluster / _plan.RefcountBlockSize;
                _block.AsSpan().Clear();
            }

            SetCount(cluster, 1);
        }

        return first;
    }

    /// <summary>Counts one more reference to a cluster.</summary>
    /// <returns>False, with nothing changed, where its count is the highest possible or written out already.</returns>
    internal bool TryAddReference(long cluster)
    {
        if (cluster / _plan.RefcountBlockSize != _blockIndex || GetCount(cluster) == _maximumCount)
        {
            return false;
        }

        SetCount(cluster, GetCount(cluster) + 1);
        return true;
    }

    /// <summary>Writes the last refcount block and the refcount table, the last things in the file.</summary>
    /// <returns>The table's first cluster, and how many it has.</returns>
    internal async ValueTask<(long Cluster, long Count)> FinishAsync(
        IByteSink sink, CancellationToken cancellationToken)
    {
        var count = CountRefcountTableClusters(End, _blocks.Count, _plan.RefcountBlockSize, _plan.ClusterSize);
        var first = await AllocateAsync(sink, count, cancellationToken).ConfigureAwait(false);
        await WriteBlockAsync(sink, cancellationToken).ConfigureAwait(false);
        var table = new byte[count * _plan.ClusterSize];
        for (var i = 0; i < _blocks.Count; i++)
        {
            BinaryPrimitives.WriteUInt64BigEndian(table.AsSpan(i * 8), (ulong)(_blocks[i] << _plan.ClusterBits));
        }

        await sink.WriteAsync(first << _plan.ClusterBits, table, cancellationToken).ConfigureAwait(false);
        return (first, count);
    }

    internal void Save(BinaryWriter writer)
    {
        writer.Write(End);
        writer.Write(_blocks.Count);
        _blocks.ForEach(writer.Write);
        writer.Write(_blockIndex);
        writer.Write(_block);
    }

    internal void Restore(BinaryReader reader)
    {
        End = reader.ReadInt64();
        var count = reader.ReadInt32();
        if (count is < 0 or > (int)MaximumBlocks || End < count)
        {
            throw new InvalidDataException(
                $"The state of a qcow2 writer has {count} refcount blocks for {End} clusters.");
        }

        _blocks.Clear();
        for (var i = 0; i < count; i++)
        {
            _blocks.Add(reader.ReadInt64());
        }

        _blockIndex = reader.ReadInt64();
        reader.BaseStream.ReadExactly(_block);
    }

    private ValueTask WriteBlockAsync(IByteSink sink, CancellationToken cancellationToken) =>
        sink.WriteAsync(_blocks[(int)_blockIndex] << _plan.ClusterBits, _block, cancellationToken);

    // Counts of less than a byte begin at its lowest bits.
    private ulong GetCount(long cluster)
    {
        var (index, bits) = ((int)(cluster % _plan.RefcountBlockSize), _plan.RefcountBits);
        return bits switch
        {
            < 8 => (ulong)(_block[index * bits / 8] >> index * bits % 8) & _maximumCount,
            8 => _block[index],
            16 => BinaryPrimitives.ReadUInt16BigEndian(_block.AsSpan(index * 2)),
            32 => BinaryPrimitives.ReadUInt32BigEndian(_block.AsSpan(index * 4)),
            _ => BinaryPrimitives.ReadUInt64BigEndian(_block.AsSpan(index * 8)),
        };
    }

    private void SetCount(long cluster, ulong count)
    {
        var (index, bits) = ((int)(cluster % _plan.RefcountBlockSize), _plan.RefcountBits);
        switch (bits)
        {
            case < 8:
                ref var shared = ref _block[index * bits / 8];
                var shift = index * bits % 8;
                shared = (byte)(shared & ~((int)_maximumCount << shift) | (int)count << shift);
                break;
            case 8:
                _block[index] = (byte)count;
                break;
            case 16:
                BinaryPrimitives.WriteUInt16BigEndian(_block.AsSpan(index * 2), (ushort)count);
                break;
            case 32:
                BinaryPrimitives.WriteUInt32BigEndian(_block.AsSpan(index * 4), (uint)count);
                break;
            default:
                BinaryPrimitives.WriteUInt64BigEndian(_block.AsSpan(index * 8), count);
                break;
        }
    }
}
