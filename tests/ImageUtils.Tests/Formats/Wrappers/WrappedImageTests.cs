using System.IO.Compression;
using ImageUtils.Errors;
using ImageUtils.Formats.Wrappers;
using ImageUtils.IO;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats.Wrappers;

public sealed class WrappedImageTests
{
    public static TheoryData<ImageFormat> Wrappers => new(ImageFormat.Gzip, ImageFormat.Zstd, ImageFormat.Xz);

    [SkippableTheory]
    [MemberData(nameof(Wrappers))]
    public void What_the_tool_packed_comes_out_again_member_after_member(ImageFormat wrapper)
    {
        var disk = NativeImage.RandomDisk(5_000_000, 1, 900_000);
        var packed = Pack(wrapper, disk);
        foreach (var isTwice in new[] { false, true })
        {
            byte[] expected = isTwice ? [.. disk, .. disk] : disk;
            using var file = new TemporaryFile(isTwice ? [.. packed, .. packed] : packed);
            var sink = new SparseMemory();
            Assert.Equal(expected.Length, Unpack(file.Path, wrapper, sink));
            Assert.True(expected.AsSpan().SequenceEqual(sink.ToArray()));
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Wrappers))]
    public void Zeros_are_holes_on_a_new_file_and_zeros_on_a_used_one(ImageFormat wrapper)
    {
        var disk = new byte[10 << 20];
        disk.AsSpan(3 << 20, 1000).Fill(1);
        disk[^1] = 2;
        using var file = new TemporaryFile(Pack(wrapper, disk));
        var sink = new SparseMemory();
        Unpack(file.Path, wrapper, sink);
        Assert.True(sink.Writes.Sum(write => write.Length) <= 128 << 10);
        var used = new SparseMemory(0xFF);
        Unpack(file.Path, wrapper, used);
        Assert.True(disk.AsSpan().SequenceEqual(used.Get(0, disk.Length)));
    }

    [SkippableTheory]
    [MemberData(nameof(Wrappers))]
    public void Empty_content_is_content(ImageFormat wrapper)
    {
        using var file = new TemporaryFile(Pack(wrapper, []));
        Assert.Equal(0, Unpack(file.Path, wrapper, new SparseMemory()));
    }

    [SkippableTheory]
    [MemberData(nameof(Wrappers))]
    public void Whatever_is_cut_damaged_or_has_something_behind_it_is_an_error(ImageFormat wrapper)
    {
        var packed = Pack(wrapper, NativeImage.RandomDisk(20_000, 2, 3000));
        var random = new Random(3);
        for (var round = 0; round < 60; round++)
        {
            var cut = packed[..random.Next(packed.Length)];
            AssertRefused(cut, $"cut to {cut.Length}");
            byte[] longer = [.. packed, .. new byte[random.Next(1, 40)].Select(_ => (byte)random.Next(1, 256))];
            AssertRefused(longer, $"with {longer.Length - packed.Length} more bytes");
        }

        // A checksum lies at the end of each, but not of its very last bytes.
        var damaged = (byte[])packed.Clone();
        damaged.AsSpan(packed.Length / 2, 8).Reverse();
        damaged[packed.Length / 2] ^= 0x55;
        AssertRefused(damaged, "damaged");

        void AssertRefused(byte[] bytes, string how)
        {
            using var file = new TemporaryFile(bytes);
            var error = Record.Exception(() => Unpack(file.Path, wrapper, new SparseMemory()));
            Assert.True(error is ImageFormatException, $"{how}: {error?.GetType()} {error?.Message}");
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Wrappers))]
    public void No_more_comes_out_than_is_allowed(ImageFormat wrapper)
    {
        using var file = new TemporaryFile(Pack(wrapper, new byte[30 << 20]));
        Assert.Equal(30 << 20, Unpack(file.Path, wrapper, new CountingSink(), 30 << 20));
        var error = Assert.Throws<ImageFormatException>(
            () => Unpack(file.Path, wrapper, new CountingSink(), (30 << 20) - 1));
        Assert.Equal("expansion", error.Check);
    }

    [SkippableFact]
    public void Frames_that_zstd_skips_are_skipped()
    {
        var disk = NativeImage.RandomDisk(100_000, 4);
        byte[] skipped = [0x50, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3];
        using var file = new TemporaryFile([.. skipped, .. Pack(ImageFormat.Zstd, disk), .. skipped]);
        var sink = new SparseMemory();
        Unpack(file.Path, ImageFormat.Zstd, sink);
        Assert.True(disk.AsSpan().SequenceEqual(sink.ToArray()));
    }

    [Fact]
    public void The_content_can_be_read_as_a_stream_in_any_pieces()
    {
        var disk = NativeImage.RandomDisk(1_000_000, 5);
        using var file = new TemporaryFile(Pack(ImageFormat.Gzip, disk));
        using var source = FileByteSource.Open(file.Path);
        using var content = new WrappedImage(source, ImageFormat.Gzip).OpenDecompressed(long.MaxValue);
        var read = new MemoryStream();
        content.CopyTo(read, 777);
        Assert.True(disk.AsSpan().SequenceEqual(read.ToArray()));
        Assert.Equal(disk.Length, content.Position);
    }

    [Fact]
    public void Another_wrapper_is_refused()
    {
        using var file = new TemporaryFile([1]);
        Assert.False(WrappedImage.CanUnpack(ImageFormat.Bzip2));
        Assert.Throws<UnsupportedImageException>(() => Unpack(file.Path, ImageFormat.Bzip2, new SparseMemory()));
    }

    private static long Unpack(string path, ImageFormat wrapper, IByteSink sink, long maximumLength = long.MaxValue)
    {
        using var source = FileByteSource.Open(path);
        return WrappedImage.UnpackAsync(source, wrapper, sink, maximumLength, default).AsTask()
            .GetAwaiter().GetResult();
    }

    private static byte[] Pack(ImageFormat wrapper, byte[] content)
    {
        if (wrapper == ImageFormat.Gzip)
        {
            using var target = new MemoryStream();
            using (var gzip = new GZipStream(target, CompressionLevel.Fastest))
            {
                gzip.Write(content);
            }

            // .NET writes nothing at all for no content.
            return content.Length > 0 ? target.ToArray() : Convert.FromHexString("1f8b080000000000000303000000000000000000");
        }

        var name = wrapper == ImageFormat.Zstd ? "zstd" : "xz";
        Tool.Require(name, wrapper == ImageFormat.Zstd ? "zstd" : "xz-utils");
        using var directory = new TemporaryDirectory();
        File.WriteAllBytes(directory["disk"], content);
        Tool.Run(name, "-q", "-k", "-1", directory["disk"]);
        return File.ReadAllBytes(directory[wrapper == ImageFormat.Zstd ? "disk.zst" : "disk.xz"]);
    }
}
