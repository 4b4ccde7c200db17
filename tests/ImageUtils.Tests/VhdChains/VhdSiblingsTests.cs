using ImageUtils.Errors;
using ImageUtils.VhdChains;

namespace ImageUtils.Tests.VhdChains;

public sealed class VhdSiblingsTests : IDisposable
{
    private readonly ChainFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Theory]
    [InlineData("vhd", "other.vhd")]
    [InlineData("vhd", "other.AVHD")]
    [InlineData("vhdx", "other.avhdx")]
    public async Task Another_child_of_a_disk_that_would_change_is_seen(string extension, string other)
    {
        _files.Make($"base.{extension}");
        _files.Make($"middle.{extension}", parent: $"base.{extension}");
        var chain = await VhdChainFinder.FindAsync(
            _files.Make($"leaf.{extension}", parent: $"middle.{extension}"));
        await VhdSiblings.ThrowIfSharedAsync(chain, 2, default);
        File.Move(_files.Make($"made.{extension}", parent: $"base.{extension}"), _files[other]);
        var error = await Assert.ThrowsAsync<VhdChainException>(
            () => VhdSiblings.ThrowIfSharedAsync(chain, 2, default).AsTask());
        Assert.Equal(("VhdParentShared", chain.Base.Path), (error.ErrorId, error.Path));
        Assert.Contains(other, error.Message, StringComparison.Ordinal);
        await VhdSiblings.ThrowIfSharedAsync(chain, 1, default);
    }

    [Fact]
    public async Task A_child_of_the_leaf_is_seen_as_well()
    {
        _files.Make("base.vhd");
        var chain = await VhdChainFinder.FindAsync(_files.Make("leaf.vhd", parent: "base.vhd"));
        _files.Make("beyond.vhd", parent: "leaf.vhd");
        var error = await Assert.ThrowsAsync<VhdChainException>(
            () => VhdSiblings.ThrowIfSharedAsync(chain, 1, default).AsTask());
        Assert.Equal(chain.Leaf.Path, error.Path);
    }

    [Fact]
    public async Task Files_that_cannot_be_read_are_passed_over_and_links_to_the_chain_are_the_chain()
    {
        _files.Make("base.vhd");
        var chain = await VhdChainFinder.FindAsync(_files.Make("leaf.vhd", parent: "base.vhd"));
        _files.Put("empty.vhd", []);
        _files.Put("noise.vhdx", new byte[100]);
        File.CreateSymbolicLink(_files["nowhere.vhd"], "gone.vhd");
        File.CreateSymbolicLink(_files["round.vhd"], "round.vhd");
        File.CreateSymbolicLink(_files["again.vhd"], "leaf.vhd");
        Directory.CreateDirectory(_files["directory.vhd"]);
        _files.Make("unrelated.vhd");
        await VhdSiblings.ThrowIfSharedAsync(chain, 1, default);
    }

    [Fact]
    public async Task A_raw_parent_is_known_by_the_names_that_lead_to_it()
    {
        _files.Put("base.raw", new byte[1 << 20]);
        _files.Put("other.raw", new byte[1 << 20]);
        string MakeOver(string name, string parent) => _files.Make(
            name, change: options => options with { BackingFile = parent, BackingFormat = ImageFormat.Raw });
        var chain = await VhdChainFinder.FindAsync(MakeOver("leaf.vhd", "base.raw"));
        MakeOver("unrelated.vhd", "other.raw");
        await VhdSiblings.ThrowIfSharedAsync(chain, 1, default);
        MakeOver("sibling.vhd", "base.raw");
        var error = await Assert.ThrowsAsync<VhdChainException>(
            () => VhdSiblings.ThrowIfSharedAsync(chain, 1, default).AsTask());
        Assert.Equal(_files["base.raw"], error.Path);
    }
}
