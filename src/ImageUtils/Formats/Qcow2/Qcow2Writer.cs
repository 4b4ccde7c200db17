using System.Buffers.Binary;
using ImageUtils.Conversion;

namespace ImageUtils.Formats.Qcow2;

/// <summary>Writes a qcow2 image: header, L1 table, then L2 tables and data in the order of the disk.</summary>
/// <remarks>
/// An L2 table has its place from the moment that its range is entered, and is written once the next range is. The L1
/// table, 32 MiB at most and 64 KiB for 4 TiB with clusters of 64 KiB, is in memory to the end. Over a backing file, a
/// cluster that is placed hides all of the backing file's: the caller writes whole clusters.
/// </remarks>
/// <param name="plan">What the image is like.</param>
internal sealed class Qcow2Writer(Qcow2Plan plan) : ImageWriter
{
    private const ulong CopiedFlag = 1UL << 63;
    private const ulong CompressedFlag = 1UL << 62;
    private const ulong ZeroFlag = 1;
    private const int SectorLength = 512;
    private const string StateName = "qcow2 writer 1";

    private readonly Qcow2Clusters _clusters = new(plan);
    private readonly byte[] _l1 = new byte[plan.L1Clusters << plan.ClusterBits];
    private readonly byte[] _l2 = new byte[plan.ClusterSize];
    private long _l2Index = -1;

    // Where the next compressed cluster goes on if it fits: a byte in a host cluster that has room; else 0.
    private long _packedEnd;

    public override long VirtualSize => plan.VirtualSize;

    public override long UnitSize => plan.ClusterSize;

    public override UnitCompression? Compression => plan.Compression;

    internal override long? FullLength => plan.CountPreallocatedClusters() << plan.ClusterBits;

    private bool IsPreallocated => plan.Preallocation != PreallocationMode.Off;

    public override async ValueTask<long> PlaceAsync(long guestOffset, long length, CancellationToken cancellationToken)
    {
        await EnterTableAsync(guestOffset, cancellationToken).ConfigureAwait(false);
        var within = guestOffset & plan.ClusterSize - 1;
        var entry = GetEntry(guestOffset);
        if ((entry & CompressedFlag) != 0)
        {
            throw new InvalidOperationException($"The cluster at guest byte {guestOffset} was written compressed.");
        }

        if ((entry & ~ZeroFlag) != 0)
        {
            return (long)(entry & ~CopiedFlag) + within;
        }

        var hostOffset = await AllocateAsync(1, length < plan.ClusterSize, cancellationToken).ConfigureAwait(false);
        SetEntry(guestOffset, (ulong)hostOffset | CopiedFlag);
        return hostOffset + within;
    }

    /// <inheritdoc/>
    /// <remarks>
    /// As qemu does, compressed clusters are packed byte after byte, over the border of host clusters that follow each
    /// other. Every one that touches a host cluster is a reference to it. Where its count is at its highest, and where
    /// its refcount block is written out, the next compressed cluster begins a new host cluster.
    /// </remarks>
    public override async ValueTask WriteCompressedAsync(
        long guestOffset, ReadOnlyMemory<byte> compressed, CancellationToken cancellationToken)
    {
        if (plan.Compression is null)
        {
            throw new InvalidOperationException("The image is not compressed.");
        }

        ArgumentOutOfRangeException.ThrowIfZero(compressed.Length, nameof(compressed));
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(compressed.Length, plan.ClusterSize, nameof(compressed));
        await EnterTableAsync(guestOffset, cancellationToken).ConfigureAwait(false);
        var room = (int)(-_packedEnd & plan.ClusterSize - 1);
        var current = _packedEnd >> plan.ClusterBits;
        var fits = compressed.Length <= room || current + 1 == _clusters.End;
        if (room == 0 || !fits || !_clusters.TryAddReference(current))
        {
            _packedEnd = await AllocateAsync(1, true, cancellationToken).ConfigureAwait(false);
        }
        else if (compressed.Length > room)
        {
            await AllocateAsync(1, true, cancellationToken).ConfigureAwait(false);
        }

        var hostOffset = _packedEnd;
        _packedEnd += compressed.Length;
        var furtherSectors = (_packedEnd - 1) / SectorLength - hostOffset / SectorLength;
        var sizeShift = 62 - (plan.ClusterBits - 8);
        SetEntry(guestOffset, CompressedFlag | (ulong)furtherSectors << sizeShift | (ulong)hostOffset);
        await Sink.WriteAsync(hostOffset, compressed, cancellationToken).ConfigureAwait(false);
    }

