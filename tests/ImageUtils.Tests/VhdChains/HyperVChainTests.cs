using ImageUtils.Builders;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;
using ImageUtils.VhdChains;

namespace ImageUtils.Tests.VhdChains;

/// <summary>Chains that name their parents by paths of the Windows machine on which they were made.</summary>
public sealed class HyperVChainTests : IDisposable
{
    private readonly ChainFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Theory]
    [InlineData("vhd", @"C:\vms\")]
    [InlineData("vhd", @"\\server\share\")]
    [InlineData("vhdx", @"C:\vms\")]
    [InlineData("vhdx", @"\\?\Volume{26a21bda-a627-11d7-9931-806e6f6e6963}\vms\")]
    public async Task A_chain_reads_where_its_directory_is_allowed_and_nowhere_else(string kind, string prefix)
    {
        var disk = NativeImage.RandomDisk(4 << 20, 3);
        var leaf = MakeChain(kind, prefix, disk);
        Assert.Equal(disk, ChainFiles.Read(leaf, _files.Path));
        var refusal = Assert.Throws<ImageUnsafeException>(() => ChainFiles.Read(leaf));
        Assert.Contains("allow its directory", refusal.Message, StringComparison.Ordinal);
        Assert.Throws<ImageUnsafeException>(() => ChainFiles.Read(leaf, "/srv/other"));

        var chain = await VhdChainFinder.FindAsync(leaf);
        Assert.Equal([true, true, null], chain.Links.Select(link => link.IdMatches));
        var merged = await VhdMerger.MergeAsync(
            new VhdMergeRequest { Chain = chain, Source = ChainFiles.Allowing(_files.Path), Verify = true });
        Assert.Equal(_files[$"base.{kind}"], merged.Path);
        Assert.Equal(disk, ChainFiles.Read(merged.Path));
        Assert.Equal([merged.Path], Directory.GetFiles(_files.Path));
    }

    [Theory]
    [InlineData("vhd")]
    [InlineData("vhdx")]
    public async Task A_file_of_that_name_with_another_id_is_not_the_parent(string kind)
    {
        var leaf = MakeChain(kind, @"C:\vms\", NativeImage.RandomDisk(4 << 20, 3));
        _files.Make($"middle.{kind}");
        var error = Assert.Throws<ImageFormatException>(() => ChainFiles.Read(leaf, _files.Path));
        Assert.Equal(CheckNames.Parent, error.Check);
        Assert.Contains(
            $@"'C:\vms\middle.{kind}' (here './middle.{kind}', beside it)", error.Message, StringComparison.Ordinal);
        Assert.Contains("Set-VhdParent", error.Message, StringComparison.Ordinal);
        Assert.Equal(false, (await VhdChainFinder.FindAsync(leaf)).Leaf.ParentFound);

        File.Delete(_files[$"middle.{kind}"]);
        Assert.Equal(
            ImageFileProblem.NotFound,
            Assert.Throws<ImageFileException>(() => ChainFiles.Read(leaf, _files.Path)).Problem);
    }

    [Fact]
    public void A_link_beside_the_disk_is_judged_by_where_it_leads()
    {
        _files.Make("parents/base.vhd");
        var leaf = _files.Make("children/leaf.vhd", parent: "parents/base.vhd", writtenName: @"C:\vms\base.vhd");
        File.CreateSymbolicLink(_files["children/base.vhd"], _files["parents/base.vhd"]);
        Assert.Throws<ImageUnsafeException>(() => ChainFiles.Read(leaf, _files["children"]));
        Assert.Equal(4 << 20, ChainFiles.Read(leaf, _files.Path).Length);
    }

    [Fact]
    public async Task A_disk_that_has_its_parents_file_name_is_not_its_own_parent()
    {
        // Hyper-V keeps the snapshots of a disk elsewhere, under the name that it had.
        _files.Make("base/disk.vhdx");
        var id = ChainFiles.IdOf(_files["base/disk.vhdx"])!.Value.ToString("B");
        Directory.CreateDirectory(_files["snapshots"]);
        var leaf = _files.Put(
            "snapshots/disk.vhdx",
            VhdxCases.Seal(VhdxCases.WithParent(
                ("parent_linkage", id), ("absolute_win32_path", @"C:\base\disk.vhdx"),
                ("relative_path", @"..\base\disk.vhdx"))).ToArray());
        Assert.Equal(2, (await VhdChainFinder.FindAsync(leaf, ChainFiles.Allowing(_files.Path))).Links.Count);
        using (var image = await ImageOpener.OpenAsync(leaf, ChainFiles.Allowing(_files.Path)))
        {
            Assert.Equal([_files["base/disk.vhdx"]], image.BasedOn);
        }

        File.Delete(_files["base/disk.vhdx"]);
        var error = Assert.Throws<ImageFormatException>(() => ChainFiles.Read(leaf, _files.Path));
        Assert.Contains("has another id", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_next_name_is_tried_after_a_file_with_another_id_which_is_no_part_of_the_image()
    {
        _files.Make("right.vhdx");
        _files.Make("wrong.vhdx");
        var id = ChainFiles.IdOf(_files["right.vhdx"])!.Value.ToString("B");
        var leaf = _files.Put(
            "leaf.vhdx",
            VhdxCases.Seal(VhdxCases.WithParent(
                ("parent_linkage", id), ("volume_path", @"\\?\Volume{1}\wrong.vhdx"),
                ("absolute_win32_path", @"D:\right.vhdx"))).ToArray());
        using var image = await ImageOpener.OpenAsync(leaf, ChainFiles.Allowing(_files.Path));
        Assert.Equal([_files["right.vhdx"]], image.BasedOn);
    }

    [Fact]
    public async Task A_raw_parent_is_never_known_by_its_file_name()
    {
        _files.Put("base.raw", new byte[4 << 20]);
        var leaf = _files.Make("leaf.vhd", change: options => options with
        {
            BackingFile = @"C:\vms\base.raw",
            BackingFormat = ImageFormat.Raw,
        });
        var error = Assert.Throws<ImageUnsafeException>(() => ChainFiles.Read(leaf, _files.Path));
        Assert.Contains("Set-VhdParent", error.Message, StringComparison.Ordinal);
        var link = Assert.Single((await VhdChainFinder.FindAsync(leaf)).Links);
        Assert.Equal(false, link.ParentFound);
        Assert.Contains("stands for no file here", Assert.Single(link.Problems), StringComparison.Ordinal);
    }

    private string MakeChain(string kind, string prefix, byte[] disk)
    {
        _files.Make($"base.{kind}", pieces: (0, disk[..(1 << 20)]));
        _files.Make(
            $"middle.{kind}", parent: $"base.{kind}", writtenName: $"{prefix}base.{kind}",
            pieces: (1 << 20, disk[(1 << 20)..(2 << 20)]));
        return _files.Make(
            $"leaf.{kind}", parent: $"middle.{kind}", writtenName: $"{prefix}middle.{kind}",
            pieces: (2 << 20, disk[(2 << 20)..]));
    }
}
