using System.IO.Compression;
using System.Security.Cryptography;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Streaming;
using ImageUtils.Tests.Conversion;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Streaming;

/// <summary>Images that are made while they are sent, from the first byte to the last.</summary>
public sealed partial class StreamedTargetTests : IDisposable
{
    private static readonly Guid s_id = new("6c2c3a1e-0d5b-4f0a-9c11-7d9a3b1f5e42");
    private static readonly DateTimeOffset s_time = new(2024, 5, 17, 12, 0, 0, TimeSpan.Zero);

    private readonly TemporaryDirectory _directory = new();

    public static TheoryData<string> Kinds => [.. SampleDisk.Kinds.Keys];

    public static TheoryData<string, string> SourcesAndKinds
    {
        get
        {
            var pairs = new TheoryData<string, string>();
            string[] sources =
            [
                "qcow2 -c", "qcow2 -c -S 0", "vpc -o force_size=on", "vmdk -o subformat=streamOptimized",
            ];
            foreach (var source in sources)
            {
                foreach (var kind in new[] { "raw", "qcow2", "qcow2-v2", "vhd", "vhdx", "vmdk", "vmdk-stream", "vdi" })
                {
                    pairs.Add(source, kind);
                }
            }

            return pairs;
        }
    }

    private string Source => _directory["source"];

    public void Dispose() => _directory.Dispose();

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task What_is_sent_is_what_a_conversion_writes(string kind)
    {
        await File.WriteAllBytesAsync(Source, SampleDisk.Make());
        await AssertIsAsConvertedAsync(kind);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(512)]
    [InlineData((64 << 10) + 1)]
    [InlineData(SendBlock.Size + 513)]
    public async Task Disks_of_any_size_are_sent(int length)
    {
        var disk = new byte[length];
        new Random(length).NextBytes(disk.AsSpan(length / 2));
        await File.WriteAllBytesAsync(Source, disk);
        foreach (var kind in SampleDisk.Kinds.Keys)
        {
            await AssertIsAsConvertedAsync(kind);
        }
    }

    [Fact]
    public async Task Zeros_hidden_in_data_and_holes_are_left_out()
    {
        var disk = new byte[(12 << 20) + 512];
        foreach (var at in new[] { 3 << 20, (5 << 20) + 70_000, 11 << 20 })
        {
            disk[at] = 1;
        }

        await File.WriteAllBytesAsync(Source, disk);
        using (var sparse = File.OpenWrite(_directory["sparse"]))
        {
            sparse.SetLength(disk.Length);
            foreach (var at in new[] { 3 << 20, (5 << 20) + 70_000, 11 << 20 })
            {
                sparse.Position = at;
                sparse.WriteByte(1);
            }
        }

        foreach (var kind in SampleDisk.Kinds.Keys)
        {
            var sent = await AssertIsAsConvertedAsync(kind);
            Assert.Equal(sent, (await SendAsync(kind, source: _directory["sparse"])).Bytes);
        }

        Assert.True((await SendAsync("qcow2")).Bytes.Length < 1 << 20);
    }

    [Fact]
    public async Task A_disk_of_nothing_but_zeros_is_sent()
    {
        await File.WriteAllBytesAsync(Source, new byte[(4 << 20) + 512]);
        foreach (var kind in SampleDisk.Kinds.Keys)
        {
            await AssertIsAsConvertedAsync(kind);
        }
    }

    [SkippableTheory]
    [MemberData(nameof(SourcesAndKinds))]
    public async Task Sources_of_other_formats_are_sent(string source, string kind)
    {
        Tool.Require("qemu-img", "qemu-utils");
        await File.WriteAllBytesAsync(_directory["disk.raw"], SampleDisk.Make(seed: 5));
        Tool.Run("qemu-img", ["convert", "-f", "raw", "-O", .. source.Split(' '), _directory["disk.raw"], Source]);
        await AssertIsAsConvertedAsync(kind);
    }

