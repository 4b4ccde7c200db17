using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.IO;
using ImageUtils.Tests.Support;
using ImageUtils.VhdChains;

namespace ImageUtils.Tests.VhdChains;

public sealed class VhdRepairTests : IDisposable
{
    private readonly ChainFiles _files = new();
    private readonly byte[] _data = NativeImage.RandomDisk(300 * 512, 3);

    public void Dispose() => _files.Dispose();

    [Fact]
    public async Task A_chain_that_was_moved_and_numbered_is_named_again()
    {
        var expected = MakeChain();
        var results = await RunAsync();
        Assert.All(results, result => Assert.True(result.IsValid, string.Join(" ", result.Problems)));
        Assert.Equal([1, 1, 0], results.Select(result => result.Actions.Count));
        Assert.Equal(expected, ChainFiles.Read(_files["0.vhd"], _files.Path));
        Assert.All(await RunAsync(), result => Assert.Empty(result.Actions));
    }

    [Fact]
    public async Task Disks_in_the_wrong_order_are_left_alone()
    {
        MakeChain();
        var before = Hashes();
        var results = await RunAsync("1.vhd", "0.vhd", "2.vhd");
        Assert.All(results.Take(2), result => Assert.False(result.IsValid));
        Assert.All(results, result => Assert.Empty(result.Actions));
        Assert.Equal(before, Hashes());
    }

    [Fact]
    public async Task What_may_not_be_repaired_is_named_and_left()
    {
        MakeChain();
        _files.Patch("2.vhd", new FileInfo(_files["2.vhd"]).Length - 512, new byte[512]);
        var before = Hashes();
        var asked = new List<string>();
        var results = await VhdRepair.RunAsync(Request("0.vhd", "1.vhd", "2.vhd") with
        {
            MayRepair = (path, repair) =>
            {
                asked.Add($"{Path.GetFileName(path)}: {repair}");
                return false;
            },
        });
        Assert.Equal(
            ["2.vhd: Restore the footer at the end from its copy at byte 0", "0.vhd: Name '1.vhd' as its parent"],
            asked);
        Assert.All(results, result => Assert.False(result.IsValid));
        Assert.Equal(before, Hashes());
    }

    [Fact]
    public async Task A_file_that_has_neither_footer_is_no_disk()
    {
        MakeChain();
        _files.Patch("2.vhd", new FileInfo(_files["2.vhd"]).Length - 512, new byte[512]);
        _files.Patch("2.vhd", 0, new byte[512]);
        var exception = await Assert.ThrowsAsync<VhdChainException>(() => RunAsync());
        Assert.Equal((VhdChainProblem.NotUsable, _files["2.vhd"]), (exception.Problem, exception.Path));
    }

    [Fact]
    public async Task A_header_is_only_believed_where_all_of_it_is_possible()
    {
        MakeChain();
        _files.Patch("2.vhd", 512 + 28, 0xFF, 0xFF);
        var result = (await RunAsync("2.vhd"))[0];
        Assert.False(result.IsValid);
        Assert.Empty(result.Actions);
    }

    [Fact]
    public async Task Fixed_disks_that_were_interrupted_while_they_grew_have_one_size_or_the_other()
    {
        var path = _files.Make(
            "fixed.vhd", _data.Length, change: options => options with { Subformat = "fixed" }, pieces: [(0, _data)]);
        var first = SparseMemory.Of(await File.ReadAllBytesAsync(path));
        CrashSink sink;
        using (var file = ImageLock.Acquire(path))
        {
            sink = new CrashSink(file.Sink);
            using var editor = await VhdEditor.OpenAsync(file, sink, default);
            await editor.GrowAsync(_data.Length * 4, default);
        }

        foreach (var state in CrashState.Sample(first, sink.Steps, new Random(1), 6))
        {
            state.Save(path);
            Assert.True((await RunAsync("fixed.vhd"))[0].IsValid, state.Name);
            var read = ChainFiles.Read(path);
            Assert.True(read.Length == _data.Length || read.Length == _data.Length * 4);
            Assert.Equal(_data, read[.._data.Length]);
            Assert.Equal(-1, read.AsSpan(_data.Length).IndexOfAnyExcept((byte)0));
        }
    }

