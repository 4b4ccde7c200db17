using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhdx;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;
using ImageUtils.Resizing;
using ImageUtils.Tests.Support;
using ImageUtils.VhdChains;

namespace ImageUtils.Tests.VhdChains;

/// <summary>VHDXs that are changed in place, and what is left of them when that is cut off at any moment.</summary>
public sealed class VhdxEditorTests
{
    private const int Mebibyte = 1 << 20;

    public static TheoryData<string, int, long> Growths => new()
    {
        { "vhdx-dynamic", 1, 9L * Mebibyte + 512 },

        // Its table must move: 1 MiB has room for 128 GiB in blocks of 1 MiB.
        { "vhdx-dynamic", 1, 300L << 30 },
        { "vhdx-dynamic", 3, 20L * Mebibyte },
        { "vhdx-dynamic", 2, 300L << 30 },
        { "vhdx-fixed", 1, 9L * Mebibyte },
    };

    [Theory]
    [MemberData(nameof(Growths))]
    public async Task A_disk_that_grows_has_the_old_size_or_the_new_one_after_a_crash(string kind, int depth, long size)
    {
        using var chain = new RandomChain((int)(size >> 9) + depth, depth, kind, megabytes: 3);
        var before = chain.Disks[0];
        await CheckAsync(
            chain,
            async editor =>
            {
                using var target = new VhdxMergeTarget(editor);
                await target.PrepareGrowthAsync(size, default);
                await target.WriteZeroesAsync(before.Length, Math.Min(size, 8L * Mebibyte) - before.Length, default);
                await target.FinishAsync(default);
                Assert.Equal(size, editor.VirtualSize);
            },
            async (image, isLast) =>
            {
                Assert.True(image.Map.VirtualSize == size || (!isLast && image.Map.VirtualSize == before.Length));
                Assert.Equal(before, NativeImage.Read(new ResizedMap(image.Map, before.Length)));
                Assert.Null(await GuestTail.FindLastDataAsync(image.Map, before.Length, default));
            });
    }

    [Theory]
    [InlineData("vhdx-dynamic", 1)]
    [InlineData("vhdx-dynamic", 2)]
    public async Task A_disk_that_shrinks_has_the_old_size_or_the_new_one_after_a_crash(string kind, int depth)
    {
        using var chain = new RandomChain(50 + depth, depth, kind, megabytes: 3);
        var before = chain.Disks[0];
        const int size = Mebibyte + 1536;
        await CheckAsync(
            chain, editor => editor.SetSizeAsync(size, default),
            (image, isLast) =>
            {
                Assert.True(image.Map.VirtualSize == size || (!isLast && image.Map.VirtualSize == before.Length));
                Assert.Equal(before[..size], NativeImage.Read(new ResizedMap(image.Map, size)));
                return ValueTask.CompletedTask;
            });
    }

    [Fact]
    public async Task A_disk_has_the_old_parent_or_the_new_one_after_a_crash()
    {
        using var chain = new RandomChain(60, 2, "vhdx-dynamic", megabytes: 3);
        var id = ChainFiles.IdOf(chain.Paths[1])!.Value;
        File.Copy(chain.Paths[1], chain["other parent.vhdx"]);
        var names = new HashSet<string>();
        await CheckAsync(
            chain, editor => editor.SetParentAsync(VhdxParentLocator.Relative("other parent.vhdx", id), default),
            (image, isLast) =>
            {
                var name = Path.GetFileName(image.BasedOn[0]);
                names.Add(name);
                Assert.True(!isLast || name == "other parent.vhdx");
                Assert.Equal(chain.Disks[0], NativeImage.Read(image.Map));
                return ValueTask.CompletedTask;
            });
        Assert.Equal(2, names.Count);
    }

    [Fact]
    public async Task The_metadata_stay_near_the_beginning_and_the_file_as_long_as_it_was()
    {
        using var files = new ChainFiles();
        var path = files.Make("disk.vhdx", 4 * Mebibyte, pieces: [(0, new byte[700]), (2 * Mebibyte, new byte[512])]);
        var length = new FileInfo(path).Length;
        foreach (var size in new[] { 40, 30, 41 })
        {
            await ResizeAsync(path, size * Mebibyte);
            Assert.Equal(length, new FileInfo(path).Length);
            using var source = FileByteSource.Open(path);
            var disk = await VhdxReader.ReadStructuresAsync(source, default);
            Assert.Equal(2UL * Mebibyte, Array.Find(disk.Regions, one => one.Id == VhdxIds.MetadataRegion).FileOffset);
        }
    }

