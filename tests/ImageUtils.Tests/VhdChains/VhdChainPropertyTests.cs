using FsCheck;
using FsCheck.Fluent;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Mapping;
using ImageUtils.VhdChains;

namespace ImageUtils.Tests.VhdChains;

/// <summary>What holds for every chain, wherever its disks lie and however they were broken.</summary>
public sealed class VhdChainPropertyTests
{
    private const int Size = 5 << 20;

    private static readonly Config s_config = Config.QuickThrowOnFailure.WithMaxTest(15);

    [Fact]
    public void A_chain_is_found_as_it_was_made_or_up_to_where_it_breaks() =>
        Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed => FindAsync(seed).GetAwaiter().GetResult())
            .Check(s_config);

    [Fact]
    public void A_chain_is_compared_mapped_and_checked_as_the_disk_that_it_is() =>
        Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed => ReadAsync(seed).GetAwaiter().GetResult())
            .Check(s_config);

    private static async Task FindAsync(int seed)
    {
        using var files = new ChainFiles();
        var random = new Random(seed);
        var names = MakeChain(files, random, out _);
        var allowed = ChainFiles.Allowing(files.Path);
        var chain = await VhdChainFinder.FindAsync(files[names[^1]], allowed);
        Assert.Equal(Enumerable.Reverse(names).Select(name => files[name]), chain.Links.Select(link => link.Path));
        Assert.All(chain.Links.SkipLast(1), link => Assert.Equal((true, true), (link.ParentFound, link.IdMatches)));
        Assert.All(chain.Links, link => Assert.Empty(link.Problems));
        await VhdSiblings.ThrowIfSharedAsync(chain, chain.Links.Count - 1, default);
        if (names.Count == 1)
        {
            return;
        }

        // Another child, beside any of the disks, of any that has one.
        var shared = random.Next(names.Count - 1);
        var beside = Path.GetDirectoryName(names[random.Next(names.Count)])!;
        var other = files.Make(Path.Join(beside, $"other{Path.GetExtension(names[0])}"), Size, names[shared]);
        var index = names.Count - 1 - shared;
        var error = await Assert.ThrowsAsync<VhdChainException>(
            () => VhdSiblings.ThrowIfSharedAsync(chain, index, default).AsTask());
        Assert.Equal((VhdChainProblem.ParentShared, files[names[shared]]), (error.Problem, error.Path));
        await VhdSiblings.ThrowIfSharedAsync(chain, index - 1, default);
        File.Delete(other);

        var broken = random.Next(names.Count - 1);
        if (random.Next(2) == 0)
        {
            File.Delete(files[names[broken]]);
        }
        else
        {
            files.Make(names[broken], Size);
        }

        var rest = await VhdChainFinder.FindAsync(files[names[^1]], allowed);
        Assert.Equal(names.Count - 1 - broken, rest.Links.Count);
        var isThere = File.Exists(files[names[broken]]);
        Assert.Equal((isThere, isThere ? false : null), (rest.Base.ParentFound!.Value, rest.Base.IdMatches));
        Assert.NotEmpty(rest.Base.Problems);
    }

    private static async Task ReadAsync(int seed)
    {
        using var files = new ChainFiles();
        var names = MakeChain(files, new Random(seed), out var disk);
        var leaf = files[names[^1]];
        var raw = files.Put("disk.raw", disk);
        var allowed = ChainFiles.Allowing(files.Path);
        var comparison = await DiskComparer.CompareAsync(new DiskComparisonRequest
        {
            Path = leaf,
            ReferencePath = raw,
            Image = allowed,
        });
        Assert.True(comparison.IsIdentical, $"differs at {comparison.FirstDifference}");

        using var image = await ImageOpener.OpenAsync(leaf, allowed);
        Assert.Equal(names.Count - 1, image.Depth);
        var at = 0L;
        await foreach (var extent in DiskImageMap.WalkAsync(image, 0, null, default))
        {
            Assert.Equal(at, extent.Start);
            at = extent.End;
            if (extent.IsAllocated)
            {
                Assert.Equal(files[names[names.Count - 1 - extent.Depth!.Value]], extent.File);
            }
        }

        Assert.Equal(Size, at);
        foreach (var name in names)
        {
            var report = await VhdImageCheck.RunAsync(files[name], allowed);
            Assert.True(report.IsValid, string.Join(" ", report.Problems));
            Assert.Empty(report.Warnings);
        }
    }

    // From the base to the leaf.
    private static List<string> MakeChain(ChainFiles files, Random random, out byte[] disk)
    {
        var extension = random.Next(2) == 0 ? ".vhd" : ".vhdx";
        disk = new byte[Size];
        var names = new List<string>();
        for (var depth = random.Next(1, 7); depth > 0; depth--)
        {
            var name = Path.Join(random.Next(3) switch { 0 => "", 1 => "a", _ => "a/b" }, $"disk {names.Count}{extension}");
            var pieces = MakePieces(random);
            var parent = names.Count == 0 ? null : names[^1];
            var isAbsolute = random.Next(4) == 0;
            files.Make(
                name, Size, parent, isAbsolute && parent is not null ? files[parent] : null,
                options => options with { ClusterSize = 1 << random.Next(20, 23) }, pieces);
            foreach (var (offset, data) in pieces)
            {
                data.CopyTo(disk, offset);
            }

            names.Add(name);
        }

        return names;
    }

    // Whole sectors, which do not touch each other.
    private static (long Offset, byte[] Data)[] MakePieces(Random random)
    {
        var pieces = new List<(long, byte[])>();
        for (var at = random.Next(4000) * 512; at < Size; at += random.Next(1, 4000) * 512)
        {
            var data = new byte[Math.Min(random.Next(1, 600) * 512, Size - at)];
            random.NextBytes(data);
            pieces.Add((at, data));
            at += data.Length;
        }

        return [.. pieces];
    }
}
