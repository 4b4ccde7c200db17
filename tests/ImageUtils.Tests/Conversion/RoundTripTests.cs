using ImageUtils.Conversion;
using ImageUtils.Qemu;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Conversion;

/// <summary>Every kind that is read, to every kind that is written.</summary>
public sealed class RoundTripTests
{
    public static TheoryData<string> Kinds => [.. SampleDisk.Kinds.Keys];

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_disk_survives_the_way_into_each_kind_and_on_into_every_other(string kind)
    {
        using var directory = new TemporaryDirectory();
        var disk = SampleDisk.Make();
        await File.WriteAllBytesAsync(directory["a.raw"], disk);
        var first = await SampleDisk.ConvertAsync(directory["a.raw"], directory["first"], kind);
        Assert.Equal(ConversionEngine.Native, first.Engine);
        Assert.True(first.VirtualSize >= disk.Length && first.VirtualSize < disk.Length + 65536);

        foreach (var other in SampleDisk.Kinds.Keys)
        {
            var second = await SampleDisk.ConvertAsync(directory["first"], directory[other], other);
            Assert.Equal(SampleDisk.Kinds[other].Format, second.DestinationFormat);
            var read = await SampleDisk.ReadAsync(directory[other]);
            Assert.True(disk.AsSpan().SequenceEqual(read.AsSpan(0, disk.Length)), $"{kind} to {other} differs");
            Assert.False(read.AsSpan(disk.Length).ContainsAnyExcept((byte)0));
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Kinds))]
    public async Task Qemu_reads_what_is_written_and_finds_nothing_wrong_with_it(string kind)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        await File.WriteAllBytesAsync(directory["a.raw"], SampleDisk.Make());
        var result = await SampleDisk.ConvertAsync(directory["a.raw"], directory["b"], kind);
        var driver = result.DestinationFormat.ToQemuName()!;
        Assert.Contains("identical", Tool.Run(
            "qemu-img", "compare", "-f", "raw", "-F", driver, directory["a.raw"], directory["b"]), StringComparison.Ordinal);
        if (result.DestinationFormat is ImageFormat.Qcow2 or ImageFormat.Vdi or ImageFormat.Vhdx or ImageFormat.Vmdk)
        {
            Assert.Contains(
                "No errors", Tool.Run("qemu-img", "check", "-f", driver, directory["b"]), StringComparison.Ordinal);
        }

        var info = QemuInfoJsonParser.Parse(
            Tool.Run("qemu-img", "info", "--output=json", "-f", driver, directory["b"]));
        Assert.Equal(result.VirtualSize, info[0].VirtualSize);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task The_same_disk_makes_a_file_of_the_size_that_was_measured_and_is_verified(string kind)
    {
        using var directory = new TemporaryDirectory();
        await File.WriteAllBytesAsync(directory["a.raw"], SampleDisk.Make(seed: 3));
        var request = SampleDisk.Request(directory["a.raw"], directory["b"], kind) with { Verify = true };
        var measured = await ImageConverter.MeasureAsync(request);
        var result = await ImageConverter.ConvertAsync(request);
        Assert.True(result.Verified);
        Assert.Equal(measured.RequiredBytes, result.FileSize);
        Assert.Equal(measured.RequiredBytes, new FileInfo(directory["b"]).Length);
        Assert.Equal(measured.VirtualSize, result.VirtualSize);
        Assert.False(measured.FullyAllocatedBytes < measured.RequiredBytes);
    }

    [Fact]
    public async Task An_empty_disk_and_one_of_a_single_byte_are_converted_too()
    {
        using var directory = new TemporaryDirectory();
        await File.WriteAllBytesAsync(directory["one.raw"], [0x42]);
        foreach (var kind in SampleDisk.Kinds.Keys)
        {
            await SampleDisk.ConvertAsync(directory["one.raw"], directory[kind], kind);
            var read = await SampleDisk.ReadAsync(directory[kind]);
            Assert.Equal(0x42, read[0]);
            Assert.False(read.AsSpan(1).ContainsAnyExcept((byte)0));
        }
    }

    [Fact]
    public async Task Zeros_hidden_in_stored_data_take_no_space()
    {
        using var directory = new TemporaryDirectory();
        await File.WriteAllBytesAsync(directory["zeros.raw"], new byte[8 << 20]);
        await SampleDisk.ConvertAsync(directory["zeros.raw"], directory["b.qcow2"], "qcow2");
        Assert.True(new FileInfo(directory["b.qcow2"]).Length < 512 << 10);
        await SampleDisk.ConvertAsync(directory["zeros.raw"], directory["b.raw"], "raw");
        using var raw = ImageUtils.IO.FileByteSource.Open(directory["b.raw"]);
        Assert.Equal(8 << 20, raw.Length);
        Assert.True(raw.AllocatedBytes < 64 << 10);
    }

    [Fact]
    public async Task A_target_size_cuts_the_disk_or_adds_zeros_to_it()
    {
        using var directory = new TemporaryDirectory();
        var disk = SampleDisk.Make();
        await File.WriteAllBytesAsync(directory["a.raw"], disk);
        foreach (var size in new[] { 1 << 20, 20 << 20 })
        {
            var request = SampleDisk.Request(directory["a.raw"], directory[$"{size}"], "qcow2") with { VirtualSize = size };
            Assert.Equal(size, (await ImageConverter.ConvertAsync(request)).VirtualSize);
            var read = await SampleDisk.ReadAsync(directory[$"{size}"]);
            var common = Math.Min(size, disk.Length);
            Assert.Equal(size, read.Length);
            Assert.True(disk.AsSpan(0, common).SequenceEqual(read.AsSpan(0, common)));
            Assert.False(read.AsSpan(common).ContainsAnyExcept((byte)0));
        }
    }
}
