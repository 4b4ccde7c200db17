using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Formats.Qcow2;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats.Qcow2;

/// <summary>A qcow2 image that grows in its file, interrupted at every point.</summary>
public sealed class Qcow2GrowthTests : IDisposable
{
    private const int ClusterSize = 4096;

    // What an L1 entry maps; the table's cluster has room for 512.
    private const long Span = ClusterSize / 8 * ClusterSize;
    private const long OldSize = 3 * Span - 512;
    private const long NewSize = 40 * Span + 512;

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Entries_are_on_the_disk_before_the_header_counts_them_in()
    {
        var path = Make();
        var sink = new Recorder(path);
        Assert.Equal(NewSize, await GrowAsync(path, sink));
        var header = Qcow2Header.Parse(File.ReadAllBytes(path));
        Assert.Equal(
            [
                $"write {header.L1TableOffset + 24} {38 * 8}", "flush", "write 0 512", "flush",
            ],
            sink.Log);
        Assert.Equal((ulong)NewSize, header.Size);
        Assert.Equal(41u, header.L1Size);
    }

    [Fact]
    public async Task Whatever_interrupts_it_the_disk_has_the_old_size_or_the_new_and_its_data()
    {
        var clean = Make();
        var counted = new Recorder(clean);
        await GrowAsync(clean, counted);
        var sizes = new HashSet<long>();

        // Failing at a call, and before that having written all or only some of its bytes.
        for (var call = 0; call <= counted.Log.Count; call++)
        {
            foreach (var torn in new[] { 0, 1, 7, 100, int.MaxValue })
            {
                var path = Make();
                var sink = new Recorder(path) { FailAt = call, TornAt = torn };

                // A header sector is written whole or not at all, by the disk and by the page cache.
                if (torn is not (0 or int.MaxValue) && counted.Log.ElementAtOrDefault(call) == "write 0 512")
                {
                    continue;
                }

                var failed = await Record.ExceptionAsync(() => GrowAsync(path, sink));
                Assert.Equal(call < counted.Log.Count, failed is not null);
                using var image = await ImageOpener.OpenAsync(path);
                sizes.Add(image.Map.VirtualSize);
                var disk = GuestDisk.Read(image.Map, 0, (int)OldSize);
                Assert.Equal(Disk(), disk);
                var rest = GuestDisk.Read(image.Map, OldSize, (int)(image.Map.VirtualSize - OldSize));
                Assert.False(rest.ContainsAnyExcept((byte)0));
            }
        }

        Assert.Equal([OldSize, NewSize], sizes.Order());
    }

    [Fact]
    public async Task Old_data_behind_the_end_does_not_come_back()
    {
        // As an image has it whose size was made smaller by a program that cuts no clusters off.
        var path = Make();
        WriteHeader(path, 24, [0, 0, 0, 0, 0, 0, 0x10, 0]);
        var sink = new Recorder(path);
        Assert.Null(await GrowAsync(path, sink));
        Assert.Empty(sink.Log);
    }

    [Fact]
    public async Task Garbage_behind_the_table_s_entries_is_cleared()
    {
        var path = Make();
        var header = Qcow2Header.Parse(File.ReadAllBytes(path));
        var garbage = new byte[300];
        new Random(1).NextBytes(garbage);
        WriteHeader(path, (long)header.L1TableOffset + 24, garbage);
        Assert.Equal(NewSize, await GrowAsync(path, new Recorder(path)));
        using var image = await ImageOpener.OpenAsync(path);
        Assert.False(
            GuestDisk.Read(image.Map, OldSize, (int)(NewSize - OldSize)).ContainsAnyExcept((byte)0));
    }

    [Fact]
    public async Task A_table_without_room_is_left_to_a_rewrite_and_a_shared_one_alone()
    {
        var path = Make();
        var sink = new Recorder(path);
        Assert.Null(await GrowAsync(path, sink, 513 * Span));
        Assert.Equal(512 * Span, await GrowAsync(path, new Recorder(path), 512 * Span));

        path = Make();
        var header = Qcow2Header.Parse(File.ReadAllBytes(path));
        var bytes = File.ReadAllBytes(path);
        var block = System.Buffers.Binary.BinaryPrimitives.ReadInt64BigEndian(
            bytes.AsSpan((int)header.RefcountTableOffset));
        WriteHeader(path, block + (long)header.L1TableOffset / ClusterSize * 2, [0, 2]);
        var error = await Assert.ThrowsAsync<ImageResizeException>(() => GrowAsync(path, sink));
        Assert.Equal(ImageResizeProblem.NotClean, error.Problem);
        Assert.Empty(sink.Log);
    }

    [Fact]
    public async Task Features_that_are_not_known_lose_their_autoclear_bits()
    {
        var path = Make();
        WriteHeader(path, 88, [0, 0, 0, 0, 0, 0, 0x80, 0]);
        await GrowAsync(path, new Recorder(path));
        Assert.Equal(0ul, (ulong)Qcow2Header.Parse(File.ReadAllBytes(path)).AutoclearFeatures);
    }

    private static byte[] Disk()
    {
        var disk = new byte[OldSize];
        new Random(2).NextBytes(disk.AsSpan(4096, 9000));
        new Random(3).NextBytes(disk.AsSpan((int)OldSize - 900));
        return disk;
    }

    private static void WriteHeader(string path, long offset, byte[] bytes)
    {
        using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Write);
        RandomAccess.Write(handle, bytes, offset);
    }

    private static async Task<long?> GrowAsync(string path, IByteSink sink, long newSize = NewSize)
    {
        using var source = FileByteSource.Open(path);
        var inspection = await ImageInspector.InspectFileAsync(source);
        return await new Qcow2Growth(path, source, inspection, sink).GrowAsync(newSize, null, default);
    }

    private string Make()
    {
        var options = new WriterOptions { VirtualSize = OldSize, ClusterSize = ClusterSize };
        var sink = new SparseMemory();
        NativeImage.Write(new Qcow2Writer(Qcow2Plan.Of(options)), sink, Disk());
        sink.Save(_directory["a"]);
        return _directory["a"];
    }

    private sealed class Recorder(string path) : IByteSink
    {
        public List<string> Log { get; } = [];

        public int FailAt { get; init; } = int.MaxValue;

        public int TornAt { get; init; }

        public bool IsZeroed => false;

        public long? Capacity => null;

        public ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
        {
            var fails = Log.Count == FailAt;
            WriteHeader(path, offset, data[..(fails ? Math.Min(TornAt, data.Length) : data.Length)].ToArray());
            return Do($"write {offset} {data.Length}", fails);
        }

        public ValueTask FlushAsync(CancellationToken cancellationToken) => Do("flush", Log.Count == FailAt);

        public ValueTask WriteZeroesAsync(long offset, long length, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask AllocateAsync(long offset, long length, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask FillAsync(long offset, long length, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask<bool> TryCloneAsync(
            IByteSource source, long sourceOffset, long offset, long length, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        private ValueTask Do(string what, bool fails)
        {
            Log.Add(what);
            return fails ? throw new IOException("The medium fails, as it was told to.") : ValueTask.CompletedTask;
        }
    }
}
