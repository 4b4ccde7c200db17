using System.Buffers.Binary;
using System.Security.Cryptography;
using ImageUtils.Conversion;
using ImageUtils.Errors;

namespace ImageUtils.Formats.Vdi;

/// <summary>
/// Writes a dynamic or static VDI as qemu-img lays it out: header, block map, and blocks of 1 MiB, in the order in
/// which they are written or in the guest's.
/// </summary>
internal sealed class VdiWriter : ImageWriter
{
    private const string Dynamic = "dynamic";
    private const string Static = "static";

    // qemu reads no other, and VirtualBox makes no other by itself.
    private const int BlockSize = 1 << 20;
    private const int SectorLength = VdiHeader.SectorSizeOfDisk;

    // Entries of the block map that are kept, and written together.
    private const int WindowEntries = 16 * 1024;

    private readonly bool _isStatic;
    private readonly long _blocks;
    private readonly uint _dataOffset;
    private readonly Guid _imageId;
    private readonly byte[] _window = new byte[WindowEntries * sizeof(uint)];
    private long _windowStart;
    private uint _nextBlock;

    internal VdiWriter(WriterOptions options)
    {
        OptionCheck.RefuseAllBut(
            options, ImageFormat.Vdi, nameof(options.VirtualSize), nameof(options.Subformat),
            nameof(options.ClusterSize), nameof(options.UniqueId), nameof(options.TimeStamp));
        if (options.ClusterSize is not (null or BlockSize))
        {
            throw new ImageOptionException(
                nameof(options.ClusterSize),
                $"ClusterSize is {options.ClusterSize}; a VDI is written in blocks of {BlockSize} bytes.");
        }

        _isStatic = OptionCheck.Subformat(options.Subformat, ImageFormat.Vdi, Dynamic, Static) == Static;
        _blocks = options.VirtualSize / BlockSize + (options.VirtualSize % BlockSize > 0 ? 1 : 0);
        var dataOffset = SectorLength + (_blocks * sizeof(uint) + SectorLength - 1) / SectorLength * SectorLength;
        if (dataOffset > uint.MaxValue)
        {
            throw new ImageOptionException(
                nameof(options.VirtualSize),
                "A VDI has room for the block map of a disk of nearly 1 PiB; this one has "
                + $"{options.VirtualSize} bytes.");
        }

        VirtualSize = (options.VirtualSize + SectorLength - 1) / SectorLength * SectorLength;
        _dataOffset = (uint)dataOffset;
        _imageId = options.UniqueId ?? Guid.NewGuid();
        _nextBlock = _isStatic ? (uint)_blocks : 0;
        Forget();
    }

    public override long VirtualSize { get; }

    public override long UnitSize => BlockSize;

    public override long? LinearOffset => _isStatic ? _dataOffset : null;

    public override async ValueTask<long> PlaceAsync(
        long guestOffset, long length, CancellationToken cancellationToken)
    {
        if (_isStatic)
        {
            return _dataOffset + guestOffset;
        }

        var block = guestOffset / BlockSize;
        while (block >= _windowStart + WindowEntries)
        {
            await WriteWindowAsync(cancellationToken).ConfigureAwait(false);
        }

        var entry = _window.AsMemory((int)(block - _windowStart) * sizeof(uint), sizeof(uint));
        var place = BinaryPrimitives.ReadUInt32LittleEndian(entry.Span);
        if (place >= VdiSafetyChecks.FirstUnallocatedEntry)
        {
            place = _nextBlock++;
            if (length < BlockSize)
            {
                await ClearAsync(_dataOffset + (long)place * BlockSize, BlockSize, cancellationToken)
                    .ConfigureAwait(false);
            }

            BinaryPrimitives.WriteUInt32LittleEndian(entry.Span, place);
        }

        return _dataOffset + (long)place * BlockSize + guestOffset % BlockSize;
    }

    public override async ValueTask FinishAsync(CancellationToken cancellationToken)
    {
        while (_windowStart < _blocks)
        {
            await WriteWindowAsync(cancellationToken).ConfigureAwait(false);
        }

        await Sink.SetLengthAsync(_dataOffset + (long)_nextBlock * BlockSize, cancellationToken).ConfigureAwait(false);
        var header = new byte[SectorLength];
        new VdiHeader
        {
            Text = "<<< ImageUtils Virtual Disk Image >>>\n",
            ImageType = _isStatic ? VdiImageType.Static : VdiImageType.Dynamic,
            BlockMapOffset = SectorLength,
            DataOffset = _dataOffset,
            DiskSize = (ulong)VirtualSize,
            BlockSize = BlockSize,
            BlocksInImage = (uint)_blocks,
            BlocksAllocated = _nextBlock,
            ImageId = _imageId,

            // Any other identity than the image's will do, and this one is the same each time.
            ModificationId = new Guid(SHA256.HashData(_imageId.ToByteArray()).AsSpan(0, 16)),
        }.Write(header);
        await Sink.WriteAsync(0, header, cancellationToken).ConfigureAwait(false);
    }

    public override void SaveState(BinaryWriter writer)
    {
        writer.Write(_isStatic);
        writer.Write(VirtualSize);
        writer.Write(_windowStart);
        writer.Write(_nextBlock);
        writer.Write(_window);
    }

    protected override void RestoreState(BinaryReader reader)
    {
        if (reader.ReadBoolean() != _isStatic || reader.ReadInt64() != VirtualSize)
        {
            throw new InvalidDataException("The saved state is that of another image.");
        }

        _windowStart = reader.ReadInt64();
        _nextBlock = reader.ReadUInt32();
        if (_windowStart < 0 || _windowStart % WindowEntries != 0 || _windowStart > _blocks || _nextBlock > _blocks)
        {
            throw new InvalidDataException("The saved state has an impossible position.");
        }

        reader.BaseStream.ReadExactly(_window);
    }

    protected override async ValueTask StartAsync(CancellationToken cancellationToken)
    {
        if (_isStatic)
        {
            var end = _dataOffset + VirtualSize;
            var fileEnd = _dataOffset + _blocks * BlockSize;
            await Sink.SetLengthAsync(fileEnd, cancellationToken).ConfigureAwait(false);
            if (fileEnd > end)
            {
                await ClearAsync(end, fileEnd - end, cancellationToken).ConfigureAwait(false);
            }
        }

        // A device may begin with a valid header of former times.
        await ClearAsync(0, SectorLength, cancellationToken).ConfigureAwait(false);
    }

    // Writes the block map as far as the window goes, and begins the next.
    private async ValueTask WriteWindowAsync(CancellationToken cancellationToken)
    {
        var count = (int)Math.Min(WindowEntries, _blocks - _windowStart);
        if (_isStatic)
        {
            for (var index = 0; index < count; index++)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(
                    _window.AsSpan(index * sizeof(uint)), (uint)(_windowStart + index));
            }
        }

        // The map fills whole sectors, with zeros behind its entries.
        var length = (count * sizeof(uint) + SectorLength - 1) / SectorLength * SectorLength;
        _window.AsSpan(count * sizeof(uint), length - count * sizeof(uint)).Clear();
        await Sink.WriteAsync(
            SectorLength + _windowStart * sizeof(uint), _window.AsMemory(0, length), cancellationToken)
            .ConfigureAwait(false);
        _windowStart += WindowEntries;
        Forget();
    }

    private void Forget() => _window.AsSpan().Fill(0xFF);
}
