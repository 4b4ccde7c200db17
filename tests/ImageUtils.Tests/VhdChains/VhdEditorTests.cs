using ImageUtils.Formats.Vhd;
using ImageUtils.IO;
using ImageUtils.Tests.Support;
using ImageUtils.VhdChains;

namespace ImageUtils.Tests.VhdChains;

public sealed class VhdEditorTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public static TheoryData<int, int, bool, bool> Kinds()
    {
        var kinds = new TheoryData<int, int, bool, bool>();
        for (var kind = 0; kind < 8; kind++)
        {
            kinds.Add(100 + kind, (kind & 1) == 0 ? 512 << 10 : 2 << 20, (kind & 2) != 0, (kind & 4) != 0);
        }

        return kinds;
    }

    public void Dispose() => _directory.Dispose();

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_disk_that_grows_has_the_old_size_or_the_new_one_after_a_crash(
        int seed, int blockSize, bool withBatmap, bool isDifferencing)
    {
        var random = new Random(seed);
        var first = SampleVhd.Make(random, blockSize, random.Next(1, 8), withBatmap, isDifferencing);
        var before = SampleVhd.Read(first);
        var blocks = random.Next(3) switch { 0 => 9, 1 => 200, _ => 9000 };
        var size = (long)blocks * blockSize - 512 * random.Next(900);
        await CheckAsync(first, random, async editor =>
        {
            await editor.GrowAsync(size, default);
            Assert.Equal(size, editor.VirtualSize);
        }, (source, _) => Assert.True(ReadsAs(source, before, size) || ReadsAs(source, before, before.Length)), size);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_disk_that_shrinks_has_the_old_size_or_the_new_one_after_a_crash(
        int seed, int blockSize, bool withBatmap, bool isDifferencing)
    {
        var random = new Random(seed);
        var first = SampleVhd.Make(random, blockSize, random.Next(2, 8), withBatmap, isDifferencing);
        var before = SampleVhd.Read(first);
        var size = random.Next(1, before.Length / 512) * 512L;
        await CheckAsync(
            first, random, editor => editor.ShrinkAsync(size, default),
            (source, _) =>
            {
                var read = SampleVhd.Read(source);
                Assert.True(read.Length == size || read.Length == before.Length);
                Assert.True(read.AsSpan(0, (int)size).SequenceEqual(before.AsSpan(0, (int)size)));
            },
            size);
    }

    [Theory]
    [InlineData(1, 512 << 10, true, false)]
    [InlineData(2, 512 << 10, false, true)]
    [InlineData(3, 2 << 20, true, false)]
    [InlineData(4, 2 << 20, false, false)]
    [InlineData(5, 512 << 10, true, true)]
    public async Task A_disk_has_the_old_parent_or_the_new_one_after_a_crash(
        int seed, int blockSize, bool withBatmap, bool isTableLong)
    {
        var random = new Random(seed);
        var first = SampleVhd.Make(random, blockSize, random.Next(1, 6), withBatmap, isDifferencing: true);
        if (isTableLong)
        {
            first = await GrowAsync(first, 20_000L * blockSize);
        }

        var name = random.Next(2) == 0 ? "other-one.vhd" : new string('x', 240);
        var expected = new Dictionary<string, byte[]> { ["parent.vhd"] = Beginning(first) };
        await CheckAsync(
            first, random,
            async editor =>
            {
                await editor.SetParentAsync(VhdParent.Relative("sub/dir/" + name, Guid.Empty, 7), default);
                await editor.FinishAsync(default);
            },
            (source, isLast) =>
            {
                var found = SampleVhd.FindParent(source)!;
                if (isLast)
                {
                    Assert.Equal(name, found);
                    expected.Add(name, Beginning(source));
                }

                Assert.Equal(expected[found], Beginning(source));
                Assert.Empty(SampleVhd.Refusals(source));
            },
            null);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Blocks_and_bits_are_seen_once_their_data_is_on_the_disk(
        int seed, int blockSize, bool withBatmap, bool isDifferencing)
    {
        var random = new Random(seed);
        var count = random.Next(3, 7);
        var first = SampleVhd.Make(random, blockSize, count, withBatmap, isDifferencing);
        var before = SampleVhd.Read(first);
        var expected = before.ToArray();
        await CheckAsync(
            first, random,
            async editor =>
            {
                var missing = Enumerable.Range(0, count).Where(block => editor.FindBlock(block) is null).ToList();
                await editor.ReserveAsync(missing.Count + 2, default);
                for (var block = 0; block < count; block++)
                {
                    await FillAsync(editor, block, random, expected);
                    if (random.Next(2) == 0)
                    {
                        await editor.CommitAsync(default);
                    }
                }

                await editor.FinishAsync(default);
            },
            (source, isLast) =>
            {
                // Every sector is the old one or the new one: blocks that the disk had are not hidden here.
                var read = SampleVhd.Read(source);
                Assert.Equal(before.Length, read.Length);
                for (var at = 0; at < read.Length; at += 512)
                {
                    var length = Math.Min(512, read.Length - at);
                    var sector = read.AsSpan(at, length);
                    Assert.True(
                        sector.SequenceEqual(expected.AsSpan(at, length))
                        || (!isLast && sector.SequenceEqual(before.AsSpan(at, length))));
                }
            },
            before.Length);
    }

    [Fact]
    public async Task A_fixed_disk_that_grows_reads_the_same_at_every_moment()
    {
        var random = new Random(8);
        var disk = NativeImage.RandomDisk(200 * 512, 5);
        var first = SparseMemory.Of(disk);
        var bytes = new byte[VhdFooter.Length];
        VhdEditor.WithSize(
            new VhdFooter { DiskType = VhdDiskType.Fixed, UniqueId = Guid.NewGuid() }, disk.Length).Write(bytes);
        first.Put(disk.Length, bytes);
        var path = Save(first);
        CrashSink sink;
        using (var file = ImageLock.Acquire(path))
        {
            sink = new CrashSink(file.Sink);
            using var editor = await VhdEditor.OpenAsync(file, sink, default);
            await editor.GrowAsync(disk.Length * 3, default);
        }

        // Until the last footer is there, the file is longer than its disk, which readers refuse.
        using var after = FileByteSource.Open(path);
        Assert.True(ReadsAs(after, disk, disk.Length * 3));
        Assert.Empty(SampleVhd.Problems(path));
        foreach (var state in CrashState.Sample(first, sink.Steps, random, 4))
        {
            var tail = new byte[VhdFooter.Length];
            await state.ReadTailAsync(tail, default);
            var footer = VhdFooter.Parse(tail);
            Assert.True(tail.AsSpan().StartsWith(VhdFooter.Cookie) && (long)footer.CurrentSize <= state.Length - 512);
            var read = new byte[disk.Length];
            await state.ReadAsync(0, read, default);
            Assert.Equal(disk, read);
        }
    }

    [SkippableTheory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Vhd_util_finds_nothing_wrong_with_what_was_changed(int seed)
    {
        Tool.Require("vhd-util", "blktap-utils");
        var random = new Random(seed);
        var path = Save(SampleVhd.Make(random, 2 << 20, random.Next(1, 6), withBatmap: true, isDifferencing: true));
        var other = SampleVhd.Make(random, 2 << 20, 2, withBatmap: true, isDifferencing: false);
        other.Save(_directory["other.vhd"]);
        var id = VhdFooter.Parse(other.Get(0, 512)).UniqueId;
        foreach (var size in new[] { 12L << 20, 900L << 20, 100L << 30, 50L << 30 })
        {
            using (var file = ImageLock.Acquire(path))
            using (var editor = await VhdEditor.OpenAsync(file, file.Sink, default))
            {
                await editor.GrowAsync(size, default);
                await editor.ShrinkAsync(size, default);
                await editor.SetParentAsync(VhdParent.Relative("other.vhd", id, 7), default);
                await editor.FinishAsync(default);
            }

            Assert.Contains("is valid", Tool.Run("vhd-util", "check", "-n", path), StringComparison.Ordinal);
            Assert.Contains(
                "other.vhd", Tool.Run("vhd-util", "query", "-n", path, "-p", "-u"), StringComparison.Ordinal);
        }
    }

    private static bool ReadsAs(IByteSource source, byte[] before, long size)
    {
        // What is behind the old end is zero; much of it is not read.
        var read = SampleVhd.Read(source, Math.Min(size, before.Length + (8 << 20)));
        return read.Total == size && read.Bytes.AsSpan(0, before.Length).SequenceEqual(before)
            && !read.Bytes.AsSpan(before.Length).ContainsAnyExcept((byte)0);
    }

    private static byte[] Beginning(IByteSource source) => SampleVhd.Read(source, 3 << 20).Bytes;

    private static async Task FillAsync(VhdEditor editor, long block, Random random, byte[] expected)
    {
        var isNew = editor.FindBlock(block) is null;
        var hostOffset = editor.FindBlock(block) ?? editor.AddBlock(block);
        var bitmap = isNew ? new byte[editor.BitmapSize] : await editor.ReadBitmapAsync(block, default);
        if (isNew)
        {
            await editor.Sink.WriteZeroesAsync(hostOffset, editor.BitmapSize + editor.BlockSize, default);
        }

        for (var run = 0; run < 3; run++)
        {
            var start = random.Next((int)editor.BlockSize / 512 - 8);
            var data = new byte[512 * 8];
            random.NextBytes(data);
            await editor.Sink.WriteAsync(hostOffset + editor.BitmapSize + start * 512L, data, default);
            SectorBitmap.Set(bitmap, start, start + 8);
            var at = block * editor.BlockSize + start * 512L;
            data.AsSpan(0, (int)Math.Clamp(expected.Length - at, 0, data.Length))
                .CopyTo(expected.AsSpan((int)Math.Min(at, expected.Length)));
        }

        if (!editor.HasParent)
        {
            bitmap.AsSpan().Fill(0xFF);
        }

        editor.SetBitmap(block, bitmap);
    }

    private async Task<SparseMemory> GrowAsync(SparseMemory first, long size)
    {
        var path = Save(first);
        using (var file = ImageLock.Acquire(path))
        {
            using var editor = await VhdEditor.OpenAsync(file, file.Sink, default);
            await editor.GrowAsync(size, default);
            await editor.FinishAsync(default);
        }

        return SparseMemory.Of(await File.ReadAllBytesAsync(path));
    }

    private string Save(SparseMemory file)
    {
        var path = _directory[$"{Guid.NewGuid():N}.vhd"];
        file.Save(path);
        return path;
    }

    // Runs a change, looks at its end first, then at many states that a crash could leave, some of which are mended.
    private async Task CheckAsync(
        SparseMemory first,
        Random random,
        Func<VhdEditor, ValueTask> change,
        Action<IByteSource, bool> check,
        long? size)
    {
        var path = Save(first);
        Assert.Empty(SampleVhd.Problems(path));
        CrashSink sink;
        using (var file = ImageLock.Acquire(path))
        {
            sink = new CrashSink(file.Sink);
            using var editor = await VhdEditor.OpenAsync(file, sink, default);
            await change(editor);
        }

        Assert.Empty(SampleVhd.Problems(path));
        var report = await VhdImageCheck.RunAsync(path);
        Assert.All(report.Problems, problem => Assert.Contains("parent", problem, StringComparison.Ordinal));
        using (var after = FileByteSource.Open(path))
        {
            check(after, true);
            Assert.True(size is null || SampleVhd.Read(after, 0).Total == size);
        }

        var index = 0;
        foreach (var state in CrashState.Sample(first, sink.Steps, random, 3))
        {
            check(state, false);
            var tail = new byte[VhdFooter.Length];
            await state.ReadTailAsync(tail, default);
            Assert.True(tail.AsSpan().StartsWith(VhdFooter.Cookie), $"No footer at the end: {state.Name}");
            if (index++ % 8 == 0)
            {
                await MendAsync(state, check);
            }
        }
    }

    private async Task MendAsync(CrashState state, Action<IByteSource, bool> check)
    {
        var path = _directory["mended.vhd"];
        state.Save(path);
        using (var file = ImageLock.Acquire(path))
        {
            using var editor = await VhdEditor.OpenAsync(file, file.Sink, default);
            await editor.FinishAsync(default);
        }

        Assert.Empty(SampleVhd.Problems(path));
        using var mended = FileByteSource.Open(path);
        check(mended, false);
    }
}
