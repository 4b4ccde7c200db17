using System.Buffers.Binary;
using System.Text;
using ImageUtils.Conversion;
using ImageUtils.Formats.Vhd;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;
using ImageUtils.VhdChains;

namespace ImageUtils.Tests.VhdChains;

/// <summary>A random dynamic or differencing VHD, with what tapdisk adds or without.</summary>
internal static class SampleVhd
{
    private const int Sector = VhdFooter.SectorSize;

    public static Guid ParentId { get; } = new("11111111-2222-3333-4444-555555555555");

    public static SparseMemory Make(
        Random random, int blockSize, int blocks, bool withBatmap, bool isDifferencing, double allocated = 0.5)
    {
        var size = ((long)blocks * blockSize / Sector - random.Next(0, blockSize / Sector / 2)) * Sector;
        var file = new SparseMemory();
        var at = (long)VhdFooter.Length + VhdDynamicHeader.Length;
        var locators = new VhdParentLocator[VhdDynamicHeader.LocatorCount];
        var isLocatorFirst = random.Next(2) == 0;
        if (isDifferencing && isLocatorFirst)
        {
            AddLocator();
        }

        var header = new VhdDynamicHeader
        {
            TableOffset = (ulong)at,
            MaxTableEntries = (uint)blocks,
            BlockSize = (uint)blockSize,
            ParentUniqueId = isDifferencing ? ParentId : Guid.Empty,
            ParentUnicodeName = isDifferencing ? "parent.vhd" : "",
        };
        var table = new byte[(header.TableLength + Sector - 1) / Sector * Sector];
        table.AsSpan().Fill(0xFF);
        at += table.Length;
        var batmap = new byte[VhdBatmapLength(blocks)];
        var batmapOffset = at;
        at += withBatmap ? Sector + batmap.Length : 0;
        if (isDifferencing && !isLocatorFirst)
        {
            AddLocator();
        }

        at += random.Next(3) * Sector;
        var order = Enumerable.Range(0, blocks).Where(_ => random.NextDouble() < allocated).ToArray();
        random.Shuffle(order);
        foreach (var block in order)
        {
            at += random.Next(4) == 0 ? Sector * random.Next(1, 8) : 0;
            BinaryPrimitives.WriteUInt32BigEndian(table.AsSpan(block * 4), (uint)(at / Sector));
            var bitmap = MakeBitmap(random, (int)header.BitmapSize, blockSize, isDifferencing);
            if (bitmap.AsSpan(0, Math.Max(blockSize / Sector / 8, 1)).IndexOfAnyExcept((byte)0xFF) < 0)
            {
                batmap[block / 8] |= (byte)(0x80 >> (block % 8));
            }

            file.Put(at, bitmap);
            var run = new byte[random.Next(1, 16) * Sector];
            for (var piece = 0; piece < 6; piece++)
            {
                random.NextBytes(run);
                file.Put(at + bitmap.Length + random.Next((blockSize - run.Length) / Sector) * Sector, run);
            }

            at += bitmap.Length + blockSize;
        }

        var footer = VhdEditor.WithSize(
            new VhdFooter
            {
                DataOffset = VhdFooter.Length,
                CreatorApplication = BinaryPrimitives.ReadUInt32BigEndian(withBatmap ? "tap\0"u8 : "imgu"u8),
                CreatorVersion = 0x0001_0003,
                DiskType = isDifferencing ? VhdDiskType.Differencing : VhdDiskType.Dynamic,
                UniqueId = Guid.NewGuid(),
                OriginalSize = (ulong)size,
            },
            size);
        file.Put((long)header.TableOffset, table);
        if (withBatmap)
        {
            PutBatmap(file, batmapOffset, batmap);
        }

        var bytes = new byte[VhdDynamicHeader.Length];
        (header with { ParentLocators = locators }).Write(bytes);
        file.Put(VhdFooter.Length, bytes);
        footer.Write(bytes);
        file.Put(0, bytes.AsSpan(0, VhdFooter.Length));
        file.Put(at, bytes.AsSpan(0, VhdFooter.Length));
        return file;

        void AddLocator()
        {
            var name = Encoding.Unicode.GetBytes(@".\parent.vhd");
            file.Put(at, name);
            locators[0] = new VhdParentLocator(VhdParentLocator.WindowsRelative, Sector, (uint)name.Length, (ulong)at);
            at += Sector;
        }
    }