    public override async ValueTask WriteZeroesAsync(long guestOffset, long length, CancellationToken cancellationToken)
    {
        // Without a backing file, what is not there reads as zeros already.
        for (var end = guestOffset + length; plan.BackingFile is not null && guestOffset < end;)
        {
            var clusterEnd = (guestOffset & -plan.ClusterSize) + plan.ClusterSize;
            var piece = Math.Min(end, clusterEnd) - guestOffset;
            var isWhole = guestOffset + plan.ClusterSize == clusterEnd
                && guestOffset + piece >= Math.Min(clusterEnd, VirtualSize);
            await EnterTableAsync(guestOffset, cancellationToken).ConfigureAwait(false);
            if (isWhole && plan.Version >= 3)
            {
                SetEntry(guestOffset, ZeroFlag);
            }
            else
            {
                var hostOffset = await PlaceAsync(guestOffset, piece, cancellationToken).ConfigureAwait(false);
                await Sink.WriteZeroesAsync(hostOffset, piece, cancellationToken).ConfigureAwait(false);
            }

            guestOffset += piece;
        }
    }

    public override async ValueTask FinishAsync(CancellationToken cancellationToken)
    {
        if (IsPreallocated && plan.L1Size > 0)
        {
            await EnterTableAsync(plan.L1Size - 1 << plan.L2Bits, cancellationToken).ConfigureAwait(false);
        }

        await WriteTableAsync(cancellationToken).ConfigureAwait(false);
        if (_l1.Length > 0)
        {
            await Sink.WriteAsync(plan.ClusterSize, _l1, cancellationToken).ConfigureAwait(false);
        }

        var (refcountTable, count) = await _clusters.FinishAsync(Sink, cancellationToken).ConfigureAwait(false);
        await Sink.SetLengthAsync(_clusters.End << plan.ClusterBits, cancellationToken).ConfigureAwait(false);
        var header = Qcow2HeaderWriter.Write(plan, refcountTable << plan.ClusterBits, count);
        await Sink.WriteAsync(0, header, cancellationToken).ConfigureAwait(false);
    }

    public override void SaveState(BinaryWriter writer)
    {
        writer.Write(StateName);
        writer.Write(plan.ToString());
        _clusters.Save(writer);
        writer.Write(_packedEnd);
        writer.Write(_l2Index);
        if (_l2Index >= 0)
        {
            writer.Write(_l1, 0, (int)(_l2Index + 1) * 8);
            writer.Write(_l2);
        }
    }

    protected override void RestoreState(BinaryReader reader)
    {
        if (reader.ReadString() != StateName || reader.ReadString() != plan.ToString())
        {
            throw new InvalidDataException("The state is not that of a qcow2 writer with the same options.");
        }

        _clusters.Restore(reader);
        _packedEnd = reader.ReadInt64();
        _l2Index = reader.ReadInt64();
        if (_l2Index < -1 || _l2Index >= plan.L1Size)
        {
            throw new InvalidDataException($"The state of a qcow2 writer is at L2 table {_l2Index} of {plan.L1Size}.");
        }

        if (_l2Index >= 0)
        {
            reader.BaseStream.ReadExactly(_l1, 0, (int)(_l2Index + 1) * 8);
            reader.BaseStream.ReadExactly(_l2);
        }
    }

