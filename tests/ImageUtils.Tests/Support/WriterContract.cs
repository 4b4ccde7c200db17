using FsCheck;
using FsCheck.Fluent;
using ImageUtils.Conversion;
using ImageUtils.Formats;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.Tests.Support;

/// <summary>What every writer promises, checked for one format and one set of options.</summary>
/// <param name="format">A format that is both written and read.</param>
/// <param name="options">What to write; the size should be a few units.</param>
internal sealed class WriterContract<TFormat>(TFormat format, WriterOptions options)
    where TFormat : IReadableFormat, IWritableFormat
{
    public WriterOptions Options => options;

    /// <summary>The parent of a differencing image, by the name that the image has for it.</summary>
    public (string Name, SparseMemory Source)? Parent { get; init; }

    /// <summary>The unit of what is written at random.</summary>
    public int Granularity { get; init; } = 512;

    /// <summary>Random layouts read back as they were written; a dry run has the same length.</summary>
    public void What_is_written_reads_back(int layouts = 30)
    {
        Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed =>
        {
            var pieces = Layout(new System.Random(seed));
            var sink = new SparseMemory();
            var writer = Write(sink, pieces);
            Assert.Equal(sink.Length, WriteOverCounter(pieces));
            AssertContent(sink, pieces, writer.VirtualSize);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(layouts));
    }

    /// <summary>An interrupted run that is taken up again makes the same file.</summary>
    public void An_interrupted_run_goes_on_to_the_same_file()
    {
        var random = new System.Random(5);
        for (var run = 0; run < 8; run++)
        {
            var pieces = Layout(random);
            var whole = new SparseMemory();
            Write(whole, pieces);

            var cut = random.Next(pieces.Count + 1);
            var sink = new SparseMemory();
            var writer = format.CreateWriter(options);
            Wait(writer.BeginAsync(sink, default));
            foreach (var (offset, data) in pieces.Take(cut))
            {
                Wait(writer.WriteAsync(offset, data, default));
            }

            using var state = new MemoryStream();
            using (var saved = new BinaryWriter(state, System.Text.Encoding.UTF8, leaveOpen: true))
            {
                writer.SaveState(saved);
            }

            // What was written after the state was saved is written again.
            foreach (var (offset, data) in pieces.Skip(cut).Take(1))
            {
                Wait(writer.WriteAsync(offset, data, default));
            }

            state.Position = 0;
            var next = format.CreateWriter(options);
            using (var reader = new BinaryReader(state))
            {
                next.LoadState(sink, reader);
            }

            foreach (var (offset, data) in pieces.Skip(cut))
            {
                Wait(next.WriteAsync(offset, data, default));
            }

            Wait(next.FinishAsync(default));
            whole.AssertSame(sink);
        }
    }

    /// <summary>However far a run came, what it left is no image of the format that passes.</summary>
    public void A_run_that_fails_leaves_no_image()
    {
        var pieces = Layout(new System.Random(3));
        var whole = new SparseMemory();
        Write(whole, pieces);
        Assert.True(IsImage(whole));
        for (var calls = 0; calls < whole.Calls; calls++)
        {
            var sink = new SparseMemory { CallsUntilFault = calls };
            Assert.Throws<IOException>(() => Write(sink, pieces));
            Assert.False(IsImage(sink), $"after {calls} of {whole.Calls} calls");
        }
    }

    /// <summary>Old data in the target does not show through.</summary>
    public void Old_data_does_not_show_through(long? capacity = null)
    {
        var random = new System.Random(9);
        for (var run = 0; run < 5; run++)
        {
            var pieces = Layout(random);
            var sink = new SparseMemory(0xFF) { Capacity = capacity };
            var writer = Write(sink, pieces);
            AssertContent(sink, pieces, writer.VirtualSize);
        }
    }

    /// <summary>In a differencing image of more than 3 MiB, what was written as zeros is not the parent's.</summary>
    public void Zeros_that_are_written_hide_the_parent()
    {
        var parent = Parent!.Value;
        var sink = new SparseMemory();
        var writer = format.CreateWriter(options);
        Wait(writer.BeginAsync(sink, default));
        Wait(writer.WriteZeroesAsync(1024, 3 << 20, default));
        Wait(writer.FinishAsync(default));
        var expected = GuestDisk.Read(GuestDisk.Open(format, parent.Source));
        expected.AsSpan(1024, 3 << 20).Clear();
        var map = GuestDisk.Open(format, sink, parent);
        Assert.True(expected.AsSpan().SequenceEqual(GuestDisk.Read(map)));
    }

    public ImageWriter Write(SparseMemory sink, IReadOnlyList<(long Offset, byte[] Data)> pieces)
    {
        var writer = format.CreateWriter(options);
        Wait(writer.BeginAsync(sink, default));
        var at = 0L;
        foreach (var (offset, data) in pieces)
        {
            Wait(WriteZeroesAsync(at, offset - at));
            Wait(writer.WriteAsync(offset, data, default));
            at = offset + data.Length;
        }

        Wait(WriteZeroesAsync(at, writer.VirtualSize - at));
        Wait(writer.FinishAsync(default));
        return writer;

        // What is not written shows the parent.
        ValueTask WriteZeroesAsync(long offset, long length) =>
            Parent is null ? writer.WriteZeroesAsync(offset, length, default) : ValueTask.CompletedTask;
    }

    /// <summary>Pieces at ascending offsets, some of them next to each other, some across units.</summary>
    public List<(long Offset, byte[] Data)> Layout(System.Random random)
    {
        var pieces = new List<(long, byte[])>();
        var size = options.VirtualSize / Granularity;
        for (var at = random.NextInt64(size / 4 + 1); at < size && pieces.Count < 40;)
        {
            var length = Math.Min(1 + random.NextInt64(random.Next(2) == 0 ? 8 : size / 6 + 1), size - at);
            var data = new byte[length * Granularity];
            random.NextBytes(data);
            pieces.Add((at * Granularity, data));
            at += length + (random.Next(3) == 0 ? 0 : random.NextInt64(size / 4 + 1));
        }

        return pieces;
    }

    private static void Wait(ValueTask task) => task.AsTask().GetAwaiter().GetResult();

    private void AssertContent(SparseMemory sink, List<(long Offset, byte[] Data)> pieces, long virtualSize)
    {
        (string, IByteSource)[] parents = Parent is { } given ? [(given.Name, given.Source)] : [];
        var map = GuestDisk.Open(format, sink, parents);
        Assert.Equal(virtualSize, map.VirtualSize);
        Assert.True(virtualSize >= options.VirtualSize);
        var expected = new byte[virtualSize];
        if (Parent is { } parent)
        {
            GuestDisk.Read(GuestDisk.Open(format, parent.Source)).AsSpan(0, expected.Length).CopyTo(expected);
        }

        foreach (var (offset, data) in pieces)
        {
            data.CopyTo(expected, offset);
        }

        Assert.True(GuestDisk.Read(map).AsSpan().SequenceEqual(expected), "The content differs.");
        var random = new System.Random(pieces.Count);
        for (var read = 0; read < 5; read++)
        {
            var offset = random.Next(expected.Length);
            var length = random.Next(1, Math.Min(expected.Length - offset, 100_000) + 1);
            Assert.True(
                GuestDisk.Read(map, offset, length).AsSpan().SequenceEqual(expected.AsSpan(offset, length)),
                $"{length} bytes at {offset} differ.");
        }
    }

    private long WriteOverCounter(List<(long Offset, byte[] Data)> pieces)
    {
        var sink = new SparseMemory();
        Write(sink, [.. pieces.Select(piece => (piece.Offset, new byte[piece.Data.Length]))]);
        return sink.Length;
    }

    private bool IsImage(SparseMemory sink)
    {
        if (sink.Length == 0)
        {
            return false;
        }

        var inspection = ImageInspector.InspectAsync(sink).AsTask().GetAwaiter().GetResult();
        var isSafe = inspection.Failures.All(check => Parent is not null && check.Name == CheckNames.Parent);
        return inspection.Format == format.Format && isSafe;
    }
}
