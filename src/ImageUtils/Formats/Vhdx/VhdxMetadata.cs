using System.Buffers.Binary;
using ImageUtils.Errors;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Vhdx;

/// <summary>Reads a structure that must be there whole.</summary>
/// <param name="offset">Where it lies, in bytes from the start of the file.</param>
/// <param name="length">Its length in bytes.</param>
/// <param name="what">Its name, for the message.</param>
/// <param name="cancellationToken">Ends the wait.</param>
internal delegate ValueTask<ReadOnlyMemory<byte>> StructureRead(
    long offset, int length, string what, CancellationToken cancellationToken);

/// <summary>The items of the metadata region that describe the disk, as far as they are there.</summary>
/// <remarks>MS-VHDX, section 2.6, "Metadata Region".</remarks>
internal sealed class VhdxMetadata
{
    /// <summary>The longest parent locator that is read: three paths of 4 Ki characters fit in.</summary>
    internal const int MaximumLocatorRead = 32 * 1024;

    // Header and 31 entries; no known tool writes more than six.
    private const int FirstTableRead = 1024;

    private const int EntriesInFirstRead =
        (FirstTableRead - VhdxMetadataTable.HeaderLength) / VhdxMetadataTable.EntryLength;

    internal VhdxFileParameters? FileParameters { get; private set; }

    internal ulong? VirtualDiskSize { get; private set; }

    internal Guid? VirtualDiskId { get; private set; }

    internal uint? LogicalSectorSize { get; private set; }

    internal uint? PhysicalSectorSize { get; private set; }

    /// <summary>Whether there is a parent locator, be it readable or not.</summary>
    internal bool HasLocator { get; private set; }

    /// <summary>The parent locator; null where there is none that can be read.</summary>
    internal VhdxParentLocator? Locator { get; private set; }

    /// <summary>The names, for messages, of required items that are not there.</summary>
    internal IEnumerable<string> Missing => new[]
    {
        FileParameters is null ? "file parameters" : null,
        VirtualDiskSize is null ? "virtual disk size" : null,
        VirtualDiskId is null ? "virtual disk id" : null,
        LogicalSectorSize is null ? "logical sector size" : null,
        PhysicalSectorSize is null ? "physical sector size" : null,
    }.OfType<string>();

    /// <summary>Reads the table at the region's beginning.</summary>
    /// <exception cref="ImageFormatException">It is no table, is cut short, or its entries are impossible.</exception>
    internal static async ValueTask<VhdxMetadataEntry[]> ReadTableAsync(
        StructureRead readAsync, VhdxRegion region, CancellationToken cancellationToken)
    {
        var offset = (long)region.FileOffset;
        var bytes = await readAsync(offset, FirstTableRead, "VHDX metadata table", cancellationToken)
            .ConfigureAwait(false);
        if (!bytes.Span.StartsWith(VhdxMetadataTable.Signature))
        {
            throw new ImageFormatException(
                CheckNames.Tables,
                $"The VHDX metadata region is at byte {offset}, but no metadata table (signature 'metadata') is "
                + "there.");
        }

        var count = VhdxMetadataTable.ReadEntryCount(bytes.Span);
        if (count > VhdxMetadataTable.MaximumEntries)
        {
            throw new ImageFormatException(
                CheckNames.Tables,
                $"The VHDX metadata table's entry count at byte {offset + 10} is {count}; at most "
                + $"{VhdxMetadataTable.MaximumEntries} is possible.");
        }

        var entries = VhdxMetadataTable.ParseEntries(
            bytes.Span[VhdxMetadataTable.HeaderLength..], Math.Min(count, EntriesInFirstRead));
        if (count > EntriesInFirstRead)
        {
            var rest = count - EntriesInFirstRead;
            var more = await readAsync(
                offset + FirstTableRead, rest * VhdxMetadataTable.EntryLength, "VHDX metadata table", cancellationToken)
                .ConfigureAwait(false);
            entries = [.. entries, .. VhdxMetadataTable.ParseEntries(more.Span, rest)];
        }

        return VhdxSafetyChecks.FindImpossibleItems(entries, region) is { } impossible
            ? throw new ImageFormatException(CheckNames.Tables, impossible)
            : entries;
    }

    /// <summary>Reads the items that a table of possible entries points at.</summary>
    internal static async ValueTask<VhdxMetadata> ReadItemsAsync(
        StructureRead readAsync,
        VhdxRegion region,
        VhdxMetadataEntry[] entries,
        CancellationToken cancellationToken)
    {
        var metadata = new VhdxMetadata();
        foreach (var entry in entries.OrderBy(entry => entry.Offset))
        {
            if (!VhdxSafetyChecks.IsKnown(entry))
            {
                continue;
            }

            if (entry.Is(VhdxIds.ParentLocator) && entry.Length > MaximumLocatorRead)
            {
                metadata.HasLocator = true;
                continue;
            }

            var bytes = await readAsync(
                (long)region.FileOffset + entry.Offset, (int)entry.Length, "VHDX metadata item", cancellationToken)
                .ConfigureAwait(false);
            metadata.Take(entry, bytes.Span);
        }

        return metadata;
    }

    private void Take(VhdxMetadataEntry entry, ReadOnlySpan<byte> bytes)
    {
        if (entry.Is(VhdxIds.FileParameters))
        {
            FileParameters = VhdxFileParameters.Parse(bytes);
        }
        else if (entry.Is(VhdxIds.VirtualDiskSize))
        {
            VirtualDiskSize = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        }
        else if (entry.Is(VhdxIds.VirtualDiskId))
        {
            VirtualDiskId = new Guid(bytes);
        }
        else if (entry.Is(VhdxIds.LogicalSectorSize))
        {
            LogicalSectorSize = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        }
        else if (entry.Is(VhdxIds.PhysicalSectorSize))
        {
            PhysicalSectorSize = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        }
        else
        {
            HasLocator = true;
            Locator = VhdxParentLocator.Parse(bytes);
        }
    }
}
