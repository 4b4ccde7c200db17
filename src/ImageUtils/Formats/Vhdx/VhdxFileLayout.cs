using System.Buffers.Binary;
using ImageUtils.IO;

namespace ImageUtils.Formats.Vhdx;

/// <summary>Where the structures of a new file lie, and what is in those that do not depend on the data.</summary>
/// <remarks>The order is Hyper-V's: headers, log, metadata, block allocation table, payload.</remarks>
internal sealed class VhdxFileLayout
{
    private const uint Mebibyte = VhdxSafetyChecks.Mebibyte;
    private const uint LogOffset = Mebibyte;
    private const uint MetadataOffset = 2 * Mebibyte;
    private const int ItemsOffset = VhdxMetadataTable.Length;
    private const int LocatorOffset = ItemsOffset + 64;
    private const int MetadataWritten = 128 * 1024;

    private readonly VhdxWriterOptions _options;

    internal VhdxFileLayout(VhdxWriterOptions options)
    {
        _options = options;
        var tableLength = Math.Max(options.Layout.Entries, 1) * VhdxBatEntry.Length;
        TableSpace = (long)((tableLength + Mebibyte - 1) / Mebibyte * Mebibyte);
    }

    internal static long TableOffset => 3 * Mebibyte;

    internal long TableSpace { get; }

    internal long PayloadOffset => TableOffset + TableSpace;

    /// <summary>Writes all but the table, the file identifier last.</summary>
    internal async ValueTask WriteAsync(IByteSink sink, CancellationToken cancellationToken)
    {
        await sink.WriteAsync(MetadataOffset, MakeMetadata(), cancellationToken).ConfigureAwait(false);
        var regions = new byte[VhdxRegionTable.Length];
        VhdxRegionTable.Write(
            [
                new(VhdxIds.BatRegion, (ulong)TableOffset, (uint)TableSpace, true),
                new(VhdxIds.MetadataRegion, MetadataOffset, Mebibyte, true),
            ],
            regions);
        await sink.WriteAsync(VhdxRegionTable.SecondOffset, regions, cancellationToken).ConfigureAwait(false);
        await sink.WriteAsync(VhdxRegionTable.FirstOffset, regions, cancellationToken).ConfigureAwait(false);
        await sink.WriteAsync(VhdxHeader.FirstOffset, MakeHeader(1), cancellationToken).ConfigureAwait(false);
        await sink.WriteAsync(VhdxHeader.SecondOffset, MakeHeader(2), cancellationToken).ConfigureAwait(false);
        var identifier = new byte[VhdxFileIdentifier.Length];
        new VhdxFileIdentifier("ImageUtils").Write(identifier);
        await sink.WriteAsync(0, identifier, cancellationToken).ConfigureAwait(false);
    }

    private byte[] MakeHeader(ulong sequenceNumber)
    {
        var bytes = new byte[VhdxHeader.Length];
        new VhdxHeader
        {
            SequenceNumber = sequenceNumber,
            FileWriteGuid = _options.FileWriteGuid,
            DataWriteGuid = _options.DataWriteGuid,
            LogLength = Mebibyte,
            LogOffset = LogOffset,
        }.Write(bytes);
        return bytes;
    }

    private byte[] MakeMetadata()
    {
        const VhdxMetadataFlags ofFile = VhdxMetadataFlags.IsRequired;
        const VhdxMetadataFlags ofDisk = VhdxMetadataFlags.IsRequired | VhdxMetadataFlags.IsVirtualDisk;
        var bytes = new byte[MetadataWritten];
        var items = bytes.AsSpan(ItemsOffset);
        new VhdxFileParameters(_options.BlockSize, _options.IsFixed, _options.Parent is not null).Write(items);
        BinaryPrimitives.WriteUInt64LittleEndian(items[8..], _options.VirtualSize);
        _options.VirtualDiskId.TryWriteBytes(items[16..]);
        BinaryPrimitives.WriteUInt32LittleEndian(items[32..], VhdxWriterOptions.SectorSize);
        BinaryPrimitives.WriteUInt32LittleEndian(items[36..], VhdxWriterOptions.SectorSize);
        var entries = new List<VhdxMetadataEntry>
        {
            new(VhdxIds.FileParameters, ItemsOffset, VhdxFileParameters.Length, ofFile),
            new(VhdxIds.VirtualDiskSize, ItemsOffset + 8, 8, ofDisk),
            new(VhdxIds.VirtualDiskId, ItemsOffset + 16, 16, ofDisk),
            new(VhdxIds.LogicalSectorSize, ItemsOffset + 32, 4, ofDisk),
            new(VhdxIds.PhysicalSectorSize, ItemsOffset + 36, 4, ofDisk),
        };
        if (_options.Parent is { } locator)
        {
            var length = locator.Write(bytes.AsSpan(LocatorOffset));
            entries.Add(new(VhdxIds.ParentLocator, LocatorOffset, (uint)length, ofFile));
        }

        VhdxMetadataTable.Write(entries, bytes);
        return bytes;
    }
}
