using System.Buffers.Binary;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.IO;
using ImageUtils.Resizing;
using ImageUtils.Tests.Support;
using ImageUtils.VhdChains;

namespace ImageUtils.Tests.VhdChains;

public sealed class VhdResizerTests : IDisposable
{
    private readonly ChainFiles _files = new();
    private readonly byte[] _data = NativeImage.RandomDisk(300 * 512, 3);

    public void Dispose() => _files.Dispose();

    [Fact]
    public async Task What_was_cut_off_does_not_come_back()
    {
        var path = _files.Make("disk.vhd", 8 << 20, pieces: [(0, _data), (5 << 20, new byte[4096])]);
        var full = await GetLengthAsync(path, 3 << 20);
        Assert.Equal(8 << 20, (await ResizeAsync(path, 8 << 20)).NewSize);
        Assert.True(full < new FileInfo(path).Length + 1);
        var read = ChainFiles.Read(path);
        Assert.Equal(_data, read[.._data.Length]);
        Assert.Equal(-1, read.AsSpan(_data.Length).IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public async Task What_another_tool_left_behind_the_end_is_not_added()
    {
        // A block behind the disk's end, and the rest of the last one.
        var path = _files.Make("disk.vhd", 8 << 20, pieces: [(0, _data), (3 << 20, _data), (7 << 20, _data)]);
        var bytes = await File.ReadAllBytesAsync(path);
        var footer = VhdEditor.WithSize(VhdFooter.Parse(bytes), (3 << 20) + 512);
        footer.Write(bytes);
        footer.Write(bytes.AsSpan(bytes.Length - 512));
        await File.WriteAllBytesAsync(path, bytes);
        await ResizeAsync(path, 20 << 20);
        var read = ChainFiles.Read(path);
        Assert.Equal(_data, read[.._data.Length]);
        Assert.Equal(_data[..512], read[(3 << 20)..((3 << 20) + 512)]);
        Assert.Equal(-1, read.AsSpan((3 << 20) + 512).IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public async Task What_only_Hyper_V_sees_is_neither_cut_off_nor_cleared()
    {
        // The geometry makes QEMU's disk end before Hyper-V's.
        var last = new byte[512];
        last.AsSpan().Fill(7);
        var path = _files.Make("disk.vhd", 8 << 20, pieces: [((8 << 20) - 512, last)]);
        var bytes = await File.ReadAllBytesAsync(path);
        var footer = VhdFooter.Parse(bytes) with { Cylinders = 200, Heads = 4, SectorsPerTrack = 17 };
        footer.Write(bytes);
        footer.Write(bytes.AsSpan(bytes.Length - 512));
        await File.WriteAllBytesAsync(path, bytes);
        var exception = await Assert.ThrowsAsync<ImageResizeException>(() => ResizeAsync(path, 6 << 20));
        Assert.Equal(ImageResizeProblem.DataBeyondEnd, exception.Problem);
        Assert.Equal(9 << 20, (await ResizeAsync(path, 9 << 20)).NewSize);
        Assert.Equal(last, ChainFiles.Read(path)[((8 << 20) - 512)..(8 << 20)]);
    }

    [Fact]
    public async Task A_differencing_disk_keeps_what_it_and_its_parent_have()
    {
        _files.Make("parent.vhd", pieces: [(0, _data)]);
        var path = _files.Make("child.vhd", parent: "parent.vhd", pieces: [(1 << 20, _data)]);
        var before = ChainFiles.Read(path, _files.Path);
        var parent = await File.ReadAllBytesAsync(_files["parent.vhd"]);
        Assert.Equal(ResizeMethod.InPlace, (await ResizeAsync(path, 40 << 20)).Method);
        Assert.Equal(before, ChainFiles.Read(path, _files.Path)[..before.Length]);
        Assert.Equal(parent, await File.ReadAllBytesAsync(_files["parent.vhd"]));

        // What the parent alone has is the disk's as well.
        Assert.Equal(
            ImageResizeProblem.DataBeyondEnd,
            (await Assert.ThrowsAsync<ImageResizeException>(() => ResizeAsync(path, 512))).Problem);
    }

    [Fact]
    public async Task The_footers_keep_what_is_not_named_in_them()
    {
        var path = _files.Make("disk.vhd");
        var bytes = await File.ReadAllBytesAsync(path);
        foreach (var at in new[] { 0, bytes.Length - 512 })
        {
            // vhd-util's mark of a disk that is hidden.
            bytes[at + 85] = 1;
            var sum = VhdChecksum.Compute(bytes.AsSpan(at, 512), VhdFooter.ChecksumOffset);
            BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(at + VhdFooter.ChecksumOffset), sum);
        }

        await File.WriteAllBytesAsync(path, bytes);
        await ResizeAsync(path, 30 << 20);
        var after = await File.ReadAllBytesAsync(path);
        Assert.Equal((1, 1), (after[85], after[^427]));
        Assert.True((await VhdImageCheck.RunAsync(path)).IsValid);
    }

    [SkippableFact]
    public async Task Vhd_util_finds_nothing_wrong_with_disks_of_ours_that_were_changed()
    {
        Tool.Require("vhd-util", "blktap-utils");
        _files.Make("parent.vhd", pieces: [(0, _data)]);
        var path = _files.Make("child.vhd", parent: "parent.vhd", pieces: [(1 << 20, _data), (3 << 20, _data)]);
        Directory.CreateDirectory(_files["sub"]);
        File.Copy(_files["parent.vhd"], _files["sub/moved.vhd"]);
        foreach (var size in new[] { 5L << 20, 300L << 30, 60L << 20, 61L << 30 })
        {
            await ResizeAsync(path, size);
            await VhdParentChanger.SetAsync(new VhdParentRequest
            {
                Path = path,
                ParentPath = _files[size < 1L << 30 ? "sub/moved.vhd" : "parent.vhd"],
            });
            await ResizeAsync(_files["parent.vhd"], size + 512);
            foreach (var name in new[] { "child.vhd", "parent.vhd" })
            {
                Assert.Contains(
                    "is valid", Tool.Run("vhd-util", "check", "-n", _files[name]), StringComparison.Ordinal);
                Assert.True((await VhdImageCheck.RunAsync(_files[name])).IsValid);
            }

            // It says MiB.
            Assert.Equal($"{size >> 20}", Tool.Run("vhd-util", "query", "-n", path, "-v").Trim());
        }
    }

    [Fact]
    public async Task A_full_disk_leaves_the_disk_as_it_was()
    {
        var path = _files.Make("disk.vhd", 4 << 20, pieces: [(0, _data)]);
        var before = ChainFiles.Read(path);
        for (var fault = 1; fault < 30; fault++)
        {
            using (var file = ImageLock.Acquire(path))
            using (var editor = await VhdEditor.OpenAsync(file, new FaultySink(file.Sink, fault), default))
            {
                try
                {
                    await editor.GrowAsync(9000L << 21, default);
                    await editor.FinishAsync(default);
                    Assert.True(fault > 5);
                    return;
                }
                catch (IOException)
                {
                    // Asked for.
                }
            }

            await VhdEditor.MendAsync(path, default);
            Assert.True((await VhdImageCheck.RunAsync(path)).IsValid, $"fault {fault}");
            using var source = FileByteSource.Open(path);
            var read = SampleVhd.Read(source, before.Length);
            Assert.Equal(before, read.Bytes);
        }

        Assert.Fail("It never came to its end.");
    }

    private static async Task<long> GetLengthAsync(string path, long size)
    {
        await ResizeAsync(path, size);
        return new FileInfo(path).Length;
    }

    private static Task<ImageResizeResult> ResizeAsync(string path, long size) => VhdResizer.ResizeAsync(
        new ImageResizeRequest { Path = path, Size = SizeChange.To(size), AllowShrink = true });

    private sealed class FaultySink(IByteSink inner, int calls) : IByteSink
    {
        private int _left = calls;

        public bool IsZeroed => inner.IsZeroed;

        public long? Capacity => inner.Capacity;

        public ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken) =>
            Next().WriteAsync(offset, data, cancellationToken);

        public ValueTask WriteZeroesAsync(long offset, long length, CancellationToken cancellationToken) =>
            Next().WriteZeroesAsync(offset, length, cancellationToken);

        public ValueTask AllocateAsync(long offset, long length, CancellationToken cancellationToken) =>
            Next().AllocateAsync(offset, length, cancellationToken);

        public ValueTask FillAsync(long offset, long length, CancellationToken cancellationToken) =>
            Next().FillAsync(offset, length, cancellationToken);

        public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken) =>
            Next().SetLengthAsync(length, cancellationToken);

        public ValueTask<bool> TryCloneAsync(
            IByteSource source, long sourceOffset, long offset, long length, CancellationToken cancellationToken) =>
            ValueTask.FromResult(false);

        public ValueTask FlushAsync(CancellationToken cancellationToken) => Next().FlushAsync(cancellationToken);

        private IByteSink Next() => _left-- > 0 ? inner : throw new IOException("A fault was asked for.");
    }
}
