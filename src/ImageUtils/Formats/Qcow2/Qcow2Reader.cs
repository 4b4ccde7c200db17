using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Qcow2;

/// <summary>Opens a qcow2 image for reading.</summary>
/// <remarks>
/// An image whose dirty bit is set is read as it is: reference counts may be wrong, the mapping is not. One that is
/// marked corrupt is read too, as qemu does where it need not write: what is damaged is found when it is come upon.
/// </remarks>
internal static class Qcow2Reader
{
    // With smaller clusters a subcluster would be less than a sector.
    private const uint MinimumExtendedClusterBits = 14;

    // Of a very long list, enough to see what the names are like.
    private const int MaximumNamesShown = 20;

    private const int MaximumSnapshotEntryLength = 40 + 1024 + 2 * ushort.MaxValue + 7;

    // qemu's QCOW_MAX_SNAPSHOTS_SIZE.
    private const long MaximumSnapshotTableBytes = 64L * 1024 * 1024;

    internal static async ValueTask<ImageMap> OpenAsync(
        IByteSource source, ReaderContext context, CancellationToken cancellationToken)
    {
        var reader = new ForwardReader(source);
        var fileLength = await source.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        var header = await Qcow2FirstCluster.ReadHeaderAsync(reader, cancellationToken).ConfigureAwait(false);
        Validate(header, fileLength);
        var (extensions, backingFile) = await Qcow2FirstCluster.ReadAsync(reader, header, cancellationToken)
            .ConfigureAwait(false);
        var l1 = context.Snapshot is { } wanted
            ? await FindSnapshotAsync(source, fileLength, header, wanted, cancellationToken).ConfigureAwait(false)
            : new Qcow2L1Table((long)header.L1TableOffset, header.L1Size, (long)header.Size);

        var data = header.IncompatibleFeatures.HasFlag(Qcow2IncompatibleFeatures.ExternalDataFile)
            ? await OpenDataFileAsync(extensions.DataFile, context, cancellationToken).ConfigureAwait(false)
            : null;
        var dataLength = data is null ? 0 : await data.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        var decoder = new Qcow2L2Decoder(header, source, fileLength, data, dataLength);
        var map = new Qcow2Map(source, fileLength, header, l1, decoder);

        // A name of no bytes is no backing file to qemu.
        if (string.IsNullOrEmpty(backingFile))
        {
            return map;
        }

        var parent = await context.OpenParentAsync(
            backingFile, ParseFormat(extensions.BackingFormat, backingFile), cancellationToken).ConfigureAwait(false);
        return new LayeredMap(map, parent.Map);
    }

    private static void Validate(Qcow2Header header, long fileLength)
    {
        if (header.Version is not (2 or 3))
        {
            throw new UnsupportedImageException($"The qcow2 version is {header.Version}; 2 and 3 are read.");
        }

        if (Qcow2SafetyChecks.FindUnknownFeatures(header, allowExtendedL2: true) is { } unknown)
        {
            throw new UnsupportedImageException(unknown);
        }

        if ((Qcow2SafetyChecks.FindImpossible(header) ?? Qcow2SafetyChecks.FindBeyondEnd(header, fileLength))
            is { } impossible)
        {
            throw new ImageFormatException(CheckNames.Tables, impossible);
        }

        if (header.CryptMethod != 0)
        {
            throw new UnsupportedImageException(
                "The guest's data in the qcow2 image is encrypted, which is not read natively. "
                + "Give a passphrase and use the Qemu engine.");
        }

        if (header.IncompatibleFeatures.HasFlag(Qcow2IncompatibleFeatures.ExtendedL2)
            && header.ClusterBits < MinimumExtendedClusterBits)
        {
            throw new ImageFormatException(
                CheckNames.Tables,
                $"The qcow2 header's cluster_bits at byte 20 is {header.ClusterBits}; "
                + $"with extended L2 entries {MinimumExtendedClusterBits} is the least.");
        }
    }

    private static ImageFormat ParseFormat(string? name, string backingFile)
    {
        // Older versions of qemu wrote the driver of a device here; its content is as raw as a file's.
        if (string.IsNullOrEmpty(name))
        {
            return ImageFormat.Unknown;
        }

        return name is "file" or "host_device"
            ? ImageFormat.Raw
            : ImageFormatNames.TryParse(name, out var format)
                ? format
                : throw new UnsupportedImageException(
                    $"The qcow2 image states that its backing file '{Printable.Text(backingFile)}' is of the format "
                    + $"'{Printable.Text(name)}', which is not known. Correct it with 'qemu-img rebase -u -F'.");
    }