    /// <summary>What a guest reads; parents are of random content, which their name makes.</summary>
    public static byte[] Read(IByteSource source) => Read(source, long.MaxValue).Bytes;

    /// <summary>The disk's size, and what a guest reads of its beginning.</summary>
    public static (long Total, byte[] Bytes) Read(IByteSource source, long length)
    {
        var map = new VhdFormat().OpenAsync(source, new NamedParents { Inspection = new ImageInspection() }, default)
            .AsTask().GetAwaiter().GetResult();
        return (map.VirtualSize, NativeImage.Read(map, 0, Math.Min(length, map.VirtualSize)));
    }

    /// <summary>The file name of the parent that a reader opens.</summary>
    public static string? FindParent(IByteSource source)
    {
        var parents = new NamedParents { Inspection = new ImageInspection() };
        _ = new VhdFormat().OpenAsync(source, parents, default).AsTask().GetAwaiter().GetResult();
        return parents.Last;
    }

    /// <summary>What the inspector says of the file's checksums, tables and end, where that is not good.</summary>
    public static IReadOnlyList<string> Problems(string path) =>
        [.. ImageInspector.InspectFileAsync(path).AsTask().GetAwaiter().GetResult().Checks
            .Where(check => check.Name != CheckNames.Parent && check.IsFailure).Select(check => check.Message)];

    /// <summary>What keeps the readers here from a file, but for where its parent may lie.</summary>
    public static IReadOnlyList<string> Refusals(IByteSource source) =>
        [.. ImageInspector.InspectAsync(source, null, default).AsTask().GetAwaiter().GetResult().Failures
            .Where(check => check.Name != CheckNames.Parent && !ImageOpener.IsResolvedByReading(check, ImageFormat.Vhd))
            .Select(check => check.Message)];

    private static int VhdBatmapLength(int blocks) => (blocks + 8 * Sector - 1) / (8 * Sector) * Sector;

    private static byte[] MakeBitmap(Random random, int length, int blockSize, bool isDifferencing)
    {
        var bitmap = new byte[length];
        bitmap.AsSpan().Fill(0xFF);
        if (isDifferencing && random.Next(3) > 0)
        {
            bitmap.AsSpan().Clear();
            for (var run = 0; run < 8; run++)
            {
                var start = random.Next(blockSize / Sector);
                SectorBitmap.Set(bitmap, start, random.Next(start, blockSize / Sector) + 1);
            }

            SectorBitmap.ReverseBits(bitmap);
        }

        return bitmap;
    }

    private static void PutBatmap(SparseMemory file, long offset, byte[] map)
    {
        var header = new byte[Sector];
        "tdbatmap"u8.CopyTo(header);
        BinaryPrimitives.WriteInt64BigEndian(header.AsSpan(8), offset + Sector);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(16), map.Length / Sector);
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(20), 0x0001_0002);
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(24), ~(uint)map.Sum(value => (int)value));
        file.Put(offset, header);
        file.Put(offset + Sector, map);
    }

    private sealed class NamedParents : ReaderContext
    {
        public string? Last { get; private set; }

        public override ValueTask<OpenedParent> OpenParentAsync(
            string reference, ImageFormat statedFormat, CancellationToken cancellationToken)
        {
            var name = Path.GetFileName(reference);
            Last = name;
            var disk = new byte[1 << 17];
            new Random(name.Length).NextBytes(disk);
            return ValueTask.FromResult(new OpenedParent(
                new LinearMap(SparseMemory.Of(disk), 0, disk.Length),
                new ImageInspection
                {
                    Details = new VhdDetails
                    {
                        DiskType = "dynamic",
                        CurrentSize = disk.Length,
                        OriginalSize = disk.Length,
                        Geometry = new VhdGeometry(1, 1, 1),
                        CreatorApplication = "",
                        CreatorVersion = "",
                        CreatorHostOs = "",
                        TimeStamp = default,
                        IsSavedState = false,
                        UniqueId = name == "parent.vhd" ? ParentId : Guid.Empty,
                    },
                },
                name));
        }

        public override ValueTask<IByteSource> OpenDataFileAsync(
            string reference, CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}
