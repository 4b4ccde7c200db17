using System.Diagnostics;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.IO;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Conversion;

/// <summary>Every read and every write fails once: the destination is not there, and the error comes through.</summary>
public sealed class FaultTests
{
    public static TheoryData<string> Kinds => [.. SampleDisk.Kinds.Keys];

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_fault_at_any_write_leaves_no_destination(string kind)
    {
        using var directory = new TemporaryDirectory();
        await File.WriteAllBytesAsync(directory["a.raw"], SampleDisk.Make(length: 5 << 20));
        var calls = await RunAsync(directory, kind, int.MaxValue);
        File.Delete(directory["b"]);
        Assert.True(calls > 2);
        for (var faultAt = 0; faultAt < calls; faultAt += Math.Max(1, calls / 40))
        {
            await Assert.ThrowsAsync<InjectedFault>(() => RunAsync(directory, kind, faultAt));
            Assert.Equal(["a.raw"], directory.Names());
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_fault_at_any_read_leaves_no_destination(string kind)
    {
        using var directory = new TemporaryDirectory();
        await File.WriteAllBytesAsync(directory["a.raw"], SampleDisk.Make(length: 5 << 20));
        await SampleDisk.ConvertAsync(directory["a.raw"], directory["b"], kind);
        var reads = await ReadAsync(directory, kind, int.MaxValue);
        File.Delete(directory["c"]);
        Assert.True(reads > 1);
        for (var faultAt = 0; faultAt < reads; faultAt += Math.Max(1, reads / 20))
        {
            await Assert.ThrowsAsync<InjectedFault>(() => ReadAsync(directory, kind, faultAt));
            Assert.Equal(["a.raw", "b"], directory.Names());
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_source_that_ends_early_leaves_no_destination_that_differs(string kind)
    {
        using var directory = new TemporaryDirectory();
        var disk = SampleDisk.Make(length: 5 << 20);
        await File.WriteAllBytesAsync(directory["a.raw"], disk);
        await SampleDisk.ConvertAsync(directory["a.raw"], directory["b"], kind);
        var whole = await File.ReadAllBytesAsync(directory["b"]);
        foreach (var part in new[] { 0.2, 0.5, 0.8, 0.99 })
        {
            await File.WriteAllBytesAsync(directory["cut"], whole[..(int)(whole.Length * part)]);
            if (kind.StartsWith("raw", StringComparison.Ordinal))
            {
                // Any length is a raw disk; there is nothing to find out.
                continue;
            }

            var request = SampleDisk.Request(directory["cut"], directory["c"], "qcow2") with
            {
                Source = new OpenOptions { ClaimedFormat = SampleDisk.Kinds[kind].Format },
            };
            try
            {
                // What is cut off may be what no reader needs: reference counts, or zeros at the end.
                await ImageConverter.ConvertAsync(request);
                Assert.Equal(disk, (await SampleDisk.ReadAsync(directory["c"]))[..disk.Length]);
                Assert.True(part > 0.5);
                File.Delete(directory["c"]);
            }
            catch (ImageUtilsException)
            {
                Assert.Equal(["a.raw", "b", "cut"], directory.Names());
            }
        }
    }

    [Fact]
    public async Task A_cancelled_conversion_ends_within_a_second_and_leaves_nothing()
    {
        using var directory = new TemporaryDirectory();
        await File.WriteAllBytesAsync(directory["a.raw"], SampleDisk.Make(length: 64 << 20));
        foreach (var kind in SampleDisk.Kinds.Keys)
        {
            using var stop = new CancellationTokenSource();
            var request = SampleDisk.Request(directory["a.raw"], directory["b"], kind) with { BandwidthLimit = 200_000 };
            var work = ImageConverter.ConvertAsync(request, null, stop.Token);
            await Task.Delay(50);
            var clock = Stopwatch.StartNew();
            await stop.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => work);
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(1), $"{kind} took {clock.Elapsed}");
            Assert.Equal(["a.raw"], directory.Names());
        }
    }

    [Fact]
    public async Task A_source_that_changes_meanwhile_is_noticed()
    {
        using var directory = new TemporaryDirectory();
        await File.WriteAllBytesAsync(directory["a.raw"], SampleDisk.Make());
        var request = SampleDisk.Request(directory["a.raw"], directory["b"], "qcow2") with { BandwidthLimit = 2_000_000 };
        var work = ImageConverter.ConvertAsync(request);
        await Task.Delay(100);
        await File.AppendAllTextAsync(directory["a.raw"], "more");
        var error = await Assert.ThrowsAsync<SourceChangedException>(() => work);
        Assert.Equal("SourceChanged", error.ErrorId);
        Assert.Equal(["a.raw"], directory.Names());
    }

    [Fact]
    public async Task A_bandwidth_limit_is_kept()
    {
        using var directory = new TemporaryDirectory();
        await File.WriteAllBytesAsync(directory["a.raw"], SampleDisk.Make());
        var request = SampleDisk.Request(directory["a.raw"], directory["b"], "raw") with { BandwidthLimit = 1_500_000 };
        var result = await ImageConverter.ConvertAsync(request);
        Assert.InRange(result.Duration.TotalSeconds, result.BytesWritten!.Value / 1.5e6 * 0.7, 20);
    }

    [Fact]
    public async Task Bytes_that_the_disk_returns_otherwise_are_found_by_verification()
    {
        using var directory = new TemporaryDirectory();
        await File.WriteAllBytesAsync(directory["a.raw"], SampleDisk.Make());
        using var source = await ImageOpener.OpenAsync(directory["a.raw"]);
        var request = SampleDisk.Request(directory["a.raw"], directory["b"], "qcow2") with { Verify = true };
        var conversion = new NativeConversion(request, source, directory["b"], null)
        {
            Through = sink => new FaultySink(sink, int.MaxValue) { FlipsDataAt = 2 },
        };
        await Assert.ThrowsAsync<VerificationFailedException>(() => conversion.RunAsync(0, default));
        Assert.Equal(["a.raw"], directory.Names());
    }

    // Tables and data alike are read through the source that fails.
    private static async Task<int> ReadAsync(TemporaryDirectory directory, string kind, int faultAt)
    {
        using var source = await ImageOpener.OpenAsync(directory["b"]);
        FaultySource? faulty = null;
        var map = NativeImage.Open(
            ImageOpener.FindReader(source.Format)!, directory["b"],
            file => faulty = new FaultySource((FileByteSource)file, faultAt));
        using var through = new OpenedImage(
            source.Path, source.File, source.Inspection, map, [], new Dictionary<IByteSource, int>(), [faulty!]);
        await new NativeConversion(
            SampleDisk.Request(directory["b"], directory["c"], "qcow2"), through, directory["c"], null)
            .RunAsync(0, default);
        return faulty!.Reads;
    }

    private static async Task<int> RunAsync(TemporaryDirectory directory, string kind, int faultAt)
    {
        using var source = await ImageOpener.OpenAsync(directory["a.raw"]);
        FaultySink? faulty = null;
        var conversion = new NativeConversion(
            SampleDisk.Request(directory["a.raw"], directory["b"], kind), source, directory["b"], null)
        {
            Through = sink => faulty = new FaultySink(sink, faultAt),
        };
        await conversion.RunAsync(0, default);
        return faulty!.Calls;
    }

    private sealed class InjectedFault : Exception;

    private sealed class FaultySource(FileByteSource inner, int faultAt) : IByteSource, IDisposable
    {
        private int _reads;

        public int Reads => _reads;

        public void Dispose() => inner.Dispose();

        public ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken) =>
            Interlocked.Increment(ref _reads) == (long)faultAt + 1
                ? throw new InjectedFault()
                : inner.ReadAsync(offset, buffer, cancellationToken);

        public ValueTask<int> ReadTailAsync(Memory<byte> buffer, CancellationToken cancellationToken) =>
            inner.ReadTailAsync(buffer, cancellationToken);

        public ValueTask<long> GetLengthAsync(CancellationToken cancellationToken) =>
            inner.GetLengthAsync(cancellationToken);
    }

    private sealed class FaultySink(IByteSink inner, int faultAt) : IByteSink
    {
        public int Calls { get; private set; }

        public int FlipsDataAt { get; init; } = -1;

        public bool IsZeroed => inner.IsZeroed;

        public long? Capacity => inner.Capacity;

        public ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
        {
            Count();
            if (Calls == FlipsDataAt)
            {
                var changed = data.ToArray();
                changed[changed.Length / 2] ^= 1;
                data = changed;
            }

            return inner.WriteAsync(offset, data, cancellationToken);
        }

        public ValueTask WriteZeroesAsync(long offset, long length, CancellationToken cancellationToken)
        {
            Count();
            return inner.WriteZeroesAsync(offset, length, cancellationToken);
        }

        public ValueTask AllocateAsync(long offset, long length, CancellationToken cancellationToken)
        {
            Count();
            return inner.AllocateAsync(offset, length, cancellationToken);
        }

        public ValueTask FillAsync(long offset, long length, CancellationToken cancellationToken)
        {
            Count();
            return inner.FillAsync(offset, length, cancellationToken);
        }

        public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken)
        {
            Count();
            return inner.SetLengthAsync(length, cancellationToken);
        }

        public ValueTask<bool> TryCloneAsync(
            IByteSource source, long sourceOffset, long offset, long length, CancellationToken cancellationToken) =>
            inner.TryCloneAsync(source, sourceOffset, offset, length, cancellationToken);

        public ValueTask FlushAsync(CancellationToken cancellationToken)
        {
            Count();
            return inner.FlushAsync(cancellationToken);
        }

        private void Count()
        {
            if (Calls++ == faultAt)
            {
                throw new InjectedFault();
            }
        }
    }
}