    [SkippableFact]
    public async Task A_chain_of_images_is_sent_as_one()
    {
        Tool.Require("qemu-img", "qemu-utils");
        await File.WriteAllBytesAsync(_directory["disk.raw"], SampleDisk.Make());
        Tool.Run("qemu-img", "convert", "-c", "-O", "qcow2", _directory["disk.raw"], _directory["base"]);
        Tool.Run("qemu-img", "create", "-f", "qcow2", "-b", _directory["base"], "-F", "qcow2", Source);
        Tool.Run(
            "qemu-io", "-f", "qcow2", "-c", "write -P 3 70000 9000", "-c", "write -z 0 65536",
            "-c", $"write -P 9 {8 << 20} 4096", Source);
        foreach (var kind in new[] { "raw", "qcow2", "vhd", "vhdx", "vmdk", "vdi" })
        {
            await AssertIsAsConvertedAsync(kind);
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Kinds))]
    public async Task Qemu_finds_nothing_wrong_with_what_is_sent(string kind)
    {
        Tool.Require("qemu-img", "qemu-utils");
        await File.WriteAllBytesAsync(Source, SampleDisk.Make());
        await File.WriteAllBytesAsync(_directory["b"], (await SendAsync(kind)).Bytes);
        var format = SampleDisk.Kinds[kind].Format;
        var driver = format.ToQemuName()!;
        Assert.Contains(
            "identical", Tool.Run("qemu-img", "compare", "-f", "raw", "-F", driver, Source, _directory["b"]),
            StringComparison.Ordinal);
        if (format is ImageFormat.Qcow2 or ImageFormat.Vdi or ImageFormat.Vhdx or ImageFormat.Vmdk)
        {
            Assert.Contains(
                "No errors", Tool.Run("qemu-img", "check", "-f", driver, _directory["b"]), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("qcow2-zlib", true)]
    [InlineData("qcow2", false)]
    [InlineData("vmdk-stream", false)]
    [InlineData("raw", false)]
    public async Task Only_a_compressed_qcow2_takes_temporary_bytes(string kind, bool takes)
    {
        await File.WriteAllBytesAsync(Source, SampleDisk.Make());
        var sent = await SendAsync(kind);
        Assert.Equal(takes, sent.TemporaryBytes > 0);
        Assert.Equal(kind == "vmdk-stream", sent.Stated is null);
        Assert.Equal(["source"], _directory.Names());
    }

    [Fact]
    public async Task Tables_that_are_too_large_for_memory_go_to_a_temporary_file()
    {
        await File.WriteAllBytesAsync(Source, SampleDisk.Make());
        foreach (var kind in new[] { "qcow2", "qcow2-v2", "vhd", "vhdx", "vmdk", "vdi" })
        {
            var plain = await SendAsync(kind);
            var spilled = await SendAsync(kind, change: request => request with { TableLimit = 0 });
            Assert.Equal(plain.Bytes, spilled.Bytes);
        }

        using (var noise = File.OpenWrite(Source))
        {
            for (var at = 0L; at < 48 << 20; at += 8192)
            {
                noise.Position = at;
                noise.WriteByte((byte)(at / 8192 | 1));
            }
        }

        var few = await SendAsync("qcow2-v2", change: request => request with { TableLimit = 0 });
        Assert.True(few.TemporaryBytes > 0);
        Assert.Equal((await SendAsync("qcow2-v2")).Bytes, few.Bytes);
    }

    [SkippableTheory]
    [InlineData("raw")]
    [InlineData("qcow2")]
    [InlineData("qcow2-zlib")]
    [InlineData("vmdk-stream")]
    public async Task What_is_compressed_on_the_way_is_one_gzip_member_of_the_same_file(string kind)
    {
        Tool.Require("gzip", "gzip");
        await File.WriteAllBytesAsync(Source, SampleDisk.Make());
        var plain = (await SendAsync(kind)).Bytes;
        var sent = await SendAsync(kind, change: request => request with { Gzip = CompressionLevel.Fastest });
        Assert.Null(sent.Stated);
        await File.WriteAllBytesAsync(_directory["b.gz"], sent.Bytes);
        Tool.Run("gzip", "-t", _directory["b.gz"]);
        Tool.Run("gzip", "-d", _directory["b.gz"]);
        Assert.Equal(plain, await File.ReadAllBytesAsync(_directory["b"]));

        // The second member, if there were one, would be read by some and not by others.
        Assert.Equal(plain.Length, BitConverter.ToInt32(sent.Bytes.AsSpan(^4)));
    }

    [SkippableFact]
    public async Task A_disk_without_a_byte_is_sent()
    {
        Tool.Require("qemu-img", "qemu-utils");
        Tool.Run("qemu-img", "create", "-f", "qcow2", Source, "0");
        foreach (var kind in SampleDisk.Kinds.Keys.Except(["vhd-fixed"]))
        {
            var (bytes, stated, _) = await SendAsync(kind);
            Assert.Equal(stated ?? bytes.Length, bytes.Length);
            Assert.Equal(kind.StartsWith("raw", StringComparison.Ordinal), bytes.Length == 0);
        }

        var sent = await SendAsync("raw", change: request => request with { Gzip = CompressionLevel.Optimal });
        using var back = new GZipStream(new MemoryStream(sent.Bytes), CompressionMode.Decompress);
        Assert.Equal(-1, back.ReadByte());
        Assert.NotEmpty(sent.Bytes);
    }

    [Fact]
    public async Task An_image_can_be_sent_again()
    {
        await File.WriteAllBytesAsync(Source, SampleDisk.Make());
        foreach (var kind in new[] { "qcow2", "qcow2-zlib", "vmdk-stream" })
        {
            using var source = await ImageOpener.OpenAsync(Source);
            using var target = await StreamedTarget.PlanAsync(source, RequestOf(kind), default);
            var (first, second) = (new MemoryStream(), new MemoryStream());
            await target.WriteToAsync(first, []);
            await target.WriteToAsync(second, []);
            Assert.Equal(first.ToArray(), second.ToArray());
        }
    }

    [Fact]
    public async Task An_image_that_is_sent_has_no_backing_file()
    {
        await File.WriteAllBytesAsync(Source, SampleDisk.Make());
        using var source = await ImageOpener.OpenAsync(Source);
        var request = RequestOf("qcow2") with
        {
            Target = new WriterOptions { VirtualSize = 0, BackingFile = "b", BackingFormat = ImageFormat.Raw },
        };
        await Assert.ThrowsAsync<ImageOptionException>(() => StreamedTarget.PlanAsync(source, request, default));
    }

    private StreamedTargetRequest RequestOf(string kind) => new()
    {
        Format = SampleDisk.Kinds[kind].Format,
        Target = Fixed(kind),
        TemporaryDirectory = _directory.Path,
    };

    // What is random, or the time, is the same in all files.
    private static WriterOptions Fixed(string kind)
    {
        var (format, options) = SampleDisk.Kinds[kind];
        return format is ImageFormat.Raw or ImageFormat.Qcow2
            ? options
            : options with { UniqueId = s_id, TimeStamp = s_time };
    }

    private async Task<(byte[] Bytes, long? Stated, long TemporaryBytes)> SendAsync(
        string kind,
        string? source = null,
        Func<StreamedTargetRequest, StreamedTargetRequest>? change = null)
    {
        using var opened = await ImageOpener.OpenAsync(source ?? Source, Options());
        using var target = await StreamedTarget.PlanAsync(
            opened, (change ?? (request => request))(RequestOf(kind)), default);
        var stream = new MemoryStream();
        using var sha512 = IncrementalHash.CreateHash(HashAlgorithmName.SHA512);
        using var sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var reported = 0L;
        var count = await target.WriteToAsync(
            stream, [sha512.AppendData, sha256.AppendData], sent => reported = sent);
        var bytes = stream.ToArray();
        Assert.Equal(bytes.Length, count);
        Assert.Equal(bytes.Length, reported);
        Assert.Equal(target.Length ?? bytes.Length, bytes.Length);
        Assert.Equal(SHA512.HashData(bytes), sha512.GetHashAndReset());
        Assert.Equal(SHA256.HashData(bytes), sha256.GetHashAndReset());
        return (bytes, target.Length, target.TemporaryBytes);
    }

    private async Task<byte[]> AssertIsAsConvertedAsync(string kind)
    {
        var file = _directory["converted"];
        var request = SampleDisk.Request(Source, file, kind) with
        {
            Target = Fixed(kind),
            Overwrite = true,
            Source = Options(),
        };
        await ImageConverter.ConvertAsync(request);
        var expected = await File.ReadAllBytesAsync(file);
        var (sent, stated, _) = await SendAsync(kind);
        if (kind == "vmdk-stream")
        {
            // The header sends readers to the footer; all else is the same.
            Assert.Null(stated);
            Assert.Equal(expected.Length, sent.Length);
            expected.AsSpan(56, 8).Fill(0xFF);
        }
        else
        {
            Assert.Equal(expected.Length, stated);
        }

        var difference = expected.AsSpan().CommonPrefixLength(sent);
        Assert.True(
            difference == expected.Length && sent.Length == expected.Length,
            $"{kind}: {expected.Length} and {sent.Length} bytes differ from {difference} on");
        File.Delete(file);
        return sent;
    }

    private OpenOptions Options() => OpenOptions.Default with
    {
        Inspection = OpenOptions.Default.Inspection with
        {
            Policy = OpenOptions.Default.Inspection.Policy with
            {
                BackingFileDirectories = [_directory.Path],
            },
        },
    };
}
