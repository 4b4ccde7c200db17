using System.Buffers.Binary;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Formats.Luks;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Qcow2;

/// <summary>QEMU copy-on-write images, versions 2 and 3.</summary>
internal sealed class Qcow2Format : IReadableFormat, IWritableFormat
{
    // What is read of tables that are described or sampled: enough for a thousand snapshots, or an L1 table of 2 TiB.
    private const int MaximumTableRead = 32 * 1024;

    private const ulong L2OffsetMask = 0x00FF_FFFF_FFFF_FE00;

    public ImageFormat Format => ImageFormat.Qcow2;

    public ReadOnlySpan<byte> FirstBytes => "Q"u8;

    public IReadOnlyList<SafetyCheck> Checks => Qcow2SafetyChecks.Declared;

    public async ValueTask<bool> ProbeAsync(ForwardReader reader, CancellationToken cancellationToken)
    {
        // Version 1 is another format. A file too short to have a version is of none, but meant to be this.
        var bytes = await reader.ReadAsync(0, 8, cancellationToken).ConfigureAwait(false);
        return bytes.Length >= 4
            && BinaryPrimitives.ReadUInt32BigEndian(bytes.Span) == Qcow2Header.Magic
            && !(bytes.Length == 8 && BinaryPrimitives.ReadUInt32BigEndian(bytes.Span[4..]) == 1);
    }

    public async ValueTask InspectAsync(InspectionContext context, CancellationToken cancellationToken)
    {
        var header = await Qcow2FirstCluster.ReadHeaderAsync(context.Reader, cancellationToken).ConfigureAwait(false);
        Describe(context.Image, header);
        context.Judge(
            CheckNames.UnknownFeatures,
            Qcow2SafetyChecks.FindUnknownFeatures(header, context.Policy.AllowExtendedL2));
        var (extensions, backingFile) = await ReadFirstClusterAsync(context, header, cancellationToken)
            .ConfigureAwait(false);
        context.Image.BackingFile = backingFile;
        context.Image.BackingFormat = extensions.BackingFormat;
        context.Image.DataFile = extensions.DataFile;
        context.Image.Details = (Qcow2Details)context.Image.Details! with { DataFile = extensions.DataFile };
        JudgeReferences(context, header, backingFile, extensions.DataFile);

        var tables = new List<(long Offset, int Length, Action<ReadOnlyMemory<byte>> Use)>();
        ulong furthestL2 = 0;
        string? misplacedL2 = null;
        AddTables(context.Image, header, extensions, tables, l1 => FindL2(l1.Span, header, ref furthestL2, ref misplacedL2));
        foreach (var (offset, length, use) in tables.OrderBy(table => table.Offset))
        {
            use(await context.Reader.ReadAsync(offset, length, cancellationToken).ConfigureAwait(false));
        }

        var fileLength = await context.Reader.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        context.Judge(CheckNames.Tables, misplacedL2 ?? Qcow2SafetyChecks.FindBeyondEnd(header, fileLength));
        context.Judge(
            CheckNames.Truncated,
            (long)furthestL2 < fileLength
                ? null
                : $"A qcow2 L2 table is at byte {furthestL2}, but the file has only {fileLength} bytes: it is cut short.");
    }

    public ValueTask<ImageMap> OpenAsync(
        IByteSource source, ReaderContext context, CancellationToken cancellationToken) =>
        Qcow2Reader.OpenAsync(source, context, cancellationToken);

    public ImageWriter CreateWriter(WriterOptions options) => new Qcow2Writer(Qcow2Plan.Of(options));

    private static void Describe(ImageInspection image, Qcow2Header header)
    {
        var isVersion3 = header.Version >= 3;
        image.FormatVersion = header.Version.ToString();
        image.VirtualSize = header.Size <= long.MaxValue ? (long)header.Size : null;
        image.ClusterSize = header.ClusterBits is >= Qcow2SafetyChecks.MinimumClusterBits and <= Qcow2SafetyChecks.MaximumClusterBits
            ? 1L << (int)header.ClusterBits
            : null;
        image.IsEncrypted = header.CryptMethod != 0;
        image.IsDirty = header.IncompatibleFeatures.HasFlag(Qcow2IncompatibleFeatures.Dirty);
        image.IsCorrupt = header.IncompatibleFeatures.HasFlag(Qcow2IncompatibleFeatures.Corrupt);
        image.CompressionType = header.CompressionType switch { 0 => "zlib", 1 => "zstd", var type => $"unknown ({type})" };
        image.Features = Qcow2FeatureNames.Of(header);
        image.Details = new Qcow2Details
        {
            Compat = isVersion3 ? "1.1" : "0.10",
            RefcountBits = header.RefcountOrder <= Qcow2SafetyChecks.MaximumRefcountOrder ? 1 << (int)header.RefcountOrder : 0,
            CompressionType = image.CompressionType,
            LazyRefcounts = isVersion3 ? header.CompatibleFeatures.HasFlag(Qcow2CompatibleFeatures.LazyRefcounts) : null,
            Corrupt = isVersion3 ? image.IsCorrupt : null,
            ExtendedL2 = isVersion3 ? header.IncompatibleFeatures.HasFlag(Qcow2IncompatibleFeatures.ExtendedL2) : null,
            DataFileRaw = header.IncompatibleFeatures.HasFlag(Qcow2IncompatibleFeatures.ExternalDataFile)
                ? header.AutoclearFeatures.HasFlag(Qcow2AutoclearFeatures.RawExternalData)
                : null,
            EncryptionFormat = header.CryptMethod switch { 0 => null, 1 => "aes", 2 => "luks", var method => $"unknown ({method})" },
        };
    }

