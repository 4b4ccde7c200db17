using ImageUtils.Builders;
using ImageUtils.Errors;
using ImageUtils.Mapping;

namespace ImageUtils.Tests.Formats.Qcow2;

/// <summary>Tables that no honest writer makes are errors, never anything else.</summary>
public sealed class Qcow2HostileTests
{
    private const int Cluster = 65536;
    private const int L1 = 3 * Cluster;
    private const int L2 = 4 * Cluster;
    private const ulong Copied = 1UL << 63;
    private const ulong CompressedFlag = 1UL << 62;

    // The image has 6 clusters: header, refcount table and block, L1, L2, and one of data.
    public static TheoryData<string, int, ulong> Malformed => new()
    {
        { "L1: reserved low bit", L1, Copied | L2 | 1 },
        { "L1: reserved high bit", L1, (1UL << 56) | L2 },
        { "L1: compressed flag", L1, CompressedFlag | L2 },
        { "L1: misaligned", L1, Copied | L2 | 512 },
        { "L1: beyond the file", L1, Copied | (6 * Cluster) },
        { "L1: far beyond the file", L1, Copied | 0x00FF_FFFF_FFFF_0000 },
        { "L2: reserved low bit", L2, Copied | (5 * Cluster) | 2 },
        { "L2: reserved bit 8", L2, Copied | (5 * Cluster) | 256 },
        { "L2: reserved high bit", L2, (1UL << 61) | (5 * Cluster) },
        { "L2: misaligned", L2, Copied | (5 * Cluster) | 512 },
        { "L2: at the file's end", L2, Copied | (6 * Cluster) },
        { "L2: far beyond the file", L2, Copied | 0x00FF_FFFF_FFFF_0000 },
        { "L2: zero flag with reserved bits", L2, 3 },
        { "compressed: in the header", L2, CompressedFlag | 600 },
        { "compressed: at byte 0", L2, CompressedFlag },
        { "compressed: at the file's end", L2, CompressedFlag | (6 * Cluster) },
        { "compressed: far beyond the file", L2, CompressedFlag | ((1UL << 54) - 1) },
        { "compressed: a cluster over the end", L2, CompressedFlag | (255UL << 54) | (5 * Cluster) | (Cluster - 100) },
    };

    [Theory]
    [MemberData(nameof(Malformed))]
    public async Task An_entry_that_cannot_be_is_an_error(string what, int at, ulong entry)
    {
        var image = Valid().Big64(at, entry).ToArray();
        var error = await Assert.ThrowsAnyAsync<ImageFormatException>(() => WalkAsync(image));
        Assert.Contains($"byte {at}", error.Message, StringComparison.Ordinal);
        Assert.True(what.Length > 0);
    }

    [Theory]
    [InlineData(0x0000_0001_0000_0001UL, true)]
    [InlineData(0xFFFF_FFFF_8000_0000UL, true)]
    [InlineData(0x0000_0000_0000_0001UL, false)]
    public async Task Subclusters_that_cannot_be_are_an_error(ulong bitmap, bool hasCluster)
    {
        var image = Extended().Big64(L2, hasCluster ? Copied | (5 * Cluster) : 0).Big64(L2 + 8, bitmap).ToArray();
        var error = await Assert.ThrowsAsync<ImageFormatException>(() => WalkAsync(image));
        Assert.Contains($"{bitmap:x16}", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Copied | (5 * Cluster) | 1, 0xFFFFUL)]
    [InlineData(CompressedFlag | (5 * Cluster), 1UL)]
    public async Task Bits_that_are_reserved_in_an_extended_entry_are_an_error(ulong entry, ulong bitmap)
    {
        var image = Extended().Big64(L2, entry).Big64(L2 + 8, bitmap).ToArray();
        await Assert.ThrowsAsync<ImageFormatException>(() => WalkAsync(image));
    }

    [Fact]
    public async Task Subclusters_are_mapped_one_by_one()
    {
        // Allocated: 0, 1, 31. Zeros: 2 and 3. The next cluster has only zeros, in its last subcluster.
        var image = Extended().Big64(L2, Copied | (5 * Cluster)).Big64(L2 + 8, 0x0000_000C_8000_0003)
            .Big64(L2 + 24, 1UL << 63).ToArray();
        var map = await Qcow2Disk.OpenAsync(image);
        var extents = await Qcow2Disk.ExtentsAsync(map, 1000, 2 * Cluster - 1000);
        Assert.Equal(
            [
                (1000L, 3096L, ExtentKind.Stored, 5 * Cluster + 1000L),
                (4096, 4096, ExtentKind.Zero, 0),
                (8192, 31 * 2048 - 8192, ExtentKind.Hole, 0),
                (31 * 2048, 2048, ExtentKind.Stored, 5 * Cluster + (31 * 2048)),
                (Cluster, 31 * 2048, ExtentKind.Hole, 0),
                (Cluster + (31 * 2048), 2048, ExtentKind.Zero, 0),
            ],
            extents.Select(extent => (extent.GuestOffset, extent.Length, extent.Kind, extent.HostOffset)));
    }

    [Fact]
    public async Task Plain_and_preallocated_zero_clusters_are_zeros_but_not_in_version_2()
    {
        var image = Valid().Big64(L2, 1).Big64(L2 + 8, Copied | (5 * Cluster) | 1);
        var map = await Qcow2Disk.OpenAsync(image.ToArray());
        Assert.Equal(Extent.Zero(0, 2 * Cluster), (await Qcow2Disk.ExtentsAsync(map, 0, map.VirtualSize))[0]);
        await Assert.ThrowsAsync<ImageFormatException>(
            () => WalkAsync(image.Big32(4, 2).Big32(96, 0).Big32(100, 0).ToArray()));
    }

