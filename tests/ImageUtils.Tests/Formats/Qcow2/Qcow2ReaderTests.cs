using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Mapping;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats.Qcow2;

/// <summary>What qemu made is read as qemu reads it.</summary>
public sealed class Qcow2ReaderTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [InlineData("cluster_size=512", "")]
    [InlineData("cluster_size=1024,compat=0.10", "-c")]
    [InlineData("cluster_size=4096,refcount_bits=64", "-c")]
    [InlineData("cluster_size=16k,compression_type=zstd", "-c")]
    [InlineData("cluster_size=64k", "")]
    [InlineData("cluster_size=64k", "-c")]
    [InlineData("cluster_size=64k,compat=0.10", "")]
    [InlineData("cluster_size=64k,compression_type=zstd", "-c")]
    [InlineData("cluster_size=64k,lazy_refcounts=on,refcount_bits=1", "")]
    [InlineData("cluster_size=2M", "")]
    [InlineData("cluster_size=2M", "-c")]
    [InlineData("cluster_size=64k,extended_l2=on", "")]
    [InlineData("cluster_size=16k,extended_l2=on", "-c")]
    [InlineData("cluster_size=2M,extended_l2=on,preallocation=metadata", "")]
    [InlineData("cluster_size=64k,preallocation=falloc", "")]
    public async Task An_image_that_qemu_converted_is_read_back(string options, string compress)
    {
        Tool.Require("qemu-img", "qemu-utils");
        var disk = Qcow2Disk.Make(3_000_320, options.Length * 7 + compress.Length);
        File.WriteAllBytes(_directory["raw"], disk);
        string[] arguments =
            ["convert", "-f", "raw", "-O", "qcow2", "-o", options, _directory["raw"], _directory["image"]];
        Tool.Run("qemu-img", compress.Length > 0 ? [.. arguments[..1], compress, .. arguments[1..]] : arguments);

        using var image = await ImageOpener.OpenAsync(_directory["image"], Qcow2Disk.Within(_directory));
        Assert.Equal(disk.Length, image.Map.VirtualSize);
        Assert.Equal(disk, await Qcow2Disk.ReadAsync(image.Map, 0, disk.Length));
        (int, int)[] parts = [(1, 1), (511, 2), (65_535, 70_001), (2_999_999, 321), (4_097, 1_999_999)];
        foreach (var (offset, length) in parts)
        {
            Assert.Equal(disk[offset..(offset + length)], await Qcow2Disk.ReadAsync(image.Map, offset, length));
        }
    }

    [SkippableTheory]
    [InlineData("cluster_size=64k,extended_l2=on")]
    [InlineData("cluster_size=64k")]
    [InlineData("cluster_size=2M,extended_l2=on")]
    [InlineData("cluster_size=512")]
    public async Task Scattered_writes_zeros_and_discards_are_read_as_qemu_reads_them(string options)
    {
        Tool.Require("qemu-img", "qemu-utils");
        File.WriteAllBytes(_directory["base.raw"], Qcow2Disk.Make(5 << 20, 3));
        Tool.Run(
            "qemu-img", "create", "-f", "qcow2", "-o", options, "-F", "raw", "-b", "base.raw", _directory["top"], "7M");
        RunIo(
            "top",
            "write -c -P 7 4M 2M", "write -c -P 9 0 2M", "write -P 1 1000k 3k", "write -P 2 3M 100k",
            "write -z 2048k 128k", "write -z -u 3100k 64k", "write -P 3 6999k 512", "discard 1M 65536",
            "write -P 4 5M 500k", "write -z 5200k 2k", "write -P 8 4200k 512", "write -z 4300k 4k");
        await AssertAsQemuReadsAsync("top");
    }

    [SkippableTheory]
    [InlineData("4M")]
    [InlineData("9M")]
    public async Task A_backing_file_of_another_size_shows_through_where_it_is(string size)
    {
        Tool.Require("qemu-img", "qemu-utils");
        File.WriteAllBytes(_directory["raw"], Qcow2Disk.Make((6 << 20) + 512, 5));
        Tool.Run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-c", _directory["raw"], _directory["base.qcow2"]);
        Tool.Run(
            "qemu-img", "create", "-f", "qcow2", "-F", "qcow2", "-b", _directory["base.qcow2"], _directory["middle"],
            size);
        Tool.Run("qemu-io", "-f", "qcow2", "-c", "write -P 5 3M 70k", "-c", "write -z 1M 70k", _directory["middle"]);
        Tool.Run(
            "qemu-img", "create", "-f", "qcow2", "-F", "qcow2", "-b", _directory["middle"], _directory["top"], "7M");
        Tool.Run("qemu-io", "-f", "qcow2", "-c", "write -P 6 2M 70k", _directory["top"]);
        await AssertAsQemuReadsAsync("top");
    }

    [SkippableTheory]
    [InlineData("off")]
    [InlineData("on")]
    public async Task Clusters_in_an_external_data_file_are_read_from_it(string raw)
    {
        Tool.Require("qemu-img", "qemu-utils");
        Tool.Run(
            "qemu-img", "create", "-f", "qcow2", "-o", $"data_file={_directory["data"]},data_file_raw={raw}",
            _directory["image"], $"{(5 << 20) + 512}");
        RunIo("image", "write -P 1 0 64k", "write -P 2 3M 1000k", "write -z 3200k 128k", "write -P 3 5M 512");

        await AssertAsQemuReadsAsync("image");
    }

    [SkippableFact]
    public async Task A_snapshot_is_read_by_id_or_name_with_the_size_that_it_had()
    {
        Tool.Require("qemu-img", "qemu-utils");
        Tool.Run("qemu-img", "create", "-f", "qcow2", _directory["image"], "4M");
        Tool.Run("qemu-io", "-f", "qcow2", "-c", "write -P 1 1M 1M", _directory["image"]);
        Tool.Run("qemu-img", "snapshot", "-c", "first", _directory["image"]);
        Tool.Run("qemu-io", "-f", "qcow2", "-c", "write -P 2 1M 64k", _directory["image"]);
        Tool.Run("qemu-img", "snapshot", "-c", "1st", _directory["image"]);
        Tool.Run("qemu-img", "resize", "-f", "qcow2", _directory["image"], "1G");
        Tool.Run("qemu-io", "-f", "qcow2", "-c", "write -P 3 900M 64k", _directory["image"]);

        var first = await Qcow2Disk.ReadAsync(_directory["image"], Qcow2Disk.Within(_directory, "first"));
        Assert.Equal(4 << 20, first.Length);
        Assert.Equal((0, 1, 1), (first[(1 << 20) - 1], first[1 << 20], first[(1 << 20) + 65536]));
        var second = await Qcow2Disk.ReadAsync(_directory["image"], Qcow2Disk.Within(_directory, "2"));
        Assert.Equal((2, 1), (second[1 << 20], second[(1 << 20) + 65536]));

        var missing = await Assert.ThrowsAsync<SnapshotNotFoundException>(
            () => Qcow2Disk.ReadAsync(_directory["image"], Qcow2Disk.Within(_directory, "third")));
        Assert.Contains("1 (first), 2 (1st)", missing.Message, StringComparison.Ordinal);
        Assert.Contains("'third'", missing.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task An_encrypted_image_is_left_to_qemu()
    {
        Tool.Require("qemu-img", "qemu-utils");
        Tool.Run(
            "qemu-img", "create", "-f", "qcow2", "--object", "secret,id=s,data=abc",
            "-o", "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10", _directory["image"], "1M");
        var error = await Assert.ThrowsAsync<UnsupportedImageException>(() => Qcow2Disk.ReadAsync(_directory["image"]));
        Assert.Contains("Qemu engine", error.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task A_disk_of_4_TiB_with_nothing_on_it_is_one_extent()
    {
        Tool.Require("qemu-img", "qemu-utils");
        Tool.Run("qemu-img", "create", "-f", "qcow2", "-o", "cluster_size=8k", _directory["image"], "4T");
        using var image = await ImageOpener.OpenAsync(_directory["image"]);
        var extent = Assert.Single(await Qcow2Disk.ExtentsAsync(image.Map, 0, 4L << 40));
        Assert.Equal(Extent.Hole(0, 4L << 40), extent);
    }

    [SkippableFact]
    public async Task The_beginning_of_the_last_cluster_is_enough_and_less_is_an_error()
    {
        Tool.Require("qemu-img", "qemu-utils");
        Tool.Run("qemu-img", "create", "-f", "qcow2", _directory["image"], "1M");
        Tool.Run("qemu-io", "-f", "qcow2", "-c", "write -P 1 0 128k", _directory["image"]);
        var length = new FileInfo(_directory["image"]).Length;
        using (var file = File.OpenWrite(_directory["image"]))
        {
            file.SetLength(length - 65536 + 700);
        }

        var disk = await Qcow2Disk.ReadAsync(_directory["image"]);
        Assert.Equal((1, 1, 0, 0), (disk[0], disk[65536 + 699], disk[65536 + 700], disk[^1]));
        Tool.Run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", _directory["image"], _directory["raw"]);
        Assert.Equal(File.ReadAllBytes(_directory["raw"]), disk);
        Tool.Run("qemu-img", "check", "-f", "qcow2", _directory["image"]);

        using (var file = File.OpenWrite(_directory["image"]))
        {
            file.SetLength(length - 65536);
        }

        await Assert.ThrowsAsync<TruncatedImageException>(() => Qcow2Disk.ReadAsync(_directory["image"]));
    }

    private void RunIo(string name, params string[] commands) => Tool.Run(
        "qemu-io", ["-f", "qcow2", .. commands.SelectMany(command => new[] { "-c", command }), _directory[name]]);

    private async Task AssertAsQemuReadsAsync(string name)
    {
        Tool.Run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", _directory[name], _directory["expected"]);
        var expected = File.ReadAllBytes(_directory["expected"]);
        using var image = await ImageOpener.OpenAsync(_directory[name], Qcow2Disk.Within(_directory));
        Assert.Equal(expected.Length, image.Map.VirtualSize);
        var whole = await Qcow2Disk.ReadAsync(image.Map, 0, expected.Length);
        Assert.True(expected.AsSpan().SequenceEqual(whole));
        for (var offset = 333; offset < expected.Length; offset += 400_001)
        {
            var length = Math.Min(130_000, expected.Length - offset);
            var part = await Qcow2Disk.ReadAsync(image.Map, offset, length);
            Assert.True(expected.AsSpan(offset, length).SequenceEqual(part));
        }
    }
}
