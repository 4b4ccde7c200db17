using System.Text.Json;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.Mapping;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Mapping;

public sealed class DiskImageMapTests : IDisposable
{
    private const int Cluster = 64 << 10;
    private const int Size = 64 * Cluster;

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Extents_cover_the_disk_and_say_where_their_bytes_are()
    {
        var disk = Disk((3, 2), (10, 1));
        using var image = await OpenAsync(await MakeAsync("a", disk, ImageFormat.Qcow2));
        var extents = Walk(image);
        Assert.Equal(
            [DiskExtentKind.Hole, DiskExtentKind.Data, DiskExtentKind.Hole, DiskExtentKind.Data, DiskExtentKind.Hole],
            extents.Select(extent => extent.Kind));
        Assert.Equal([0, 3, 5, 10, 11], extents.Select(extent => extent.Start / Cluster));
        Assert.Equal(Size, extents[^1].End);
        foreach (var extent in extents.Where(extent => extent.IsAllocated))
        {
            Assert.Equal(image.Path, extent.File);
            Assert.Equal(0, extent.Depth);
            var bytes = File.ReadAllBytes(extent.File!).AsSpan((int)extent.HostOffset!, (int)extent.HostLength!);
            Assert.True(bytes.SequenceEqual(disk.AsSpan((int)extent.Start, (int)extent.Length)));
        }
    }

    [Fact]
    public async Task Compressed_units_in_a_row_are_one_extent()
    {
        using var image = await OpenAsync(
            await MakeAsync("a", Disk((3, 8), (20, 4)), ImageFormat.Qcow2, compress: true));
        var summary = Summary(image);
        Assert.Equal(12 * Cluster, summary.CompressedBytes);
        Assert.InRange(summary.CompressedHostBytes, 1, new FileInfo(image.Path).Length);
        Assert.Equal(0, summary.DataBytes);
        Assert.Equal(5, summary.ExtentCount);
        Assert.Equal(1, summary.FragmentCount);
        Assert.Equal(18.75, summary.PercentAllocated);
    }

    [Fact]
    public async Task A_raw_image_is_one_fragment_however_many_holes_it_has()
    {
        using var image = await OpenAsync(await MakeAsync("a", Disk((3, 2), (10, 1), (40, 9)), ImageFormat.Raw));
        Assert.Equal(1, Summary(image).FragmentCount);
    }

    [SkippableFact]
    public async Task Data_that_was_written_backwards_is_in_fragments()
    {
        Tool.Require("qemu-io", "qemu-utils");
        var path = _directory["back.qcow2"];
        Tool.Run("qemu-img", "create", "-q", "-f", "qcow2", path, "4M");
        foreach (var cluster in new[] { 30, 20, 10 })
        {
            Tool.Run("qemu-io", "-f", "qcow2", "-c", $"write -P 1 {cluster * 64}k 128k", path);
        }

        using var image = await OpenAsync(path);
        Assert.Equal(3, Summary(image).FragmentCount);
    }

    [SkippableFact]
    public async Task A_chain_says_which_file_each_extent_lies_in()
    {
        Tool.Require("qemu-img", "qemu-utils");
        var bottom = await MakeAsync("bottom", Disk((3, 2), (10, 1)), ImageFormat.Qcow2);
        var top = _directory["top.qcow2"];
        Tool.Run("qemu-img", "create", "-q", "-f", "qcow2", "-b", bottom, "-F", "qcow2", top);
        Tool.Run("qemu-io", "-f", "qcow2", "-c", "write -P 1 256k 64k", "-c", "write -z 640k 64k", top);
        await Assert.ThrowsAsync<ImageUnsafeException>(() => OpenAsync(top));
        using var image = await OpenAsync(top, allow: true);
        Assert.Equal(1, image.Depth);
        Assert.Equal(
            [
                (3, DiskExtentKind.Data, bottom, 1), (4, DiskExtentKind.Data, top, 0),
                (10, DiskExtentKind.Zero, null, null),
            ],
            Walk(image).Where(extent => extent.Kind != DiskExtentKind.Hole)
                .Select(extent => ((int)(extent.Start / Cluster), extent.Kind, extent.File, extent.Depth)));
        Assert.Equal([(top, 0, Cluster), (bottom, 1, Cluster)], Summary(image).Files
            .Select(file => (file.Path, (int)file.Depth!, (int)file.GuestBytes)));
    }

