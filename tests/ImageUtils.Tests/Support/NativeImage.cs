using System.IO.Compression;
using ImageUtils.Codecs;
using ImageUtils.Conversion;
using ImageUtils.Formats;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;

namespace ImageUtils.Tests.Support;

/// <summary>Reads and writes images through their maps and writers alone, without the pump.</summary>
internal static class NativeImage
{
    /// <summary>Opens an image's map; files that it names are looked for beside it, without a gate.</summary>
    /// <param name="format">What reads it.</param>
    /// <param name="path">The image.</param>
    /// <param name="through">Puts something between the image's file and the reader.</param>
    public static ImageMap Open(IReadableFormat format, string path, Func<IByteSource, IByteSource>? through = null)
    {
        var inspection = ImageInspector.InspectFileAsync(path).AsTask().GetAwaiter().GetResult();
        var source = FileByteSource.Open(path);
        return format.OpenAsync(through?.Invoke(source) ?? source, new BesideContext(path) { Inspection = inspection }, default)
            .AsTask().GetAwaiter().GetResult();
    }

    /// <summary>The extents of a range, which are seen to be ascending and without gaps.</summary>
    public static List<Extent> Extents(ImageMap map, long guestOffset = 0, long? length = null)
    {
        var extents = new List<Extent>();
        var end = Math.Min(guestOffset + (length ?? map.VirtualSize), map.VirtualSize);
        var at = guestOffset;
        Walk().GetAwaiter().GetResult();
        Assert.Equal(Math.Max(end, guestOffset), at);
        return extents;

        async Task Walk()
        {
            await foreach (var extent in map.GetExtentsAsync(guestOffset, end - guestOffset, default))
            {
                Assert.Equal(at, extent.GuestOffset);
                Assert.True(extent.Length > 0);
                at += extent.Length;
                extents.Add(extent);
            }
        }
    }

    /// <summary>The guest's bytes of a range.</summary>
    public static byte[] Read(ImageMap map, long guestOffset = 0, long? length = null)
    {
        var bytes = new byte[Math.Min(length ?? map.VirtualSize, map.VirtualSize - guestOffset)];
        foreach (var extent in Extents(map, guestOffset, bytes.Length))
        {
            var target = bytes.AsMemory((int)(extent.GuestOffset - guestOffset), (int)extent.Length);
            switch (extent.Kind)
            {
                case ExtentKind.Stored:
                    Assert.Equal(target.Length, ReadSource(extent.Source!, extent.HostOffset, target));
                    break;
                case ExtentKind.Compressed:
                    var packed = new byte[extent.HostLength];
                    Assert.Equal(packed.Length, ReadSource(extent.Source!, extent.HostOffset, packed));
                    var unit = new byte[extent.UnitLength];
                    Decode(extent.Codec, packed, unit);
                    unit.AsMemory(extent.UnitOffset, target.Length).CopyTo(target);
                    break;
            }
        }

        return bytes;
    }

    /// <summary>Writes those units of a disk that are not zero, as the pump would, in pieces of any length.</summary>
    public static void Write(
        ImageWriter writer, IByteSink sink, byte[] disk, int pieceLength = 1 << 20, long from = 0, long? to = null,
        bool isContinued = false, bool isFinished = true)
    {
        if (!isContinued)
        {
            writer.BeginAsync(sink, default).AsTask().GetAwaiter().GetResult();
        }

        var end = Math.Min(to ?? disk.Length, disk.Length);
        for (var at = from; at < end;)
        {
            var unit = writer.Compression is null ? pieceLength : writer.UnitSize;
            var length = (int)Math.Min(unit - at % unit, end - at);
            var piece = disk.AsMemory((int)at, length);
            if (piece.Span.ContainsAnyExcept((byte)0))
            {
                var written = writer.Compression is null
                    ? writer.WriteAsync(at, piece, default)
                    : writer.WriteCompressedAsync(at, Encode(piece.Span, (int)writer.UnitSize), default);
                written.AsTask().GetAwaiter().GetResult();
            }
            else
            {
                writer.WriteZeroesAsync(at, length, default).AsTask().GetAwaiter().GetResult();
            }

            at += length;
        }

        if (isFinished)
        {
            writer.FinishAsync(default).AsTask().GetAwaiter().GetResult();
        }
    }

    /// <summary>A disk of random runs of data, zeros, and repeated bytes.</summary>
    public static byte[] RandomDisk(int length, int seed, int longestRun = 200_000)
    {
        var random = new Random(seed);
        var disk = new byte[length];
        for (var at = 0; at < length;)
        {
            var run = disk.AsSpan(at, Math.Min(random.Next(1, longestRun), length - at));
            switch (random.Next(4))
            {
                case 0:
                    random.NextBytes(run);
                    break;
                case 1:
                    run.Fill((byte)random.Next(1, 256));
                    break;
            }

            at += run.Length;
        }

        return disk;
    }

    private static int ReadSource(IByteSource source, long offset, Memory<byte> buffer) =>
        source.ReadAsync(offset, buffer, default).AsTask().GetAwaiter().GetResult();

    private static byte[] Encode(ReadOnlySpan<byte> piece, int unitLength)
    {
        using var target = new MemoryStream();
        using (var zlib = new ZLibStream(target, CompressionLevel.Fastest))
        {
            zlib.Write(piece);
            zlib.Write(new byte[unitLength - piece.Length]);
        }

        return target.ToArray();
    }

    private static void Decode(UnitCodec codec, byte[] packed, byte[] unit)
    {
        Assert.Equal(UnitCodec.Zlib, codec);
        using var zlib = new ZLibStream(new MemoryStream(packed), CompressionMode.Decompress);
        zlib.ReadExactly(unit);
    }

    private sealed class BesideContext(string path) : ReaderContext
    {
        public override async ValueTask<OpenedParent> OpenParentAsync(
            string reference, ImageFormat statedFormat, CancellationToken cancellationToken)
        {
            var full = Path.Combine(Path.GetDirectoryName(path)!, reference);
            var inspection = await ImageInspector.InspectFileAsync(full, cancellationToken: cancellationToken);
            var format = FormatRegistry.All.Append(FormatRegistry.Raw).OfType<IReadableFormat>()
                .First(format => format.Format == inspection.Format);
            return new OpenedParent(Open(format, full), inspection, full);
        }

        public override ValueTask<IByteSource> OpenDataFileAsync(
            string reference, CancellationToken cancellationToken) =>
            ValueTask.FromResult<IByteSource>(
                FileByteSource.Open(Path.Combine(Path.GetDirectoryName(path)!, reference)));
    }
}