    [Fact]
    public async Task A_change_between_its_footers_is_completed_by_the_next_one()
    {
        MakeChain();
        var path = _files["2.vhd"];
        var first = SparseMemory.Of(await File.ReadAllBytesAsync(path));
        CrashSink sink;
        using (var file = ImageLock.Acquire(path))
        {
            sink = new CrashSink(file.Sink);
            using var editor = await VhdEditor.OpenAsync(file, sink, default);
            await editor.GrowAsync(20 << 20, default);
        }

        var mended = 0;
        foreach (var state in CrashState.Sample(first, sink.Steps, new Random(1), 6))
        {
            state.Save(path);
            mended += await VhdEditor.MendAsync(path, default) ? 1 : 0;
            Assert.True((await VhdImageCheck.RunAsync(path)).IsValid, state.Name);
        }

        Assert.NotEqual(0, mended);
    }

    [Fact]
    public async Task A_chain_does_not_get_more_than_64_disks()
    {
        for (var disk = 0; disk < VhdChain.MaximumDepth; disk++)
        {
            _files.Make($"d{disk}.vhd", 1 << 20, disk == 0 ? null : $"d{disk - 1}.vhd");
        }

        var top = _files.Make("top.vhd", 1 << 20, "d3.vhd");
        var request = new VhdParentRequest { Path = top, ParentPath = _files["d63.vhd"], IgnoreIdMismatch = true };
        var exception = await Assert.ThrowsAsync<VhdChainException>(() => VhdParentChanger.SetAsync(request));
        Assert.Equal(VhdChainProblem.TooDeep, exception.Problem);
        await VhdParentChanger.SetAsync(request with { ParentPath = _files["d62.vhd"] });
        Assert.Equal(64, (await VhdChainFinder.FindAsync(top)).Links.Count);
    }

    [Fact]
    public void Names_that_a_VHD_cannot_say_are_refused()
    {
        Assert.Throws<ImageOptionException>(() => VhdParent.Relative(@"a\b.vhd", Guid.Empty, 0));
        Assert.Throws<ImageOptionException>(() => VhdParent.Relative(new string('a', 3000), Guid.Empty, 0));
        Assert.Throws<ImageOptionException>(() => VhdParent.Relative(new string('語', 1500), Guid.Empty, 0));
    }

    // 0.vhd over 1.vhd, which has lost its name for 2.vhd.
    private byte[] MakeChain()
    {
        _files.Make("base.vhd", pieces: [(0, _data)]);
        _files.Make("middle.vhd", parent: "base.vhd", pieces: [(1 << 20, _data)]);
        _files.Make("leaf.vhd", parent: "middle.vhd", pieces: [(2 << 20, _data)]);
        var expected = ChainFiles.Read(_files["leaf.vhd"], _files.Path);
        File.Move(_files["leaf.vhd"], _files["0.vhd"]);
        File.Move(_files["middle.vhd"], _files["1.vhd"]);
        File.Move(_files["base.vhd"], _files["2.vhd"]);
        return expected;
    }

    private string[] Hashes() =>
    [
        .. Directory.GetFiles(_files.Path).Order(StringComparer.Ordinal)
            .Select(path => Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(path)))),
    ];

    private VhdRepairRequest Request(params string[] names) =>
        new() { Paths = [.. names.Select(name => _files[name])] };

    private Task<IReadOnlyList<VhdRepairResult>> RunAsync(params string[] names) =>
        VhdRepair.RunAsync(Request(names.Length == 0 ? ["0.vhd", "1.vhd", "2.vhd"] : names));
}