    private static ValueTask<IByteSource> OpenDataFileAsync(
        string? name, ReaderContext context, CancellationToken cancellationToken) =>
        string.IsNullOrEmpty(name)
            ? throw new ImageFormatException(
                CheckNames.DataFile,
                "The qcow2 image has an external data file (incompatible feature bit 2), but does not name it. "
                + "Name it with 'qemu-img amend -o data_file='.")
            : context.OpenDataFileAsync(name, cancellationToken);

    private static async ValueTask<Qcow2L1Table> FindSnapshotAsync(
        IByteSource source, long fileLength, Qcow2Header header, string wanted, CancellationToken cancellationToken)
    {
        Qcow2Snapshot? byName = null;
        var shown = new List<string>();
        var buffer = new byte[2 * MaximumSnapshotEntryLength];
        var (start, length, position) = (0, 0, (long)header.SnapshotsOffset);
        for (var index = 0; index < header.SnapshotCount; index++)
        {
            if (length < MaximumSnapshotEntryLength)
            {
                buffer.AsSpan(start, length).CopyTo(buffer);
                start = 0;
                var read = await source.ReadAsync(position, buffer.AsMemory(length), cancellationToken)
                    .ConfigureAwait(false);
                (length, position) = (length + read, position + read);
            }

            if (Qcow2SnapshotTable.ParseEntry(buffer.AsSpan(start, length), index) is not { } entry)
            {
                throw new TruncatedImageException(
                    $"The qcow2 snapshot table at byte {header.SnapshotsOffset} should have {header.SnapshotCount} "
                    + $"entries, but the file ends in entry {index}.");
            }

            if (position - length - (long)header.SnapshotsOffset > MaximumSnapshotTableBytes)
            {
                throw new ImageFormatException(
                    CheckNames.Tables, $"The qcow2 snapshot table is longer than {MaximumSnapshotTableBytes} bytes.");
            }

            // As with qemu-img: an id counts before a name, and of equal names the first.
            if (entry.Snapshot.Id == wanted)
            {
                return LocateL1(entry, header, fileLength);
            }

            byName ??= entry.Snapshot.Name == wanted ? entry : null;
            if (shown.Count < MaximumNamesShown)
            {
                shown.Add($"{Printable.Text(entry.Snapshot.Id)} ({Printable.Text(entry.Snapshot.Name)})");
            }

            var taken = Math.Min(entry.Length, length);
            (start, length) = (start + taken, length - taken);
        }

        return byName is not null
            ? LocateL1(byName, header, fileLength)
            : throw new SnapshotNotFoundException(
                wanted,
                shown.Count == 0
                    ? $"There is no snapshot '{Printable.Text(wanted)}': the qcow2 image has none."
                    : $"There is no snapshot '{Printable.Text(wanted)}' in the qcow2 image, which has, by id and name: "
                        + $"{string.Join(", ", shown)}{(header.SnapshotCount > shown.Count ? " and more" : "")}.");
    }

    private static Qcow2L1Table LocateL1(Qcow2Snapshot entry, Qcow2Header header, long fileLength)
    {
        var title = $"L1 table of the snapshot '{Printable.Text(entry.Snapshot.Id)}'";
        var bytes = entry.L1Size * 8L;
        if (bytes > Qcow2SafetyChecks.MaximumL1Bytes)
        {
            throw new ImageFormatException(
                CheckNames.Tables,
                $"The qcow2 {title} has {entry.L1Size} entries; "
                + $"at most {Qcow2SafetyChecks.MaximumL1Bytes / 8} are possible.");
        }

        if (entry.L1Size > 0
            && Qcow2SafetyChecks.FindMisplaced(title, entry.L1TableOffset, 1L << (int)header.ClusterBits)
            is { } misplaced)
        {
            throw new ImageFormatException(CheckNames.Tables, misplaced);
        }

        if (entry.L1Size > 0 && (long)entry.L1TableOffset > fileLength - bytes)
        {
            throw new TruncatedImageException(
                $"The qcow2 {title} has {entry.L1Size} entries at byte {entry.L1TableOffset}, beyond the file's "
                + $"{fileLength} bytes. The file is cut short: get it anew.");
        }

        var size = entry.Snapshot.DiskSize ?? (long)header.Size;
        return size >= 0
            ? new Qcow2L1Table((long)entry.L1TableOffset, entry.L1Size, size)
            : throw new ImageFormatException(
                CheckNames.Tables,
                $"The qcow2 snapshot '{Printable.Text(entry.Snapshot.Id)}' has a disk of {(ulong)size} bytes, "
                + "more than any disk can have.");
    }
}
