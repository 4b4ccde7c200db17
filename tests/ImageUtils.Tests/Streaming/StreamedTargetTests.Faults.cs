using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Streaming;
using ImageUtils.Tests.Conversion;

namespace ImageUtils.Tests.Streaming;

/// <summary>What goes wrong while an image is sent.</summary>
public sealed partial class StreamedTargetTests
{
    [Fact]
    public async Task A_source_that_changes_keeps_the_last_bytes_from_being_sent()
    {
        await File.WriteAllBytesAsync(Source, SampleDisk.Make());
        foreach (var kind in SampleDisk.Kinds.Keys)
        {
            using var source = await ImageOpener.OpenAsync(Source);
            using var target = await StreamedTarget.PlanAsync(source, RequestOf(kind), default);
            File.SetLastWriteTimeUtc(Source, File.GetLastWriteTimeUtc(Source).AddSeconds(1));
            var sent = new MemoryStream();
            await Assert.ThrowsAsync<SourceChangedException>(() => target.WriteToAsync(sent, []));
            Assert.True(sent.Length < (target.Length ?? long.MaxValue));
        }
    }

    [Fact]
    public async Task A_source_that_is_cut_short_meanwhile_fails()
    {
        await File.WriteAllBytesAsync(Source, SampleDisk.Make());
        using var source = await ImageOpener.OpenAsync(Source);
        using var target = await StreamedTarget.PlanAsync(source, RequestOf("qcow2"), default);
        using (var file = File.OpenWrite(Source))
        {
            file.SetLength(1 << 20);
        }

        await Assert.ThrowsAsync<ImageFileException>(() => target.WriteToAsync(Stream.Null, []));
    }

    [Theory]
    [InlineData("raw")]
    [InlineData("qcow2")]
    [InlineData("vmdk-stream")]
    public async Task A_receiver_that_has_gone_ends_everything(string kind)
    {
        await File.WriteAllBytesAsync(Source, SampleDisk.Make());
        using var source = await ImageOpener.OpenAsync(Source);
        using var target = await StreamedTarget.PlanAsync(source, RequestOf(kind), default);
        var breaking = new FailingStream(100_000);
        var failure = await Assert.ThrowsAsync<IOException>(
            () => target.WriteToAsync(breaking, [_ => { }]).WaitAsync(TimeSpan.FromSeconds(10)));
        Assert.Equal("Broken pipe", failure.Message);
    }

    [Theory]
    [InlineData("raw")]
    [InlineData("qcow2")]
    [InlineData("vmdk-stream")]
    public async Task Cancelling_ends_a_send_to_a_receiver_that_takes_nothing(string kind)
    {
        await File.WriteAllBytesAsync(Source, SampleDisk.Make(length: 40 << 20));
        using var source = await ImageOpener.OpenAsync(Source);
        using var target = await StreamedTarget.PlanAsync(source, RequestOf(kind), default);
        using var stop = new CancellationTokenSource();
        var sending = target.WriteToAsync(new FailingStream(100_000, waits: true), [], null, stop.Token);
        await Task.Delay(50);
        Assert.False(sending.IsCompleted);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending.WaitAsync(TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public async Task Cancelling_ends_the_search_for_zeros_and_leaves_nothing()
    {
        await File.WriteAllBytesAsync(Source, SampleDisk.Make());
        foreach (var kind in new[] { "qcow2", "qcow2-zlib" })
        {
            using var source = await ImageOpener.OpenAsync(Source);
            using var stop = new CancellationTokenSource();
            var request = RequestOf(kind) with { OnPlanned = _ => stop.Cancel() };
            await Assert.ThrowsAnyAsync<OperationCanceledException>(
                () => StreamedTarget.PlanAsync(source, request, stop.Token));
            Assert.Equal(["source"], _directory.Names());
        }
    }

    [Fact]
    public async Task A_failure_of_one_that_looks_on_ends_the_send()
    {
        await File.WriteAllBytesAsync(Source, SampleDisk.Make());
        using var source = await ImageOpener.OpenAsync(Source);
        using var target = await StreamedTarget.PlanAsync(source, RequestOf("qcow2"), default);
        await Assert.ThrowsAsync<InvalidDataException>(
            () => target.WriteToAsync(Stream.Null, [_ => { }, _ => throw new InvalidDataException()]));
    }

    private sealed class FailingStream(int room, bool waits = false) : MemoryStream
    {
        public override async ValueTask WriteAsync(
            ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (Length + buffer.Length <= room)
            {
                await base.WriteAsync(buffer, cancellationToken);
                return;
            }

            if (waits)
            {
                await Task.Delay(Timeout.Infinite, cancellationToken);
            }

            throw new IOException("Broken pipe");
        }
    }
}
