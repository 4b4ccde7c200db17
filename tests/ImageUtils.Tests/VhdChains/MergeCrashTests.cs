using ImageUtils.Errors;
using ImageUtils.Tests.Support;
using ImageUtils.VhdChains;

namespace ImageUtils.Tests.VhdChains;

/// <summary>
/// Merges that are cut off: by a kill, which keeps the order of writes, or by a machine that fails, which keeps what was
/// flushed and any of the sectors that were not. The leaf reads as before, and the same merge finishes the work.
/// </summary>
public sealed class MergeCrashTests
{
    private const int Rounds = 50;
    private static readonly string[] s_bases = ["dynamic", "fixed", "raw", "vhdx-dynamic", "vhdx-fixed"];

    [Fact]
    public async Task A_chain_reads_as_before_whenever_its_merge_is_cut_off()
    {
        for (var round = 0; round < Rounds; round++)
        {
            var random = new Random(round);
            var kind = s_bases[round % s_bases.Length];
            using var chain = new RandomChain(
                round + 1000, random.Next(2, 7), kind,
                random.Next(2) == 0 ? 512 << 10 : 2 << 20, megabytes: 3);
            var into = random.Next(1, chain.Paths.Count);
            var target = chain.Paths[into];
            var first = SparseMemory.Of(await File.ReadAllBytesAsync(target));
            var children = chain.Paths.Take(into).ToDictionary(path => path, File.ReadAllBytes);
            CrashSink? sink = null;
            var request = await VhdMergerTests.RequestAsync(chain) with
            {
                Into = into,
                KeepChildren = random.Next(2) == 0,
            };
            await VhdMerger.MergeAsync(request, null, inner => sink = new CrashSink(inner), default);
            var last = 0;
            foreach (var state in CrashState.Sample(first, sink!.Steps, random, perFlush: 3))
            {
                Put(chain, children, state, target);
                Assert.True(
                    chain.Read(chain.Paths[0]).AsSpan().SequenceEqual(chain.Disks[0]), $"round {round}, {state.Name}");
                if (last++ % 4 == 0)
                {
                    await VhdMerger.MergeAsync(await VhdMergerTests.RequestAsync(chain) with { Into = into });
                    Assert.True(
                        chain.Read(target).AsSpan().SequenceEqual(chain.Disks[0]), $"round {round}, {state.Name}, resumed");
                    Assert.Equal(chain.Paths.Skip(into), chain.Names().Select(name => chain[name]));
                }
            }
        }
    }

    [Fact]
    public async Task A_full_disk_leaves_the_chain_as_it_was()
    {
        using var chain = new RandomChain(77, 3, "dynamic");
        var request = await VhdMergerTests.RequestAsync(chain);
        var writes = 0;
        await VhdMerger.MergeAsync(
            request with { KeepChildren = true }, null, inner => new FullSink(inner, int.MaxValue, () => writes++), default);
        using var again = new RandomChain(77, 3, "dynamic");
        for (var fullAt = 1; fullAt < writes; fullAt += Math.Max(1, writes / 25))
        {
            request = await VhdMergerTests.RequestAsync(again);
            await Assert.ThrowsAsync<ImageWriteException>(
                () => VhdMerger.MergeAsync(request, null, inner => new FullSink(inner, fullAt), default));
            VhdMergerTests.ThrowIfOther(again.Disks[0], again.Read(again.Paths[0]));
            Assert.Equal(3, again.Names().Count);
        }

        await VhdMerger.MergeAsync(request);
        VhdMergerTests.ThrowIfOther(again.Disks[0], again.Read(again.Paths[^1]));
    }

    [Fact]
    public async Task A_cancelled_merge_leaves_the_chain_as_it_was()
    {
        using var chain = new RandomChain(78, 3, "dynamic");
        using var stop = new CancellationTokenSource();
        var request = await VhdMergerTests.RequestAsync(chain);
        var writes = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => VhdMerger.MergeAsync(
            request, null,
            inner => new FullSink(inner, int.MaxValue, () =>
            {
                if (++writes == 5)
                {
                    stop.Cancel();
                }
            }),
            stop.Token));
        VhdMergerTests.ThrowIfOther(chain.Disks[0], chain.Read(chain.Paths[0]));
        Assert.Equal(3, chain.Names().Count);
    }

    private static void Put(
        RandomChain chain, Dictionary<string, byte[]> children, CrashState state, string target)
    {
        foreach (var (path, bytes) in children)
        {
            if (!File.Exists(path))
            {
                File.WriteAllBytes(path, bytes);
            }
        }

        File.Delete(target);
        state.Save(target);
        Assert.Equal(chain.Paths.Count, chain.Names().Count);
    }
}