    private static void JudgeReferences(
        InspectionContext context, Qcow2Header header, string? backingFile, string? dataFile)
    {
        context.JudgeReferences(
            CheckNames.BackingFile, "the backing file",
            header.BackingFileOffset == 0 ? [] : [backingFile ?? ""], context.Policy.BackingFileGate);
        context.JudgeReferences(
            CheckNames.DataFile, "the external data file",
            header.IncompatibleFeatures.HasFlag(Qcow2IncompatibleFeatures.ExternalDataFile) ? [dataFile ?? ""] : [],
            context.Policy.DataFileGate);
    }

    private static async ValueTask<(Qcow2HeaderExtensions Extensions, string? BackingFile)> ReadFirstClusterAsync(
        InspectionContext context, Qcow2Header header, CancellationToken cancellationToken)
    {
        try
        {
            return Qcow2SafetyChecks.FindImpossible(header) is { } impossible
                ? throw new ImageFormatException(CheckNames.Tables, impossible)
                : await Qcow2FirstCluster.ReadAsync(context.Reader, header, cancellationToken).ConfigureAwait(false);
        }
        catch (ImageFormatException)
        {
            // Whether there are such files is known from the header alone, and must not go unasked.
            JudgeReferences(context, header, null, null);
            throw;
        }
    }

    private static void AddTables(
        ImageInspection image,
        Qcow2Header header,
        Qcow2HeaderExtensions extensions,
        List<(long Offset, int Length, Action<ReadOnlyMemory<byte>> Use)> tables,
        Action<ReadOnlyMemory<byte>> useL1)
    {
        if (header.L1Size > 0)
        {
            tables.Add(((long)header.L1TableOffset, (int)Math.Min(header.L1Size * 8L, MaximumTableRead), useL1));
        }

        if (header.SnapshotCount > 0)
        {
            tables.Add(((long)header.SnapshotsOffset, MaximumTableRead,
                bytes => image.Snapshots = Qcow2SnapshotTable.Parse(bytes.Span, header.SnapshotCount)));
        }

        // The header of the volume that the guest's data is in, at the offset that the extension has.
        if (extensions.EncryptionHeader is { } encryption && header.CryptMethod == 2)
        {
            if (Qcow2SafetyChecks.FindMisplaced("encryption header", encryption.Offset, 1L << (int)header.ClusterBits)
                is { } misplaced)
            {
                throw new ImageFormatException(CheckNames.Tables, misplaced);
            }

            tables.Add(((long)encryption.Offset, LuksHeader.Length, bytes =>
            {
                if (bytes.Length == LuksHeader.Length && bytes.Span.StartsWith(LuksHeader.Magic))
                {
                    image.Details = (Qcow2Details)image.Details! with
                    {
                        Encryption = LuksDetails.Of(LuksHeader.Parse(bytes.Span)),
                    };
                }
            }
            ));
        }

        // Readers ignore the extension unless its autoclear bit says that it is up to date.
        if (extensions.Bitmaps is { Count: > 0 } bitmaps
            && header.AutoclearFeatures.HasFlag(Qcow2AutoclearFeatures.Bitmaps))
        {
            if (bitmaps.Count > Qcow2SafetyChecks.MaximumBitmaps
                || bitmaps.DirectorySize > Qcow2SafetyChecks.MaximumBitmapDirectoryBytes)
            {
                throw new ImageFormatException(
                    CheckNames.Tables,
                    $"The qcow2 bitmap directory has {bitmaps.Count} entries in {bitmaps.DirectorySize} bytes, "
                    + "more than is possible.");
            }

            if (Qcow2SafetyChecks.FindMisplaced("bitmap directory", bitmaps.DirectoryOffset, 1L << (int)header.ClusterBits)
                is { } misplaced)
            {
                throw new ImageFormatException(CheckNames.Tables, misplaced);
            }

            tables.Add(((long)bitmaps.DirectoryOffset, (int)Math.Min(bitmaps.DirectorySize, MaximumTableRead),
                bytes => image.Details = (Qcow2Details)image.Details! with
                {
                    Bitmaps = Qcow2BitmapDirectory.Parse(bytes.Span, bitmaps.Count),
                }));
        }
    }

    private static void FindL2(ReadOnlySpan<byte> l1, Qcow2Header header, ref ulong furthest, ref string? misplaced)
    {
        var clusterSize = 1UL << (int)header.ClusterBits;
        for (var at = 0; at + 8 <= l1.Length; at += 8)
        {
            var offset = BinaryPrimitives.ReadUInt64BigEndian(l1[at..]) & L2OffsetMask;
            if (offset != 0 && offset % clusterSize != 0)
            {
                misplaced ??= $"The qcow2 L1 table's entry {at / 8} points at byte {offset}, "
                    + $"which is no multiple of the cluster's {clusterSize} bytes.";
            }

            furthest = Math.Max(furthest, offset);
        }
    }
}
