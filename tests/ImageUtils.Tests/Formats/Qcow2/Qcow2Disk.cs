using ImageUtils.Codecs;
using ImageUtils.Conversion;
using ImageUtils.Formats;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats.Qcow2;

/// <summary>Reads and writes whole disks natively, and lays out test data.</summary>
internal static class Qcow2Disk
{
    public static IWritableFormat Format { get; } =
        (IWritableFormat)FormatRegistry.All.Single(format => format.Format == ImageFormat.Qcow2);

    /// <summary>Options that let an image refer to files beside it.</summary>
    public static OpenOptions Within(TemporaryDirectory directory, string? snapshot = null) => new()
    {
        Snapshot = snapshot,
        Inspection = new InspectionOptions
        {
            Policy = new SafetyPolicy
            {
                AllowExtendedL2 = true,
                BackingFileDirectories = [directory.Path],
                DataFileDirectories = [directory.Path],
            },
        },
    };

    public static async Task<byte[]> ReadAsync(string path, OpenOptions? options = null)
    {
        using var image = await ImageOpener.OpenAsync(path, options);
        return await ReadAsync(image.Map, 0, image.Map.VirtualSize);
    }

    /// <summary>Reads a range through its extents, which must be without gaps and merged.</summary>
    public static async Task<byte[]> ReadAsync(ImageMap map, long guestOffset, long length)
    {
        using var reader = new ExtentReader();
        var bytes = new byte[length];
        var extents = await ExtentsAsync(map, guestOffset, length);
        var at = guestOffset;
        for (var i = 0; i < extents.Count; i++)
        {
            Assert.Equal(at, extents[i].GuestOffset);
            Assert.True(extents[i].Length > 0);
            Assert.False(i > 0 && extents[i - 1].IsContinuedBy(extents[i]));
            at = extents[i].GuestEnd;
        }

        Assert.Equal(guestOffset + length, at);
        await reader.ReadAsync(extents, guestOffset, bytes, default);
        return bytes;
    }

    public static async Task<List<Extent>> ExtentsAsync(ImageMap map, long guestOffset, long length)
    {
        var extents = new List<Extent>();
        await foreach (var extent in map.GetExtentsAsync(guestOffset, length, default))
        {
            extents.Add(extent);
        }

        return extents;
    }

    /// <summary>Opens bytes as they are, without an inspection before.</summary>
    public static async Task<ImageMap> OpenAsync(byte[] image, string? snapshot = null) =>
        await ((IReadableFormat)Format).OpenAsync(
            SparseMemory.Of(image), new LonelyContext { Inspection = new(), Snapshot = snapshot }, default);

    /// <summary>Converts a raw file by the pump.</summary>
    public static async Task ConvertAsync(string raw, string target, WriterOptions options)
    {
        using var source = await ImageOpener.OpenAsync(raw, new OpenOptions { KnownRaw = true });
        using var destination = Destination.Create(target, overwrite: true);
        var writer = Format.CreateWriter(options with { VirtualSize = source.Map.VirtualSize });
        await writer.BeginAsync(destination.Sink, default);
        await new CopyPump(source.Map, writer, destination.Sink).RunAsync(0, default);
        await writer.FinishAsync(default);
        destination.Commit();
    }

    /// <summary>Writes the parts of a disk that are not zero, compressed where the writer compresses.</summary>
    public static async Task WriteAsync(ImageWriter writer, byte[] disk, long start = 0, long end = long.MaxValue)
    {
        end = Math.Min(end, disk.Length);
        var unit = (int)writer.UnitSize;
        using var encoder = writer.Compression is { } compression
            ? UnitEncoder.Create(compression.Codec, compression.Level, unit)
            : null;
        for (var at = (int)start; at < end; at += unit)
        {
            var piece = disk.AsMemory(at, Math.Min(unit, disk.Length - at));
            if (!piece.Span.ContainsAnyExcept((byte)0))
            {
                continue;
            }

            var encoded = new byte[unit - 1];
            var padded = new byte[unit];
            piece.CopyTo(padded);
            var length = encoder?.Encode(padded, encoded) ?? 0;
            if (length > 0)
            {
                await writer.WriteCompressedAsync(at, encoded.AsMemory(0, length), default);
                continue;
            }

            // In two pieces, as a caller may who found zeros between them.
            var first = piece.Length / 3;
            var secondStart = piece.Span[first..].IndexOfAnyExcept((byte)0) is var skip and >= 0 ? first + skip : first;
            await writer.WriteAsync(at, piece[..first], default);
            await writer.WriteAsync(at + secondStart, piece[secondStart..], default);
        }
    }

    /// <summary>A disk with runs of random, repetitive and zero bytes.</summary>
    public static byte[] Make(int length, int seed, int run = 40_000)
    {
        var random = new Random(seed);
        var disk = new byte[length];
        for (var at = 0; at < length;)
        {
            var piece = disk.AsSpan(at, Math.Min(random.Next(1, run), length - at));
            switch (random.Next(4))
            {
                case 0:
                    random.NextBytes(piece);
                    break;
                case 1:
                    piece.Fill((byte)random.Next(1, 256));
                    break;
                case 2:
                    // Something that compresses by a half or so.
                    random.NextBytes(piece);
                    for (var i = 0; i < piece.Length; i++)
                    {
                        piece[i] &= 0x0F;
                    }

                    break;
            }

            at += piece.Length;
        }

        return disk;
    }

    private sealed class LonelyContext : ReaderContext
    {
        public override ValueTask<OpenedParent> OpenParentAsync(
            string reference, ImageFormat statedFormat, CancellationToken cancellationToken) =>
            throw new InvalidOperationException($"There is no '{reference}'.");

        public override ValueTask<IByteSource> OpenDataFileAsync(
            string reference, CancellationToken cancellationToken) =>
            throw new InvalidOperationException($"There is no '{reference}'.");
    }
}
