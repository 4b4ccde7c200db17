using ImageUtils.Errors;
using ImageUtils.VhdChains;

namespace ImageUtils.Tests.VhdChains;

/// <summary>Chains of random content, merged in place: the lower disk then reads as the leaf did.</summary>
public sealed class VhdMergerTests
{
    public static TheoryData<string, int, int> Chains
    {
        get
        {
            var data = new TheoryData<string, int, int>();
            foreach (var kind in new[] { "dynamic", "fixed", "raw", "vhdx-dynamic", "vhdx-fixed" })
            {
                for (var depth = 2; depth <= 6; depth++)
                {
                    data.Add(kind, depth, depth % 2 == 0 ? 512 << 10 : 2 << 20);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Chains))]
    public async Task The_base_reads_as_the_leaf_did_and_the_children_are_gone(string kind, int depth, int blockSize)
    {
        for (var seed = 1; seed <= 3; seed++)
        {
            using var chain = new RandomChain(seed * 100 + depth, depth, kind, blockSize);
            Assert.Equal(chain.Disks[0], chain.Read(chain.Paths[0]));
            var result = await VhdMerger.MergeAsync(await RequestAsync(chain) with { Verify = true });
            Assert.Equal(chain.Paths[^1], result.Path);
            Assert.True(result.Verified);
            Assert.Equal(chain.Paths.SkipLast(1), result.Merged);
            Assert.Equal([Path.GetFileName(chain.Paths[^1])], chain.Names());
            Assert.Equal(chain.Disks[0].Length, result.VirtualSize);
            ThrowIfOther(chain.Disks[0], chain.Read(chain.Paths[^1]));
        }
    }

    [Theory]
    [MemberData(nameof(Chains))]
    public async Task Children_that_are_kept_read_as_before(string kind, int depth, int blockSize)
    {
        using var chain = new RandomChain(depth, depth, kind, blockSize);
        var result = await VhdMerger.MergeAsync(await RequestAsync(chain) with { KeepChildren = true });
        Assert.True(result.ChildrenKept);
        ThrowIfOther(chain.Disks[0], chain.Read(chain.Paths[0]));
        ThrowIfOther(chain.Disks[0], chain.Read(chain.Paths[^1]));
    }

    [Theory]
    [InlineData("dynamic")]
    [InlineData("vhdx-dynamic")]
    [InlineData("vhdx-fixed")]
    public async Task A_disk_in_the_middle_can_be_merged_into(string kind)
    {
        for (var into = 1; into < 4; into++)
        {
            using var chain = new RandomChain(into, 5, kind);
            await VhdMerger.MergeAsync(await RequestAsync(chain) with { Into = into, Verify = true });
            Assert.Equal(
                chain.Paths.Skip(into).Select(Path.GetFileName).Order(), chain.Names());
            ThrowIfOther(chain.Disks[0], chain.Read(chain.Paths[into]));
            ThrowIfOther(chain.Disks[into + 1], chain.Read(chain.Paths[into + 1]));
            Assert.True((await VhdImageCheck.RunAsync(chain.Paths[into], chain.Options)).IsValid);
        }
    }

    [Fact]
    public async Task A_vhdx_that_was_left_out_does_not_take_the_merged_one_for_its_parent()
    {
        using var chain = new RandomChain(5, 2, "vhdx-dynamic");
        File.Copy(chain.Paths[0], chain["other.vhdx"]);
        await VhdMerger.MergeAsync(await RequestAsync(chain) with { Force = true });
        var found = await VhdChainFinder.FindAsync(chain["other.vhdx"], chain.Options, default);
        Assert.False(found.Leaf.IdMatches);
    }

    [Fact]
    public async Task Merging_twice_what_was_kept_changes_nothing()
    {
        using var chain = new RandomChain(9, 4, "dynamic");
        var request = await RequestAsync(chain) with { KeepChildren = true };
        await VhdMerger.MergeAsync(request);
        var once = await File.ReadAllBytesAsync(chain.Paths[^1]);
        await VhdMerger.MergeAsync(request);
        Assert.Equal(once, await File.ReadAllBytesAsync(chain.Paths[^1]));
    }

    [Fact]
    public async Task A_disk_without_a_parent_has_nothing_to_be_merged_into()
    {
        using var chain = new RandomChain(3, 1, "dynamic");
        var request = await RequestAsync(chain);
        var error = await Assert.ThrowsAsync<VhdChainException>(() => VhdMerger.MergeAsync(request));
        Assert.Equal(VhdChainProblem.NotInChain, error.Problem);
    }

    [Fact]
    public async Task A_missing_parent_stops_it_and_nothing_is_changed()
    {
        using var chain = new RandomChain(4, 3, "dynamic");
        var whole = await RequestAsync(chain);
        File.Move(chain.Paths[1], chain["away"]);
        var request = whole with { Chain = await VhdChainFinder.FindAsync(chain.Paths[0], chain.Options, default) };
        var before = await File.ReadAllBytesAsync(chain.Paths[0]);
        var error = await Assert.ThrowsAsync<VhdChainException>(
            () => VhdMerger.MergeAsync(request with { Into = 1 }));
        Assert.True(error.Problem is VhdChainProblem.ParentMissing or VhdChainProblem.NotInChain);
        Assert.Equal(before, await File.ReadAllBytesAsync(chain.Paths[0]));
    }

    [Fact]
    public async Task A_base_with_another_child_is_left_alone_unless_forced()
    {
        using var chain = new RandomChain(5, 2, "dynamic");
        File.Copy(chain.Paths[0], chain["other.vhd"]);
        var request = await RequestAsync(chain);
        var error = await Assert.ThrowsAsync<VhdChainException>(() => VhdMerger.MergeAsync(request));
        Assert.Equal(VhdChainProblem.ParentShared, error.Problem);
        Assert.Contains("other.vhd", error.Message, StringComparison.Ordinal);
        ThrowIfOther(chain.Disks[1], chain.Read(chain.Paths[1]));
        await VhdMerger.MergeAsync(request with { Force = true });
        ThrowIfOther(chain.Disks[0], chain.Read(chain.Paths[1]));
    }

    [Fact]
    public async Task Children_that_were_to_be_removed_when_it_was_interrupted_are_removed_the_next_time()
    {
        using var chain = new RandomChain(6, 4, "dynamic");
        var links = (await RequestAsync(chain)).Chain.Links;
        var merged = links.Take(3).Select(link => (link.Path, link.UniqueId!.Value)).ToList();
        await VhdMerger.MergeAsync(await RequestAsync(chain) with { KeepChildren = true });
        await MergeJournal.StoreAsync(chain.Paths[0], chain.Paths[^1], merged);

        // As long as the leaf is there it may have been written to since.
        Assert.Null(await VhdMerger.TryFinishAsync(chain.Paths[0]));
        File.Delete(chain.Paths[0]);
        Assert.Equal(chain.Paths[^1], await VhdMerger.TryFinishAsync(chain.Paths[0]));
        Assert.Equal(["3.vhd"], chain.Names());
        ThrowIfOther(chain.Disks[0], chain.Read(chain.Paths[^1]));
    }

    [Fact]
    public async Task A_disk_that_has_taken_a_merged_one_s_name_is_not_removed()
    {
        using var chain = new RandomChain(7, 3, "dynamic");
        using var other = new RandomChain(8, 1, "dynamic");
        var links = (await RequestAsync(chain)).Chain.Links;
        await MergeJournal.StoreAsync(
            chain.Paths[0], chain.Paths[^1], [.. links.Take(2).Select(link => (link.Path, link.UniqueId!.Value))]);
        File.Delete(chain.Paths[0]);
        File.Copy(other.Paths[0], chain.Paths[1], overwrite: true);
        await VhdMerger.TryFinishAsync(chain.Paths[0]);
        Assert.Equal(["1.vhd", "2.vhd"], chain.Names());
    }

    internal static async Task<VhdMergeRequest> RequestAsync(RandomChain chain) => new()
    {
        Chain = await VhdChainFinder.FindAsync(chain.Paths[0], chain.Options, default),
        Source = chain.Options,
    };

    /// <summary>A parent that was larger than its children stays so as long as they are kept.</summary>
    internal static void ThrowIfOther(byte[] expected, byte[] found)
    {
        var common = expected.AsSpan().CommonPrefixLength(found);
        Assert.True(common == expected.Length, $"differs at byte {common}");
    }
}
