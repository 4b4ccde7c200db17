using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.IO;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Conversion;

/// <summary>An interrupted conversion goes on where it was, to the same file; or anew where something changed.</summary>
public sealed class ResumeTests : IDisposable
{
    private const int DiskLength = 24 << 20;
    private readonly TemporaryDirectory _directory = new();
    private readonly byte[] _disk = NativeImage.RandomDisk(DiskLength, 7);

    public ResumeTests()
    {
        _disk[0] = 0xEB;
        File.WriteAllBytes(_directory["a.raw"], _disk);
    }

    public static TheoryData<string> Kinds => [.. SampleDisk.Kinds.Keys];

    public void Dispose() => _directory.Dispose();

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task An_interrupted_conversion_goes_on_to_the_same_disk(string kind)
    {
        await InterruptAsync(kind);
        Assert.True(File.Exists(Destination.PartPathOf(_directory["b"])));
        var result = await ImageConverter.ConvertAsync(Request(kind));
        Assert.True(result.ResumedAt > 0, "it began anew");
        Assert.True(result.Verified);
        Assert.Equal(_disk, (await SampleDisk.ReadAsync(_directory["b"]))[..DiskLength]);
        Assert.Equal(["a.raw", "b"], _directory.Names());
    }

    [Fact]
    public async Task A_changed_source_other_options_or_a_damaged_journal_mean_a_new_start()
    {
        Action[] changes =
        [
            () =>
            {
                _disk[5_000_000] ^= 1;
                File.WriteAllBytes(_directory["a.raw"], _disk);
            },
            () =>
            {
                var journal = File.ReadAllBytes(ResumeJournal.PathOf(_directory["b"]));
                journal[^40] ^= 1;
                File.WriteAllBytes(ResumeJournal.PathOf(_directory["b"]), journal);
            },
            () => File.WriteAllBytes(ResumeJournal.PathOf(_directory["b"]), []),
            () => File.Delete(ResumeJournal.PathOf(_directory["b"])),
        ];
        foreach (var change in changes)
        {
            await InterruptAsync("qcow2");
            change();
            var result = await ImageConverter.ConvertAsync(Request("qcow2"));
            Assert.Null(result.ResumedAt);
            Assert.Equal(_disk, await SampleDisk.ReadAsync(_directory["b"]));
            File.Delete(_directory["b"]);
        }

        await InterruptAsync("qcow2");
        var request = Request("qcow2");
        var other = await ImageConverter.ConvertAsync(
            request with { Target = request.Target with { ClusterSize = 32768 } });
        Assert.Null(other.ResumedAt);
    }

    [Fact]
    public async Task A_journal_whose_partial_file_is_gone_or_cut_is_not_believed()
    {
        Action<string>[] changes =
        [
            File.Delete,
            part =>
            {
                using var file = File.OpenWrite(part);
                file.SetLength(file.Length - 1);
            },
        ];
        foreach (var change in changes)
        {
            await InterruptAsync("qcow2");
            File.WriteAllBytes(ResumeJournal.PathOf(_directory["b"]) + ".new", [1, 2, 3]);
            change(Destination.PartPathOf(_directory["b"]));
            var result = await ImageConverter.ConvertAsync(Request("qcow2"));
            Assert.Null(result.ResumedAt);
            Assert.Equal(_disk, await SampleDisk.ReadAsync(_directory["b"]));
            Assert.Equal(["a.raw", "b"], _directory.Names());
            File.Delete(_directory["b"]);
        }
    }

    [Fact]
    public async Task One_process_at_a_time_has_the_partial_file()
    {
        using var held = Destination.OpenPartial(_directory["b"], overwrite: false);
        var error = await Assert.ThrowsAsync<ImageWriteException>(() => ImageConverter.ConvertAsync(Request("qcow2")));
        Assert.Equal("DestinationInUse", error.ErrorId);
    }

    private ConversionRequest Request(string kind) => SampleDisk.Request(_directory["a.raw"], _directory["b"], kind) with
    {
        Resume = true,
        Verify = true,
        CheckpointInterval = TimeSpan.Zero,
    };

    // As soon as some of it is done.
    private async Task InterruptAsync(string kind)
    {
        using var stop = new CancellationTokenSource();
        using var source = await ImageOpener.OpenAsync(_directory["a.raw"]);
        var conversion = new NativeConversion(Request(kind), source, _directory["b"], null)
        {
            OnCheckpoint = position =>
            {
                if (position >= 8 << 20)
                {
                    stop.Cancel();
                }
            },
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => conversion.RunAsync(0, stop.Token));
        Assert.False(File.Exists(_directory["b"]));
    }
}