    [SkippableTheory]
    [InlineData("raw", "")]
    [InlineData("qcow2", "-c")]
    [InlineData("qcow2", "")]
    [InlineData("vmdk", "")]
    [InlineData("vpc", "")]
    [InlineData("vdi", "")]
    public async Task The_data_is_where_qemu_img_map_says(string format, string option)
    {
        Tool.Require("qemu-img", "qemu-utils");
        var raw = _directory["source.raw"];
        await File.WriteAllBytesAsync(raw, Disk((3, 2), (10, 1), (33, 4)));
        var path = _directory["image"];
        Tool.Run("qemu-img", [.. new[] { "convert", "-f", "raw", "-O", format, option, raw, path }.Where(one => one.Length > 0)]);
        var theirs = new List<(long, long)>();
        foreach (var one in JsonDocument.Parse(Tool.Run("qemu-img", "map", "--output=json", "-f", format, path))
            .RootElement.EnumerateArray().Where(one => one.GetProperty("data").GetBoolean()))
        {
            var start = one.GetProperty("start").GetInt64();
            var end = start + one.GetProperty("length").GetInt64();
            if (theirs.Count > 0 && theirs[^1].Item2 == start)
            {
                theirs[^1] = (theirs[^1].Item1, end);
            }
            else
            {
                theirs.Add((start, end));
            }
        }

        using var image = await OpenAsync(path);
        var ours = new List<(long, long)>();
        foreach (var extent in Walk(image).Where(extent => extent.IsAllocated))
        {
            if (ours.Count > 0 && ours[^1].Item2 == extent.Start)
            {
                ours[^1] = (ours[^1].Item1, extent.End);
            }
            else
            {
                ours.Add((extent.Start, extent.End));
            }
        }

        Assert.Equal(theirs, ours);
    }

    [Fact]
    public async Task A_range_is_clipped_to_the_disk_and_must_begin_on_it()
    {
        using var image = await OpenAsync(await MakeAsync("a", Disk((3, 2)), ImageFormat.Qcow2));
        var extents = Walk(image, 4 * Cluster, long.MaxValue);
        Assert.Equal(4 * Cluster, extents[0].Start);
        Assert.Equal(Cluster, extents[0].Length);
        Assert.Equal(Size, extents[^1].End);
        Assert.Empty(Walk(image, Size, null));
        Assert.Throws<ImageOptionException>(() => Walk(image, Size + 1, null));
    }

    private static byte[] Disk(params (int First, int Count)[] clusters)
    {
        var disk = new byte[Size];
        foreach (var (first, count) in clusters)
        {
            // Every byte but zero, and it compresses.
            for (var index = first * Cluster; index < (first + count) * Cluster; index++)
            {
                disk[index] = (byte)(index % 251 + index / Cluster % 4 + 1);
            }
        }

        return disk;
    }

    private static List<DiskImageExtent> Walk(OpenedImage image, long start = 0, long? length = null) =>
        DiskImageMap.WalkAsync(image, start, length).ToBlockingEnumerable().ToList();

    private static DiskImageMapSummary Summary(OpenedImage image)
    {
        var tally = new DiskImageMapTally(image, 0, image.Map.VirtualSize);
        Walk(image).ForEach(tally.Add);
        var summary = tally.ToSummary();
        Assert.Equal(
            image.Map.VirtualSize,
            summary.DataBytes + summary.CompressedBytes + summary.ZeroBytes + summary.HoleBytes);
        return summary;
    }

    private Task<OpenedImage> OpenAsync(string path, bool allow = false) => ImageOpener.OpenAsync(path, new OpenOptions
    {
        Inspection = new InspectionOptions
        {
            Policy = SafetyPolicy.Default with { BackingFileDirectories = allow ? [_directory.Path] : [] },
        },
    }).AsTask();

    private async Task<string> MakeAsync(string name, byte[] disk, ImageFormat format, bool compress = false)
    {
        var raw = _directory[$"{name}.source"];
        await File.WriteAllBytesAsync(raw, disk);
        var made = await ImageConverter.ConvertAsync(new ConversionRequest
        {
            SourcePath = raw,
            DestinationPath = _directory[$"{name}.{format.ToName()}"],
            DestinationFormat = format,
            Target = new WriterOptions { VirtualSize = 0, Compress = compress },
        });
        return made.Destination;
    }
}
