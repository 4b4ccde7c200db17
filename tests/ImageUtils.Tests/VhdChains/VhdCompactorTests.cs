using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using ImageUtils.Conversion;
using ImageUtils.Creation;
using ImageUtils.Errors;
using ImageUtils.Formats;
using ImageUtils.Formats.Vhd;
using ImageUtils.Formats.Vhdx;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;
using ImageUtils.VhdChains;

namespace ImageUtils.Tests.VhdChains;

/// <summary>Disks that lose blocks, and nothing else.</summary>
public sealed class VhdCompactorTests : IDisposable
{
    private const int DiskSize = 13 << 20;

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(ImageFormat.Vhd, 2 << 20)]
    [InlineData(ImageFormat.Vhd, 512 << 10)]
    [InlineData(ImageFormat.Vhdx, 1 << 20)]
    [InlineData(ImageFormat.Vhdx, 2 << 20)]
    public async Task Blocks_of_zeros_go_and_all_else_stays(ImageFormat format, int blockSize)
    {
        var disk = new byte[DiskSize];
        new Random(1).NextBytes(disk.AsSpan(3 << 20, 1 << 20));
        disk[^1] = 7;
        Write("a", format, disk, new WriterOptions { VirtualSize = DiskSize, ClusterSize = blockSize }, (0, DiskSize));
        File.SetUnixFileMode(_directory["a"], UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var before = await ImageInspector.InspectFileAsync(_directory["a"]);
        var result = await CompactAsync("a");
        var blocks = (DiskSize + blockSize - 1) / blockSize;
        var left = Math.Max((1 << 20) / blockSize, 1) + 1;
        Assert.Equal(
            (true, true, left, blocks - left),
            (result.Compacted, result.Verified, result.BlockCount, result.DroppedBlocks));
        Assert.Equal(new FileInfo(_directory["a"]).Length, result.NewFileSize);
        Assert.True(result.OldFileSize - result.NewFileSize >= (long)(blocks - left) * blockSize);
        var after = await ImageInspector.InspectFileAsync(_directory["a"]);
        AssertSameKind(before, after);
        AssertReads(disk, "a");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_directory["a"]));
        Assert.Equal(["a"], _directory.Names());
        if (format == ImageFormat.Vhdx && Tool.Find("qemu-img") is not null)
        {
            Tool.Run("qemu-img", "check", "-f", "vhdx", _directory["a"]);
        }
    }

    [Theory]
    [InlineData(ImageFormat.Vhd)]
    [InlineData(ImageFormat.Vhdx)]
    public async Task Over_a_parent_blocks_that_are_equal_to_it_go_and_zeros_over_its_data_stay(ImageFormat format)
    {
        const int block = 2 << 20;
        var disk = NativeImage.RandomDisk(DiskSize, 2);
        new Random(9).NextBytes(disk.AsSpan(0, 1000));
        new Random(9).NextBytes(disk.AsSpan(2 * block, 1000));
        await CreateParentAsync(format, disk);

        // The first block is the parent's again; the second differs in a byte; of the third the beginning is zero now.
        disk[block + 70_000] ^= 1;
        disk.AsSpan(2 * block, 512).Clear();
        await WriteChildAsync(
            "child", format, disk, (0, block), (block + 65_536, 8192), (2 * block, 512), (4 * block, 4096));
        var before = await ImageInspector.InspectFileAsync(_directory["child"], Inspection());
        AssertReads(disk, "child");
        var result = await CompactAsync("child");
        Assert.Equal((true, 2, 2), (result.Compacted, result.BlockCount, result.DroppedBlocks));
        AssertSameKind(before, await ImageInspector.InspectFileAsync(_directory["child"], Inspection()));
        AssertReads(disk, "child");
    }

    [Theory]
    [InlineData(ImageFormat.Vhd)]
    [InlineData(ImageFormat.Vhdx)]
    public async Task Random_children_read_as_before(ImageFormat format)
    {
        var random = new Random(3);
        for (var round = 0; round < 6; round++)
        {
            var disk = NativeImage.RandomDisk(DiskSize, random.Next());
            await CreateParentAsync(format, disk);
            var runs = new List<(long, long)>();
            for (var at = 0; at < DiskSize;)
            {
                var length = Math.Min(random.Next(1, 3000) * 512, DiskSize - at);
                var kind = random.Next(4);
                if (kind == 0)
                {
                    random.NextBytes(disk.AsSpan(at, length));
                }
                else if (kind == 1)
                {
                    disk.AsSpan(at, length).Clear();
                }

                if (kind < 3)
                {
                    runs.Add((at, length));
                }

                at += length;
            }

            await WriteChildAsync("child", format, disk, [.. runs]);
            AssertReads(disk, "child");
            await CompactAsync("child");
            AssertReads(disk, "child");
            File.Delete(_directory["child"]);
            File.Delete(_directory["parent"]);
        }
    }

    [Theory]
    [InlineData("snapshots")]
    [InlineData("resized")]
    [InlineData("preallocated")]
    [InlineData("raw-parent")]
    public async Task Chains_of_vhd_util_stay_what_vhd_util_takes_them_for(string archive)
    {
        VhdUtilRecordings.Unpack(archive, _directory.Path);
        foreach (var disk in VhdUtilRecordings.All.Where(disk => disk.Archive == archive).Reverse())
        {
            var before = File.ReadAllBytes(_directory[disk.Name]);
            AddEmptyBlock(disk.Name);
            var grown = new FileInfo(_directory[disk.Name]).Length;
            var result = await CompactAsync(disk.Name);
            Assert.Equal((grown > before.Length, grown > before.Length), (result.Compacted, result.DroppedBlocks > 0));
            var options = new OpenOptions { Inspection = Inspection() };
            using (var image = await ImageOpener.OpenAsync(_directory[disk.Name], options))
            {
                Assert.Equal(disk.Sha256, Convert.ToHexStringLower(SHA256.HashData(NativeImage.Read(image.Map))));
            }

            var report = await VhdImageCheck.RunAsync(_directory[disk.Name], options);
            Assert.True(report.IsValid, string.Join(" ", report.Problems));
            if (Tool.Find("vhd-util") is not null)
            {
                VhdUtil.Check(_directory[disk.Name]);
                Assert.Equal($"chain depth: {disk.Depth}", VhdUtil.Query(_directory[disk.Name], "-d"));
            }
        }
    }

    [Fact]
    public async Task What_only_hyper_v_shows_behind_the_geometry_stays()
    {
        // QEMU takes the geometry of what "vpc " made for the disk's size: less than 13 MiB.
        var disk = new byte[DiskSize];
        disk[0] = disk[^1] = 9;
        Write("a", ImageFormat.Vhd, disk, new WriterOptions { VirtualSize = DiskSize }, (0, DiskSize));
        SetCreator("vpc ");
        Assert.True((await ImageInspector.InspectFileAsync(_directory["a"])).VirtualSize < DiskSize);
        var result = await CompactAsync("a");
        Assert.Equal((2, 5), (result.BlockCount, result.DroppedBlocks));
        SetCreator("win ");
        AssertReads(disk, "a");
    }

    [Fact]
    public async Task A_disk_that_would_not_become_smaller_is_left_as_it_is()
    {
        var disk = new byte[DiskSize];
        Array.Fill(disk, (byte)3);
        Write("a", ImageFormat.Vhd, disk, new WriterOptions { VirtualSize = DiskSize }, (0, DiskSize));
        var (bytes, inode) = (File.ReadAllBytes(_directory["a"]), Posix.FindIdentity(_directory["a"]));
        var result = await CompactAsync("a");
        Assert.Equal((false, bytes.Length, bytes.Length), (result.Compacted, result.OldFileSize, result.NewFileSize));
        Assert.Equal(inode, Posix.FindIdentity(_directory["a"]));
        Assert.Equal(bytes, File.ReadAllBytes(_directory["a"]));
    }

    [Theory]
    [InlineData(ImageFormat.Vhd, "fixed", "fixed disk")]
    [InlineData(ImageFormat.Vhdx, "fixed", "fixed disk")]
    [InlineData(ImageFormat.Qcow2, null, "qcow2")]
    public async Task What_has_no_blocks_to_drop_is_refused(ImageFormat format, string? kind, string expected)
    {
        await ImageCreator.CreateAsync(new ImageCreationRequest
        {
            Path = _directory["a"],
            Format = format,
            VirtualSize = 1 << 20,
            Target = new WriterOptions { VirtualSize = 0, Subformat = kind },
        });
        var exception = await Assert.ThrowsAsync<UnsupportedImageException>(() => CompactAsync("a"));
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_disk_without_its_parent_is_refused_and_left()
    {
        await CreateParentAsync(ImageFormat.Vhd, new byte[DiskSize]);
        await WriteChildAsync("child", ImageFormat.Vhd, new byte[DiskSize], (0, DiskSize));
        File.Delete(_directory["parent"]);
        var before = File.ReadAllBytes(_directory["child"]);
        await Assert.ThrowsAsync<ImageFileException>(() => CompactAsync("child"));
        Assert.Equal(before, File.ReadAllBytes(_directory["child"]));
    }

    private static void AssertSameKind(ImageInspection before, ImageInspection after)
    {
        Assert.Equal(
            (before.VirtualSize, before.ClusterSize, before.Subformat),
            (after.VirtualSize, after.ClusterSize, after.Subformat));
        if (before.Details is VhdDetails vhd)
        {
            Assert.Equal(
                vhd with { ParentLocators = [] }, (VhdDetails)after.Details! with { ParentLocators = [] });
            Assert.Equal(vhd.ParentLocators, ((VhdDetails)after.Details!).ParentLocators);
        }
        else
        {
            var (old, now) = ((VhdxDetails)before.Details!, (VhdxDetails)after.Details!);
            Assert.Equal(
                (old.DataWriteGuid, old.VirtualDiskId, old.Creator, old.BlockSize, old.HasParent),
                (now.DataWriteGuid, now.VirtualDiskId, now.Creator, now.BlockSize, now.HasParent));
            Assert.Equal(old.ParentLocator, now.ParentLocator);
            Assert.NotEqual(old.FileWriteGuid, now.FileWriteGuid);
        }
    }

    private static IReadableFormat FormatOf(ImageFormat format) =>
        format == ImageFormat.Vhd ? new VhdFormat() : new VhdxFormat();

    private InspectionOptions Inspection() =>
        new() { Policy = SafetyPolicy.Default with { BackingFileDirectories = [_directory.Path] } };

    private Task<VhdCompactResult> CompactAsync(string name) =>
        VhdCompactor.CompactAsync(new VhdCompactRequest { Path = _directory[name], Verify = true });

    private void AssertReads(byte[] expected, string name)
    {
        using var image = ImageOpener.OpenAsync(_directory[name], new OpenOptions { Inspection = Inspection() })
            .AsTask().GetAwaiter().GetResult();
        Assert.Equal(expected, NativeImage.Read(image.Map));
    }

    private void Write(
        string name, ImageFormat format, byte[] disk, WriterOptions options, params (long Offset, long Length)[] runs)
    {
        var writer = ((IWritableFormat)FormatOf(format)).CreateWriter(options);
        var sink = new SparseMemory();
        writer.BeginAsync(sink, default).AsTask().GetAwaiter().GetResult();
        foreach (var (offset, length) in runs)
        {
            var data = disk.AsMemory((int)offset, (int)length);
            writer.WriteAsync(offset, data, default).AsTask().GetAwaiter().GetResult();
        }

        writer.FinishAsync(default).AsTask().GetAwaiter().GetResult();
        sink.Save(_directory[name]);
    }

    private async Task CreateParentAsync(ImageFormat format, byte[] disk)
    {
        await File.WriteAllBytesAsync(_directory["raw"], disk);
        await ImageConverter.ConvertAsync(new ConversionRequest
        {
            SourcePath = _directory["raw"],
            Source = new OpenOptions { KnownRaw = true },
            DestinationPath = _directory["parent"],
            DestinationFormat = format,
        });
        File.Delete(_directory["raw"]);
    }

    private async Task WriteChildAsync(
        string name, ImageFormat format, byte[] disk, params (long Offset, long Length)[] runs)
    {
        var parent = await ImageInspector.InspectFileAsync(_directory["parent"]);
        Write(
            name, format, disk,
            new WriterOptions
            {
                VirtualSize = DiskSize,
                BackingFile = "parent",
                ParentId = (parent.Details as VhdDetails)?.UniqueId ?? ((VhdxDetails)parent.Details!).DataWriteGuid,
            },
            runs);
    }

    private void SetCreator(string creator)
    {
        var bytes = File.ReadAllBytes(_directory["a"]);
        foreach (var at in new[] { 0, bytes.Length - VhdFooter.Length })
        {
            var code = BinaryPrimitives.ReadUInt32BigEndian(Encoding.ASCII.GetBytes(creator));
            var footer = bytes.AsSpan(at, VhdFooter.Length);
            (VhdFooter.Parse(footer) with { CreatorApplication = code }).Write(footer);
        }

        File.WriteAllBytes(_directory["a"], bytes);
    }

    /// <summary>Gives the last block that has no place in a file one that says nothing, where there is such a
    /// block.</summary>
    private void AddEmptyBlock(string name)
    {
        var path = _directory[name];
        using var held = ImageLock.Acquire(path);
        using var editor = VhdEditor.OpenAsync(held, held.Sink, default).AsTask().GetAwaiter().GetResult();
        for (var block = editor.VirtualSize / editor.BlockSize - 1; block >= 0; block--)
        {
            if (editor.FindBlock(block) is null)
            {
                editor.ReserveAsync(1, default).AsTask().GetAwaiter().GetResult();
                editor.AddBlock(block);
                editor.SetBitmap(block, new byte[editor.BitmapSize]);
                editor.CommitAsync(default).AsTask().GetAwaiter().GetResult();
                editor.FinishAsync(default).AsTask().GetAwaiter().GetResult();
                return;
            }
        }
    }
}