    [Fact]
    public async Task What_is_behind_the_end_of_a_disk_or_in_a_larger_parent_does_not_appear()
    {
        using var files = new ChainFiles();
        var data = NativeImage.RandomDisk(2 * Mebibyte, 9);
        files.Make("parent.vhdx", 6 * Mebibyte, pieces: [(0, data), (3 * Mebibyte, data)]);
        var path = files.Make("child.vhdx", 3 * Mebibyte + 512, "parent.vhdx", pieces: [(Mebibyte, data[..1024])]);
        var before = ChainFiles.Read(path, files.Path);
        Assert.Equal(ResizeMethod.InPlace, (await ResizeAsync(path, 10 * Mebibyte)).Method);
        var after = ChainFiles.Read(path, files.Path);
        Assert.Equal(before, after[..before.Length]);
        Assert.Equal(-1, after.AsSpan(before.Length).IndexOfAnyExcept((byte)0));

        // Its last block has more than the disk: another tool cut it off so.
        var single = files.Make("single.vhdx", 2 * Mebibyte, pieces: [(0, data)]);
        using (var file = ImageLock.Acquire(single))
        using (var editor = await VhdxEditor.OpenAsync(file, file.Sink, default))
        {
            await editor.SetSizeAsync(Mebibyte + 512, default);
        }

        await ResizeAsync(single, 12 * Mebibyte);
        after = ChainFiles.Read(single);
        Assert.Equal(data[..(Mebibyte + 512)], after[..(Mebibyte + 512)]);
        Assert.Equal(-1, after.AsSpan(Mebibyte + 512).IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public async Task A_fixed_disk_gets_all_its_blocks()
    {
        using var files = new ChainFiles();
        var data = NativeImage.RandomDisk(1000 * 512, 4);
        var path = files.Make("disk.vhdx", 3 * Mebibyte, change: options => options with { Subformat = "fixed" },
            pieces: [(0, data)]);
        Assert.Equal(ResizeMethod.InPlace, (await ResizeAsync(path, 9 * Mebibyte + 512)).Method);
        using (var source = FileByteSource.Open(path))
        {
            var disk = await VhdxReader.ReadStructuresAsync(source, default);
            await foreach (var (_, entries) in BlockTablePages.ReadAsync(disk, default))
            {
                Assert.All(entries, entry => Assert.Equal(VhdxBlockState.FullyPresent, entry.State));
            }
        }

        Assert.Equal(data, ChainFiles.Read(path)[..data.Length]);
        Assert.Equal(ResizeMethod.Rewritten, (await ResizeAsync(path, 4 * Mebibyte)).Method);
    }

    [SkippableFact]
    public async Task Qemu_img_finds_nothing_wrong_with_what_was_changed()
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var files = new ChainFiles();
        var data = NativeImage.RandomDisk(1000 * 512, 4);
        var path = files.Make("disk.vhdx", 3 * Mebibyte, pieces: [(0, data)]);
        foreach (var size in new[] { 9L * Mebibyte, 2000L << 30, 2L * Mebibyte })
        {
            await ResizeAsync(path, size);
            Assert.Contains("No errors", Tool.Run("qemu-img", "check", "-f", "vhdx", path), StringComparison.Ordinal);
            Assert.Contains(
                $"({size} bytes)", Tool.Run("qemu-img", "info", "-f", "vhdx", path), StringComparison.Ordinal);
            Assert.True((await VhdImageCheck.RunAsync(path)).IsValid);
        }

        Tool.Run("qemu-img", "convert", "-f", "vhdx", "-O", "raw", path, files["disk.raw"]);
        Assert.Equal(data, (await File.ReadAllBytesAsync(files["disk.raw"]))[..data.Length]);
    }

    [Fact]
    public async Task A_region_table_with_more_in_it_than_is_known_is_left_alone()
    {
        using var files = new ChainFiles();
        var path = files.Make("disk.vhdx", 3 * Mebibyte);
        var table = new byte[VhdxRegionTable.Length];
        using (var file = File.OpenRead(path))
        {
            file.Position = VhdxRegionTable.FirstOffset;
            file.ReadExactly(table);
        }

        table[60_000] = 1;
        VhdxChecksum.Write(table);
        files.Patch("disk.vhdx", VhdxRegionTable.FirstOffset, table);
        var before = await File.ReadAllBytesAsync(path);
        await Assert.ThrowsAsync<VhdChainException>(() => ResizeAsync(path, 9 * Mebibyte));
        Assert.Equal(before, await File.ReadAllBytesAsync(path));
    }

    private static Task<ImageResizeResult> ResizeAsync(string path, long size) => VhdResizer.ResizeAsync(
        new ImageResizeRequest
        {
            Path = path,
            Size = SizeChange.To(size),
            AllowShrink = true,
            Source = ChainFiles.Allowing(Path.GetDirectoryName(path)!),
        });

    // Changes the leaf, and looks at it as it is then, and in every sampled state that a crash could leave.
    private static async Task CheckAsync(
        RandomChain chain, Func<VhdxEditor, ValueTask> change, Func<OpenedImage, bool, ValueTask> check)
    {
        var path = chain.Paths[0];
        var first = SparseMemory.Of(await File.ReadAllBytesAsync(path));
        var sink = await ChangeAsync(path, change);
        await LookAsync(chain, check, isLast: true);
        var index = 0;
        foreach (var state in CrashState.Sample(first, sink.Steps, new Random(7), perFlush: 3))
        {
            state.Save(path);
            await LookAsync(chain, check, isLast: false);
            if (index++ % 5 == 0)
            {
                await ChangeAsync(path, change);
                await LookAsync(chain, check, isLast: true);
            }
        }
    }

    private static async Task<CrashSink> ChangeAsync(string path, Func<VhdxEditor, ValueTask> change)
    {
        using var file = ImageLock.Acquire(path);
        var sink = new CrashSink(file.Sink);
        using var editor = await VhdxEditor.OpenAsync(file, sink, default);
        await change(editor);
        return sink;
    }

    private static async Task LookAsync(RandomChain chain, Func<OpenedImage, bool, ValueTask> check, bool isLast)
    {
        Assert.True((await ImageInspector.InspectFileAsync(
            chain.Paths[0], chain.Options.Inspection, false, default)).IsSafe);
        using var image = await ImageOpener.OpenAsync(chain.Paths[0], chain.Options);
        await check(image, isLast);
    }
}
