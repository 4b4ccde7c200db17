using ImageUtils.Builders;
using ImageUtils.Errors;
using ImageUtils.VhdChains;

namespace ImageUtils.Tests.VhdChains;

public sealed class VhdImageInfoTests : IDisposable
{
    private readonly ChainFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Fact]
    public async Task A_dynamic_vhd_is_described()
    {
        var data = new byte[512];
        data.AsSpan().Fill(1);
        var id = new Guid("0a0b0c0d-1111-2222-3333-444455556666");
        var path = _files.Make(
            "a.vhd", 20 << 20, change: options => options with { UniqueId = id },
            pieces: [(0, data), (4 << 20, data), (2 << 20, data)]);
        var info = await VhdImageInfo.ReadAsync(path);
        Assert.Equal((path, ImageFormat.Vhd, VhdType.Dynamic), (info.Path, info.VhdFormat, info.VhdType));
        Assert.Equal((20L << 20, 2L << 20, 512, 512), (
            info.Size, info.BlockSize, info.LogicalSectorSize, info.PhysicalSectorSize));
        Assert.Equal(
            (new FileInfo(path).Length, 3L, 0),
            (info.FileSize, info.AllocatedBlocks, info.FragmentationPercentage));
        Assert.Equal(("0A0B0C0D-1111-2222-3333-444455556666", id), (info.DiskIdentifier, info.UniqueId));
        Assert.Null(info.ParentPath);
    }

    [Fact]
    public async Task A_differencing_vhdx_names_its_parent_wherever_it_was_found()
    {
        var parent = _files.Make("base.vhdx");
        var path = _files.Make("leaf.vhdx", parent: "base.vhdx");
        var info = await VhdImageInfo.ReadAsync(path);
        Assert.Equal(
            (VhdType.Differencing, parent, ChainFiles.IdOf(parent)),
            (info.VhdType, info.ParentPath, info.ParentId));
        Assert.NotEqual(info.UniqueId.ToString("D").ToUpperInvariant(), info.DiskIdentifier);
        File.Delete(parent);
        Assert.Equal(@".\base.vhdx", (await VhdImageInfo.ReadAsync(path)).ParentPath);
    }

    [Fact]
    public async Task A_fixed_disk_has_no_fragments()
    {
        var info = await VhdImageInfo.ReadAsync(
            _files.Make("a.vhd", change: options => options with { Subformat = "fixed" }));
        Assert.Equal((VhdType.Fixed, 0L, null, null), (
            info.VhdType, info.BlockSize, info.FragmentationPercentage, info.AllocatedBlocks));
        Assert.Equal(1, info.Alignment);
        info = await VhdImageInfo.ReadAsync(
            _files.Make("a.vhdx", change: options => options with { Subformat = "fixed" }));
        Assert.Equal((VhdType.Fixed, null, 1), (info.VhdType, info.FragmentationPercentage, info.Alignment));
    }

    [Fact]
    public async Task Blocks_out_of_order_are_fragments_and_odd_places_are_not_aligned()
    {
        // Four blocks of 64 KiB with their bitmaps, at sectors 4, 133, 262 and 391.
        var image = VhdCases.WithBlock().Resize(2048 + 4 * (512 + 65536) + 512);
        foreach (var (entry, place) in new[] { (0, 4u), (1, 262u), (2, 391u), (3, 133u) })
        {
            image.Big32(1536 + entry * 4, place);
        }

        var info = await VhdImageInfo.ReadAsync(_files.Put("a.vhd", VhdCases.Seal(image).ToArray()));
        Assert.Equal((4L, 67, 0), (info.AllocatedBlocks, info.FragmentationPercentage, info.Alignment));
    }

    [Fact]
    public async Task What_is_damaged_or_no_vhd_is_not_described()
    {
        _files.Make("a.vhd");
        _files.Patch("a.vhd", 512 + 30, 0xEE);
        await Assert.ThrowsAsync<VhdChainException>(() => VhdImageInfo.ReadAsync(_files["a.vhd"]));
        var error = await Assert.ThrowsAsync<VhdChainException>(
            () => VhdImageInfo.ReadAsync(_files.Put("a.raw", new byte[512])));
        Assert.Equal("VhdNotUsable", error.ErrorId);
    }
}
