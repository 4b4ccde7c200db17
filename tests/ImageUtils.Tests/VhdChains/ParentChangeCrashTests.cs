using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;
using ImageUtils.VhdChains;

namespace ImageUtils.Tests.VhdChains;

public sealed class ParentChangeCrashTests : IDisposable
{
    private readonly ChainFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Fact]
    public async Task A_chain_whose_change_of_a_parent_was_cut_off_is_read_all_the_same()
    {
        var disk = NativeImage.RandomDisk(4 << 20, 9);
        _files.Make("old.vhd", pieces: (0, disk[..(1 << 20)]));
        File.Copy(_files["old.vhd"], _files["new.vhd"]);
        var leaf = _files.Make("leaf.vhd", parent: "old.vhd", pieces: (1 << 20, disk[(1 << 20)..]));
        var first = SparseMemory.Of(File.ReadAllBytes(leaf));
        CrashSink sink;
        using (var file = ImageLock.Acquire(leaf))
        {
            sink = new CrashSink(file.Sink);
            using var editor = await VhdEditor.OpenAsync(file, sink, default);
            await editor.SetParentAsync(
                VhdParent.Relative("new.vhd", ChainFiles.IdOf(_files["new.vhd"])!.Value, 7), default);
            await editor.FinishAsync(default);
        }

        var names = new HashSet<string>();
        var pending = 0;
        foreach (var state in CrashState.Sample(first, sink.Steps, new Random(1), 4))
        {
            state.Save(leaf);
            using (var image = await ImageOpener.OpenAsync(leaf, ChainFiles.Allowing(_files.Path)))
            {
                Assert.Equal(disk, NativeImage.Read(image.Map));
                names.Add(Path.GetFileName(Assert.Single(image.BasedOn)));
            }

            var chain = await VhdChainFinder.FindAsync(leaf);
            Assert.Equal((2, true), (chain.Links.Count, chain.Leaf.IdMatches));
            var inspection = await ImageInspector.InspectFileAsync(
                leaf, new InspectionOptions { Policy = ChainFiles.Allowing(_files.Path).Inspection.Policy });
            var cut = inspection.Failures.SingleOrDefault(check => check.Name == CheckNames.ChangePending);
            Assert.Equal(cut is null ? 0 : 1, chain.Leaf.Problems.Count(problem => problem == cut?.Message));
            pending += cut is null ? 0 : 1;
        }

        Assert.Equal(["new.vhd", "old.vhd"], names.Order());
        Assert.True(pending > 0);
    }

    [Fact]
    public async Task A_footer_that_points_at_a_damaged_header_is_refused_as_before()
    {
        _files.Make("base.vhd");
        var leaf = _files.Make("leaf.vhd", parent: "base.vhd");
        var bytes = File.ReadAllBytes(leaf);
        var footer = VhdFooter.Parse(bytes.AsSpan(^VhdFooter.Length..)) with { DataOffset = 1024 };
        footer.Write(bytes.AsSpan(^VhdFooter.Length..));
        File.WriteAllBytes(leaf, bytes);
        var error = await Assert.ThrowsAsync<ImageUnsafeException>(
            async () => await ImageOpener.OpenAsync(leaf, ChainFiles.Allowing(_files.Path)));
        Assert.Equal(CheckNames.Checksum, Assert.Single(error.Failures).Name);
    }
}
