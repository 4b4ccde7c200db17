using System.Text;
using ImageUtils.Builders;
using ImageUtils.Errors;
using ImageUtils.Tests.Support;
using ImageUtils.VhdChains;

namespace ImageUtils.Tests.VhdChains;

public sealed class VhdChainFinderTests : IDisposable
{
    // What VhdCases gives all disks as their id.
    private static readonly byte[] s_id = [.. Enumerable.Repeat((byte)0x5A, 16)];

    private readonly ChainFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Theory]
    [InlineData("vhd")]
    [InlineData("vhdx")]
    public async Task A_chain_is_followed_from_its_leaf_to_its_base(string extension)
    {
        _files.Make($"base.{extension}", change: options => options with { Subformat = "fixed" });
        _files.Make($"sub/middle.{extension}", parent: $"base.{extension}");
        var leaf = _files.Make($"leaf.{extension}", parent: $"sub/middle.{extension}");
        var chain = await VhdChainFinder.FindAsync(leaf);
        Assert.Equal(
            [leaf, _files[$"sub/middle.{extension}"], _files[$"base.{extension}"]],
            chain.Links.Select(link => link.Path));
        Assert.Equal([0, 1, 2], chain.Links.Select(link => link.Index));
        Assert.Equal(["differencing", "differencing", "fixed"], chain.Links.Select(link => link.Type));
        Assert.Equal([true, true, null], chain.Links.Select(link => link.ParentFound));
        Assert.Equal([true, true, null], chain.Links.Select(link => link.IdMatches));
        Assert.All(chain.Links, link => Assert.Empty(link.Problems));
        Assert.All(chain.Links, link => Assert.Equal(4 << 20, link.VirtualSize));
        Assert.All(chain.Links, link => Assert.Equal(new FileInfo(link.Path).Length, link.FileSize));
        Assert.Equal(chain.Links[1].UniqueId, chain.Leaf.ParentId);
        Assert.Equal((chain.Base.Path, null), (chain.Links[1].ParentPath, chain.Base.ParentPath));
    }

    [Fact]
    public async Task A_parent_that_is_missing_ends_the_chain_without_an_error()
    {
        _files.Make("base.vhd");
        var leaf = _files.Make("leaf.vhd", parent: "base.vhd");
        File.Delete(_files["base.vhd"]);
        var link = Assert.Single((await VhdChainFinder.FindAsync(leaf)).Links);
        Assert.Equal((false, null, @".\base.vhd"), (link.ParentFound, link.IdMatches, link.ParentPath));
        Assert.Contains("was not found", Assert.Single(link.Problems), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("vhd")]
    [InlineData("vhdx")]
    public async Task A_parent_with_another_id_is_named_but_is_no_link(string extension)
    {
        _files.Make($"base.{extension}");
        var leaf = _files.Make($"leaf.{extension}", parent: $"base.{extension}");
        _files.Make($"base.{extension}");
        var link = Assert.Single((await VhdChainFinder.FindAsync(leaf)).Links);
        Assert.Equal((true, false, _files[$"base.{extension}"]), (link.ParentFound, link.IdMatches, link.ParentPath));
        Assert.Contains("it is not the disk's parent", Assert.Single(link.Problems), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_parent_of_another_format_is_named_but_is_no_link()
    {
        _files.Make("base.vhd");
        var leaf = _files.Make("leaf.vhd", parent: "base.vhd");
        File.Delete(_files["base.vhd"]);
        File.Move(_files.Make("other.vhdx"), _files["base.vhd"]);
        var link = Assert.Single((await VhdChainFinder.FindAsync(leaf)).Links);
        Assert.Equal((true, false), (link.ParentFound, link.IdMatches));
        Assert.Contains("is vhdx", Assert.Single(link.Problems), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Chains_without_an_end_are_refused()
    {
        var (one, other) = (Guid.NewGuid(), Guid.NewGuid());
        _files.Make("a.vhd", change: options => options with { UniqueId = one, BackingFile = "b.vhd", ParentId = other });
        _files.Make("b.vhd", change: options => options with { UniqueId = other, BackingFile = "a.vhd", ParentId = one });
        _files.Make("c.vhd", change: options => options with { UniqueId = one, BackingFile = "c.vhd", ParentId = one });
        foreach (var name in new[] { "a.vhd", "b.vhd", "c.vhd" })
        {
            var error = await FailAsync(name);
            Assert.Equal((VhdChainProblem.Cycle, "VhdChainCycle"), (error.Problem, error.ErrorId));
        }

        // By another name it is the same file.
        File.CreateSymbolicLink(_files["d.vhd"], "e.vhd");
        _files.Make("e.vhd", change: options => options with { UniqueId = one, BackingFile = "d.vhd", ParentId = one });
        Assert.Equal(VhdChainProblem.Cycle, (await FailAsync("e.vhd")).Problem);
        Assert.Equal(VhdChainProblem.Cycle, (await FailAsync("d.vhd")).Problem);
    }

    [Fact]
    public async Task Sixty_four_disks_are_a_chain_and_one_more_is_too_deep()
    {
        _files.Make("0.vhd", 64 << 10);
        for (var number = 1; number <= 64; number++)
        {
            _files.Make($"{number}.vhd", 64 << 10, $"{number - 1}.vhd");
        }

        Assert.Equal(64, (await VhdChainFinder.FindAsync(_files["63.vhd"])).Links.Count);
        var error = await FailAsync("64.vhd");
        Assert.Equal((VhdChainProblem.TooDeep, "VhdChainTooDeep"), (error.Problem, error.ErrorId));
    }

    [Theory]
    [InlineData(@"C:\vm\base.vhd")]
    [InlineData(@"\\server\share\base.vhd")]
    [InlineData("/gone/base.vhd")]
    public async Task An_absolute_name_leads_to_the_file_of_that_name_beside_the_disk_if_the_id_is_right(string name)
    {
        _files.Make("base.vhd");
        var leaf = _files.Make("leaf.vhd", parent: "base.vhd", writtenName: name);
        Assert.Equal(2, (await VhdChainFinder.FindAsync(leaf)).Links.Count);
        _files.Make("base.vhd");
        var link = Assert.Single((await VhdChainFinder.FindAsync(leaf)).Links);
        Assert.Equal((false, null), (link.ParentFound, link.IdMatches));
    }

    [Theory]
    [InlineData("W2ru", @".\base.vhd", false)]
    [InlineData("W2ku", "base.vhd", false)]
    [InlineData("MacX", "file://./b%61se.vhd", true)]
    public async Task Every_locator_leads_to_the_parent(string code, string name, bool isUtf8)
    {
        var bytes = isUtf8 ? Encoding.UTF8.GetBytes(name) : Encoding.Unicode.GetBytes(name);
        _files.Put("leaf.vhd", VhdCases.Seal(VhdCases.WithLocator(code, bytes).Put(512 + 40, s_id)).ToArray());
        MakeBase();
        var chain = await VhdChainFinder.FindAsync(_files["leaf.vhd"]);
        Assert.Equal([_files["leaf.vhd"], _files["base.vhd"]], chain.Links.Select(link => link.Path));
    }

    [Fact]
    public async Task The_name_in_the_header_leads_to_the_parent_too()
    {
        _files.Put("leaf.vhd", VhdCases.Seal(VhdCases.Differencing(null).Put(512 + 40, s_id)).ToArray());
        MakeBase();
        Assert.Equal(2, (await VhdChainFinder.FindAsync(_files["leaf.vhd"])).Links.Count);
    }

    [Fact]
    public async Task Nothing_is_looked_at_outside_the_directories_that_are_allowed()
    {
        _files.Make("parents/base.vhd");
        var leaf = _files.Make("children/leaf.vhd", parent: "parents/base.vhd");
        var link = Assert.Single((await VhdChainFinder.FindAsync(leaf)).Links);
        Assert.Equal(false, link.ParentFound);
        Assert.Contains("is not below", Assert.Single(link.Problems), StringComparison.Ordinal);
        var chain = await VhdChainFinder.FindAsync(leaf, ChainFiles.Allowing(_files["parents"]));
        Assert.Equal(2, chain.Links.Count);

        // A link beside the disk leads out as well.
        File.CreateSymbolicLink(_files["children/base.vhd"], _files["parents/base.vhd"]);
        leaf = _files.Make("children/other.vhd", parent: "children/base.vhd");
        Assert.Single((await VhdChainFinder.FindAsync(leaf)).Links);
    }

    [Fact]
    public async Task A_raw_parent_has_no_id()
    {
        var disk = NativeImage.RandomDisk(4 << 20, 1);
        _files.Put("base.raw", disk);
        var leaf = _files.Make(
            "leaf.vhd",
            change: options => options with { BackingFile = "base.raw", BackingFormat = ImageFormat.Raw });
        var chain = await VhdChainFinder.FindAsync(leaf);
        Assert.Equal((ImageFormat.Raw, "raw", null), (chain.Base.Format, chain.Base.Type, chain.Base.UniqueId));
        Assert.Equal((true, true, null), (chain.Leaf.ParentFound, chain.Leaf.IdMatches, chain.Leaf.ParentId));
        Assert.Equal(disk, ChainFiles.Read(leaf, _files.Path));

        // A guest can make its disk look like anything.
        File.Copy(_files.Make("other.vhd", parent: null), _files["base.raw"], true);
        Assert.Equal("raw", (await VhdChainFinder.FindAsync(leaf)).Base.Type);
    }

    [Fact]
    public async Task A_disk_that_is_damaged_or_of_another_kind_is_in_no_chain()
    {
        _files.Make("base.vhd");
        var leaf = _files.Make("leaf.vhd", parent: "base.vhd");
        _files.Patch("base.vhd", 512 + 30, 0xEE);
        var error = await FailAsync("leaf.vhd");
        Assert.Equal((VhdChainProblem.NotUsable, _files["base.vhd"]), (error.Problem, error.Path));
        Assert.Contains("checksum", error.Message, StringComparison.Ordinal);
        Assert.Equal(VhdChainProblem.NotUsable, (await FailAsync("base.vhd")).Problem);
        _files.Put("disk.raw", new byte[512]);
        error = await FailAsync("disk.raw");
        Assert.Equal(("VhdNotUsable", VhdChainProblem.NotUsable), (error.ErrorId, error.Problem));
        await Assert.ThrowsAsync<ImageFormatMismatchException>(
            () => VhdChainFinder.FindAsync(leaf, new() { ClaimedFormat = ImageFormat.Vhdx }));
        await Assert.ThrowsAsync<ImageFileException>(() => VhdChainFinder.FindAsync(_files["none.vhd"]));
    }

    [Fact]
    public async Task A_size_or_time_that_differs_is_worth_a_sentence()
    {
        _files.Make("small.vhd", 2 << 20);
        var leaf = _files.Make("leaf.vhd", parent: "small.vhd");
        Assert.Contains("is smaller", Assert.Single((await VhdChainFinder.FindAsync(leaf)).Leaf.Problems));
        _files.Make("large.vhd", 8 << 20);
        leaf = _files.Make("leaf.vhd", parent: "large.vhd");
        Assert.Contains("is larger", Assert.Single((await VhdChainFinder.FindAsync(leaf)).Leaf.Problems));

        var parent = _files.Make("base.vhd");
        var time = new DateTimeOffset(2020, 2, 3, 4, 5, 6, TimeSpan.Zero);
        leaf = _files.Make("leaf.vhd", parent: "base.vhd", change: options => options with { ParentTimeStamp = time });
        var found = await VhdChainFinder.FindAsync(leaf);
        Assert.Equal((2, true), (found.Links.Count, found.Leaf.IdMatches));
        Assert.Contains("2020-02-03 04:05:06Z", Assert.Single(found.Leaf.Problems), StringComparison.Ordinal);
        File.SetLastWriteTimeUtc(parent, time.UtcDateTime);
        Assert.Empty((await VhdChainFinder.FindAsync(leaf)).Leaf.Problems);
    }

    [Fact]
    public async Task Numbered_disks_are_a_chain_whatever_they_have_as_parents_names()
    {
        _files.Make("base.vhd");
        _files.Make("middle.vhd", parent: "base.vhd");
        _files.Make("leaf.vhd", parent: "middle.vhd");
        var other = Directory.CreateDirectory(_files["image"]).FullName;
        File.Move(_files["leaf.vhd"], _files["image/0.vhd"]);
        File.Move(_files["middle.vhd"], _files["image/1.vhd"]);
        File.Move(_files["base.vhd"], _files["image/2.vhd"]);
        _files.Make("image/4.vhd");
        var chain = await VhdChainFinder.FindInDirectoryAsync(other);
        Assert.Equal(["0.vhd", "1.vhd", "2.vhd"], chain.Links.Select(link => Path.GetFileName(link.Path)));
        Assert.Equal([true, true, null], chain.Links.Select(link => link.ParentFound));
        Assert.Equal([true, true, null], chain.Links.Select(link => link.IdMatches));
        Assert.Equal(_files["image/1.vhd"], chain.Leaf.ParentPath);

        // The last has a parent that is nowhere; one in between has none; one is another's.
        File.Delete(_files["image/2.vhd"]);
        chain = await VhdChainFinder.FindInDirectoryAsync(other);
        Assert.Equal((2, false), (chain.Links.Count, chain.Base.ParentFound));
        _files.Make("image/1.vhd");
        _files.Make("image/2.vhd");
        chain = await VhdChainFinder.FindInDirectoryAsync(other);
        Assert.Equal(false, chain.Leaf.IdMatches);
        Assert.Contains("'2.vhd' follows it", Assert.Single(chain.Links[1].Problems), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_directory_without_numbered_disks_or_with_a_link_out_is_refused()
    {
        var image = Directory.CreateDirectory(_files["image"]).FullName;
        var error = await Assert.ThrowsAsync<VhdChainException>(() => VhdChainFinder.FindInDirectoryAsync(image));
        Assert.Equal(VhdChainProblem.NotInChain, error.Problem);
        File.CreateSymbolicLink(_files["image/0.vhd"], _files.Make("base.vhd"));
        error = await Assert.ThrowsAsync<VhdChainException>(() => VhdChainFinder.FindInDirectoryAsync(image));
        Assert.Equal(VhdChainProblem.NotUsable, error.Problem);
        Assert.Single((await VhdChainFinder.FindInDirectoryAsync(image, ChainFiles.Allowing(_files.Path))).Links);
    }

    [Fact]
    public async Task A_vhdx_is_known_by_either_linkage()
    {
        _files.Put("base.vhdx", VhdxCases.Seal(VhdxCases.WithBlock()).ToArray());
        var id = ChainFiles.IdOf(_files["base.vhdx"])!.Value;
        foreach (var key in new[] { "parent_linkage", "parent_linkage2" })
        {
            _files.Put("leaf.vhdx", VhdxCases.Seal(VhdxCases.WithParent(
                ("relative_path", @".\base.vhdx"), (key, id.ToString("B")))).ToArray());
            Assert.Equal(2, (await VhdChainFinder.FindAsync(_files["leaf.vhdx"])).Links.Count);
        }
    }

    [SkippableFact]
    public async Task Disks_of_qemu_img_are_the_base_of_a_chain()
    {
        Tool.Require("qemu-img", "qemu-utils");
        foreach (var (name, format) in new[] { ("base.vhd", "vpc"), ("base.vhdx", "vhdx") })
        {
            Tool.Run("qemu-img", "create", "-q", "-f", format, "-o", format == "vpc" ? "force_size=on" : "subformat=dynamic",
                _files[name], "20M");
            Tool.Run("qemu-io", "-f", format, "-c", "write -P 5 3M 64k", _files[name]);
            var leaf = _files.Make(
                ChainFiles.IsVhdx(name) ? "leaf.vhdx" : "leaf.vhd", 20 << 20, name,
                pieces: [(4 << 20, [.. Enumerable.Repeat((byte)9, 512)])]);
            var chain = await VhdChainFinder.FindAsync(leaf);
            Assert.Equal((2, true), (chain.Links.Count, chain.Leaf.IdMatches));
            Assert.Empty(chain.Leaf.Problems);
            var disk = ChainFiles.Read(leaf, _files.Path);
            Assert.Equal((5, 9), (disk[3 << 20], disk[4 << 20]));
        }
    }

    [SkippableFact]
    public async Task Disks_of_vhd_util_are_a_chain_and_valid()
    {
        Tool.Require("vhd-util", "blktap");
        _files.Put("raw", new byte[20 << 20]);
        Directory.CreateDirectory(_files["sub"]);
        Tool.Run("vhd-util", "create", "-n", _files["base.vhd"], "-s", 20);
        Tool.Run("vhd-util", "snapshot", "-n", _files["sub/middle.vhd"], "-p", _files["base.vhd"], "-e");
        Tool.Run("vhd-util", "fill", "-n", _files["base.vhd"]);
        Tool.Run("vhd-util", "snapshot", "-n", _files["leaf.vhd"], "-p", _files["sub/middle.vhd"], "-e");
        Tool.Run("vhd-util", "fill", "-n", _files["leaf.vhd"]);
        Tool.Run("vhd-util", "snapshot", "-n", _files["over.vhd"], "-p", _files["raw"], "-m");
        var chain = await VhdChainFinder.FindAsync(_files["leaf.vhd"]);
        Assert.Equal(
            [_files["leaf.vhd"], _files["sub/middle.vhd"], _files["base.vhd"]], chain.Links.Select(link => link.Path));
        Assert.All(chain.Links, link => Assert.NotEqual(false, link.IdMatches));
        Assert.Equal("raw", (await VhdChainFinder.FindAsync(_files["over.vhd"])).Base.Type);
        foreach (var name in new[] { "leaf.vhd", "sub/middle.vhd", "base.vhd", "over.vhd" })
        {
            Assert.Empty((await VhdImageCheck.RunAsync(_files[name], ChainFiles.Allowing(_files.Path))).Problems);
        }
    }

    private void MakeBase() => _files.Put("base.vhd", VhdCases.Seal(VhdCases.Dynamic()).ToArray());

    private Task<VhdChainException> FailAsync(string name) =>
        Assert.ThrowsAsync<VhdChainException>(() => VhdChainFinder.FindAsync(_files[name]));
}
