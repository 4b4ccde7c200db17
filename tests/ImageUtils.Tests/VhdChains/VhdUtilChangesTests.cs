using System.Security.Cryptography;
using ImageUtils.Conversion;
using ImageUtils.Inspection;
using ImageUtils.Resizing;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;
using ImageUtils.VhdChains;

namespace ImageUtils.Tests.VhdChains;

/// <summary>Chains of vhd-util's that are changed here are still chains to vhd-util, and read as they should.</summary>
public sealed class VhdUtilChangesTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public static IEnumerable<object[]> Disks =>
        VhdUtilRecordings.All.Where(disk => disk.Archive != "exported")
            .Select(disk => new object[] { disk.Archive, disk.Name });

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [MemberData(nameof(Disks))]
    public async Task A_disk_that_got_larger_has_its_data_and_zeros(string archive, string name)
    {
        VhdUtil.Require();
        var disk = Unpack(archive, name);
        foreach (var size in new[] { disk.Size + (5 << 20), 3L << 30 })
        {
            await VhdResizer.ResizeAsync(
                new ImageResizeRequest { Path = _directory[name], Size = SizeChange.To(size) });
            VhdUtil.Check(_directory[name], "-p");
            Assert.Equal((size >> 20).ToString(), VhdUtil.Query(_directory[name], "-v"));

            // Behind a raw parent's end it reads nothing, and fails.
            var read = VhdUtil.Read(_directory[name], disk.Size + (archive == "raw-parent" ? 0 : 1 << 20));
            Assert.Equal(disk.Sha256, Sha256(read[..(int)disk.Size]));
            Assert.False(read.AsSpan((int)disk.Size).ContainsAnyExcept((byte)0));
        }

        AssertReads(disk, name, 3L << 30);
    }

    [SkippableFact]
    public async Task Disks_that_got_the_names_of_their_parents_are_a_chain()
    {
        VhdUtil.Require();
        var disk = Unpack("exported", "0.vhd");
        for (var index = 1; index >= 0; index--)
        {
            await VhdParentChanger.SetAsync(new VhdParentRequest
            {
                Path = _directory[$"{index}.vhd"],
                ParentPath = _directory[$"{index + 1}.vhd"],
            });
            VhdUtil.Check(_directory[$"{index}.vhd"], "-p");
            Assert.Equal(_directory[$"{index + 1}.vhd"], VhdUtil.Query(_directory[$"{index}.vhd"], "-p"));
        }

        Assert.Equal("chain depth: 3", VhdUtil.Query(_directory["0.vhd"], "-d"));
        Assert.Equal(disk.Sha256, Sha256(VhdUtil.Read(_directory["0.vhd"], disk.Size)));
        AssertReads(disk, "0.vhd", disk.Size);
    }

    [SkippableTheory]
    [InlineData("snapshots")]
    [InlineData("resized")]
    [InlineData("preallocated")]
    public async Task A_base_into_which_all_was_merged_reads_as_the_leaf_did(string archive)
    {
        VhdUtil.Require();
        var disk = Unpack(archive, "0.vhd");
        var result = await VhdMerger.MergeAsync(new VhdMergeRequest
        {
            Chain = await VhdChainFinder.FindAsync(_directory["0.vhd"], Options()),
            Source = Options(),
            Verify = true,
        });
        Assert.Equal(_directory[$"{disk.Depth - 1}.vhd"], result.Path);
        VhdUtil.Check(result.Path);
        Assert.Equal("chain depth: 1", VhdUtil.Query(result.Path, "-d"));
        Assert.Equal(disk.Sha256, Sha256(VhdUtil.Read(result.Path, disk.Size)));
        AssertReads(disk, Path.GetFileName(result.Path), disk.Size);
        Assert.Single(_directory.Names());
    }

    [SkippableFact]
    public async Task A_disk_in_between_takes_its_children_and_stays_over_its_parent()
    {
        VhdUtil.Require();
        var disk = Unpack("snapshots", "0.vhd");
        await VhdMerger.MergeAsync(new VhdMergeRequest
        {
            Chain = await VhdChainFinder.FindAsync(_directory["0.vhd"], Options()),
            Source = Options(),
            Into = 1,
        });
        VhdUtil.Check(_directory["1.vhd"], "-p", "-b");
        Assert.Equal("chain depth: 2", VhdUtil.Query(_directory["1.vhd"], "-d"));
        Assert.Equal(disk.Sha256, Sha256(VhdUtil.Read(_directory["1.vhd"], disk.Size)));

        // What is left vhd-util merges itself.
        Tool.Run("vhd-util", "coalesce", "-n", _directory["1.vhd"]);
        AssertReads(disk, "2.vhd", disk.Size);
    }

    [SkippableTheory]
    [InlineData(0)]
    [InlineData(-512)]
    public async Task A_damaged_footer_is_restored_as_vhd_util_accepts_it(int offset)
    {
        VhdUtil.Require();
        var disk = Unpack("snapshots", "0.vhd");
        using (var file = new FileStream(_directory["0.vhd"], FileMode.Open))
        {
            file.Seek(offset, offset < 0 ? SeekOrigin.End : SeekOrigin.Begin);
            file.Write(new byte[512]);
        }

        await VhdRepair.RunAsync(new VhdRepairRequest
        {
            Paths = [_directory["0.vhd"], _directory["1.vhd"], _directory["2.vhd"]],
        });
        VhdUtil.Check(_directory["0.vhd"], "-p");
        Assert.Equal(disk.Sha256, Sha256(VhdUtil.Read(_directory["0.vhd"], disk.Size)));
    }

    private static string Sha256(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private RecordedDisk Unpack(string archive, string name)
    {
        VhdUtilRecordings.Unpack(archive, _directory.Path);
        return VhdUtilRecordings.All.Single(disk => disk.Archive == archive && disk.Name == name);
    }

    private OpenOptions Options() => new()
    {
        Inspection = new InspectionOptions
        {
            Policy = SafetyPolicy.Default with { BackingFileDirectories = [_directory.Path] },
        },
    };

    private void AssertReads(RecordedDisk disk, string name, long size)
    {
        using var image = ImageOpener.OpenAsync(_directory[name], Options()).AsTask().GetAwaiter().GetResult();
        Assert.Equal(size, image.Map.VirtualSize);
        Assert.Equal(disk.Sha256, Sha256(NativeImage.Read(image.Map, 0, disk.Size)));
    }
}
