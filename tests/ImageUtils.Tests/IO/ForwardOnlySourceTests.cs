using FsCheck;
using FsCheck.Fluent;
using ImageUtils.Errors;
using ImageUtils.IO;

namespace ImageUtils.Tests.IO;

public sealed class ForwardOnlySourceTests
{
    [Fact]
    public void A_read_goes_on_inside_the_push_that_brings_its_last_byte()
    {
        var source = new ForwardOnlySource();
        var buffer = new byte[4];
        var read = source.ReadAsync(2, buffer, default).AsTask();
        source.Push([0, 1, 2, 3, 4]);
        Assert.False(read.IsCompleted);
        source.Push([5]);
        Assert.True(read.IsCompletedSuccessfully);
        Assert.Equal([2, 3, 4, 5], buffer);
    }

    [Fact]
    public async Task The_end_gives_waiting_reads_what_there_was()
    {
        var source = new ForwardOnlySource();
        var buffer = new byte[10];
        var read = source.ReadAsync(1, buffer, default).AsTask();
        var length = source.GetLengthAsync(default).AsTask();
        var tail = new byte[2];
        var tailRead = source.ReadTailAsync(tail, default).AsTask();
        source.Push([7, 8, 9]);
        Assert.False(length.IsCompleted);
        source.Complete();
        Assert.Equal(2, await read);
        Assert.Equal(3, await length);
        Assert.Equal(2, await tailRead);
        Assert.Equal([8, 9], tail);
        Assert.Equal(0, await source.ReadAsync(3, new byte[1], default));
    }

    [Fact]
    public async Task What_has_passed_beyond_the_head_cannot_be_read()
    {
        var source = new ForwardOnlySource();
        source.Push(new byte[ForwardReader.HeadLength + 100]);
        Assert.Equal(10, await source.ReadAsync(ForwardReader.HeadLength - 10, new byte[10], default));
        var error = await Assert.ThrowsAsync<BackwardReadException>(
            async () => await source.ReadAsync(ForwardReader.HeadLength - 10, new byte[11], default));
        Assert.Equal("tables", error.Check);
    }

    [Fact]
    public void Reads_give_the_same_bytes_however_the_stream_is_cut() =>
        Prop.ForAll(
            Gen.Choose(1, 70_000).ArrayOf().Where(cuts => cuts.Length > 0).ToArbitrary(),
            Gen.Choose(0, 200_000).ArrayOf(8).ToArbitrary(),
            (cuts, places) =>
            {
                var data = new byte[180_000];
                new Random(1).NextBytes(data);
                var source = new ForwardOnlySource();
                var reads = places.Order().Select(place =>
                {
                    var buffer = new byte[1 + place % 9000];
                    return (place, buffer, task: source.ReadAsync(place, buffer, default).AsTask());
                }).ToArray();
                for (int at = 0, cut = 0; at < data.Length; cut++)
                {
                    var length = Math.Min(cuts[cut % cuts.Length], data.Length - at);
                    source.Push(data.AsSpan(at, length));
                    at += length;
                }

                source.Complete();
                return reads.All(read =>
                {
                    var expected = data.AsSpan(Math.Min(read.place, data.Length));
                    expected = expected[..Math.Min(expected.Length, read.buffer.Length)];
                    return read.task.Result == expected.Length
                        && read.buffer.AsSpan(0, expected.Length).SequenceEqual(expected);
                });
            }).QuickCheckThrowOnFailure();
}