    protected override async ValueTask StartAsync(CancellationToken cancellationToken)
    {
        // A name that does not fit is found before any work is done.
        Qcow2HeaderWriter.Write(plan, 0, 1);
        if (IsPreallocated)
        {
            var length = plan.CountPreallocatedClusters() << plan.ClusterBits;
            await Sink.SetLengthAsync(length, cancellationToken).ConfigureAwait(false);
            switch (plan.Preallocation)
            {
                case PreallocationMode.Falloc:
                    await Sink.AllocateAsync(0, length, cancellationToken).ConfigureAwait(false);
                    break;
                case PreallocationMode.Full:
                    await Sink.FillAsync(0, length, cancellationToken).ConfigureAwait(false);
                    break;
            }
        }

        // An image that was on the device before must not be taken for this one.
        await ClearAsync(0, plan.ClusterSize, cancellationToken).ConfigureAwait(false);
        await _clusters.AllocateAsync(Sink, 1 + plan.L1Clusters, cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask<long> AllocateAsync(long count, bool isCleared, CancellationToken cancellationToken)
    {
        var cluster = await _clusters.AllocateAsync(Sink, count, cancellationToken).ConfigureAwait(false);
        var hostOffset = cluster << plan.ClusterBits;
        if (isCleared)
        {
            await ClearAsync(hostOffset, count << plan.ClusterBits, cancellationToken).ConfigureAwait(false);
        }

        return hostOffset;
    }

    private async ValueTask EnterTableAsync(long guestOffset, CancellationToken cancellationToken)
    {
        var wanted = guestOffset >> plan.L2Bits;
        if (guestOffset < 0 || guestOffset >= VirtualSize || wanted < _l2Index)
        {
            throw new InvalidOperationException(
                $"Guest byte {guestOffset} is outside the disk of {VirtualSize} bytes, or before the last write.");
        }

        while (_l2Index < wanted)
        {
            await WriteTableAsync(cancellationToken).ConfigureAwait(false);
            _l2Index = IsPreallocated ? _l2Index + 1 : wanted;
            _l2.AsSpan().Clear();
            var hostOffset = await AllocateAsync(1, false, cancellationToken).ConfigureAwait(false);
            BinaryPrimitives.WriteUInt64BigEndian(_l1.AsSpan((int)_l2Index * 8), (ulong)hostOffset | CopiedFlag);
            if (IsPreallocated)
            {
                await PreallocateAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async ValueTask PreallocateAsync(CancellationToken cancellationToken)
    {
        var count = (int)plan.ClustersOf(_l2Index);
        var isCleared = plan.Preallocation != PreallocationMode.Full;
        var hostOffset = await AllocateAsync(count, isCleared, cancellationToken).ConfigureAwait(false);
        for (var i = 0; i < count; i++)
        {
            BinaryPrimitives.WriteUInt64BigEndian(
                _l2.AsSpan(i * 8), (ulong)(hostOffset + ((long)i << plan.ClusterBits)) | CopiedFlag);
        }
    }

    private ValueTask WriteTableAsync(CancellationToken cancellationToken)
    {
        if (_l2Index < 0)
        {
            return ValueTask.CompletedTask;
        }

        var entry = BinaryPrimitives.ReadUInt64BigEndian(_l1.AsSpan((int)_l2Index * 8));
        return Sink.WriteAsync((long)(entry & ~CopiedFlag), _l2, cancellationToken);
    }

    private Span<byte> EntryAt(long guestOffset) =>
        _l2.AsSpan((int)(guestOffset >> plan.ClusterBits & plan.L2Size - 1) * 8, 8);

    private ulong GetEntry(long guestOffset) => BinaryPrimitives.ReadUInt64BigEndian(EntryAt(guestOffset));

    private void SetEntry(long guestOffset, ulong entry) =>
        BinaryPrimitives.WriteUInt64BigEndian(EntryAt(guestOffset), entry);
}