    [Fact]
    public async Task Compressed_neighbours_stay_apart_and_the_last_one_ends_with_the_file()
    {
        var image = Valid().Big64(L2, CompressedFlag | (1UL << 54) | ((5 * Cluster) + 700))
            .Big64(L2 + 8, CompressedFlag | (127UL << 54) | ((5 * Cluster) + 1200)).Resize(6 * Cluster - 100).ToArray();
        var map = await Qcow2Disk.OpenAsync(image);
        var extents = await Qcow2Disk.ExtentsAsync(map, 0, 2 * Cluster);
        Assert.Equal(
            [(0L, 5 * Cluster + 700L, 1024 - 188), (Cluster, 5 * Cluster + 1200, Cluster - 1300)],
            extents.Select(extent => (extent.GuestOffset, extent.HostOffset, extent.HostLength)));
    }

    [Theory]
    [InlineData(1UL)]
    [InlineData(2UL)]
    public async Task Dirty_and_corrupt_images_are_read(ulong features)
    {
        var map = await Qcow2Disk.OpenAsync(Valid().Big64(72, features).ToArray());
        Assert.Equal(ExtentKind.Stored, (await Qcow2Disk.ExtentsAsync(map, 0, Cluster))[0].Kind);
    }

    [Fact]
    public async Task A_size_that_is_no_multiple_of_anything_is_kept()
    {
        var map = await Qcow2Disk.OpenAsync(Valid().Big64(24, 1000).ToArray());
        Assert.Equal(1000, map.VirtualSize);
        Assert.Equal(1000, (await Qcow2Disk.ExtentsAsync(map, 0, 1 << 20)).Sum(extent => extent.Length));
    }

    [Fact]
    public async Task Every_single_changed_byte_of_header_and_tables_maps_or_is_an_error_of_ours()
    {
        var random = new Random(1);
        var offsets = Enumerable.Range(0, 120).Concat(Enumerable.Range(L1, 16)).Concat(Enumerable.Range(L2, 48));
        foreach (var offset in offsets)
        {
            foreach (var value in new[] { (byte)0, (byte)0xFF, (byte)0x80, (byte)1, (byte)random.Next(256) })
            {
                foreach (var image in new[] { Extended(), Valid() })
                {
                    try
                    {
                        await WalkAsync(image.Byte(offset, value).ToArray());
                    }
                    catch (ImageUtilsException)
                    {
                    }
                    catch (InvalidOperationException error)
                    {
                        // A backing file comes into being by such a change too; there is none to open.
                        Assert.StartsWith("There is no", error.Message, StringComparison.Ordinal);
                    }
                }
            }
        }
    }

    [Theory]
    [InlineData(0, 3UL * Cluster + 8, 1U, 1UL << 20)]
    [InlineData(1, 1024UL * Cluster, 1U, 1UL << 20)]
    [InlineData(2, 3UL * Cluster, uint.MaxValue, 1UL << 20)]
    [InlineData(3, 3UL * Cluster, 1U, ulong.MaxValue)]
    [InlineData(4, 0UL, 1U, 1UL << 20)]
    public async Task A_snapshot_with_an_impossible_table_is_an_error(
        int which, ulong l1Offset, uint l1Size, ulong diskSize)
    {
        var image = Valid().Resize(7 * Cluster).Big32(60, 1).Big64(64, 6 * Cluster)
            .Big64(6 * Cluster, l1Offset).Big32(6 * Cluster + 8, l1Size).Big16(6 * Cluster + 12, 1)
            .Big32(6 * Cluster + 36, 16).Big64(6 * Cluster + 48, diskSize).Text(6 * Cluster + 56, "7").ToArray();
        Assert.InRange(which, 0, 4);
        await Assert.ThrowsAnyAsync<ImageFormatException>(() => WalkAsync(image, "7"));
    }

    [Fact]
    public async Task A_snapshot_of_an_unrecorded_size_has_holes_behind_its_table()
    {
        var image = Valid().Resize(7 * Cluster).Big32(60, 1).Big64(64, 6 * Cluster).Big16(6 * Cluster + 12, 1)
            .Text(6 * Cluster + 40, "7").ToArray();
        var map = await Qcow2Disk.OpenAsync(image, "7");
        Assert.Equal([Extent.Hole(0, 64 << 20)], await Qcow2Disk.ExtentsAsync(map, 0, map.VirtualSize));
    }

    [Fact]
    public async Task A_snapshot_table_that_ends_too_early_is_an_error() =>
        await Assert.ThrowsAsync<TruncatedImageException>(
            () => WalkAsync(Valid().Resize(7 * Cluster).Big32(60, 5000).Big64(64, 6 * Cluster).ToArray(), "7"));

    private static BuiltImage Valid() => Qcow2Cases.Valid().Resize(6 * Cluster)
        .Big64(L1, Copied | L2).Big64(L2, Copied | (5 * Cluster));

    private static BuiltImage Extended() => Valid().Big64(72, 16).Big32(36, 2).Big64(L2 + 8, 0xFFFF_FFFF);

    private static async Task WalkAsync(byte[] image, string? snapshot = null)
    {
        var map = await Qcow2Disk.OpenAsync(image, snapshot);
        var at = 0L;
        await foreach (var extent in map.GetExtentsAsync(default))
        {
            Assert.Equal(at, extent.GuestOffset);
            Assert.True(extent.Kind != ExtentKind.Stored || extent.HostOffset + extent.Length <= image.Length);
            at = extent.GuestEnd;
        }

        Assert.Equal(map.VirtualSize, at);
    }
}
