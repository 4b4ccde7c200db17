using ImageUtils.Builders;
using ImageUtils.Formats.Iso;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats;

public sealed class IsoTests
{
    [Fact]
    public void A_disc_is_described()
    {
        var image = Inspected.Bytes(IsoCases.Iso().Resize(100_000).ToArray());
        Assert.Equal(100_000, image.VirtualSize);
        Assert.Equal("iso9660", image.Subformat);
        Assert.Equal(
            new IsoDetails
            {
                VolumeSize = 24 * 2048,
                BlockSize = 2048,
                VolumeId = "Test volume",
                SystemId = "LINUX",
                PublisherId = "Nobody",
                ApplicationId = "By hand",
            },
            image.Details);
    }

    [Fact]
    public void A_disc_with_a_partition_table_is_a_disc()
    {
        var image = Inspected.Bytes(Corpus.All.Single(image => image.Name == "iso/with-mbr").Bytes());
        Assert.Equal(ImageFormat.Iso, image.Format);
        Assert.Equal([ImageFormat.Iso, ImageFormat.Mbr], image.MatchedFormats);
        Assert.True(image.IsSafe);
    }

    [SkippableTheory]
    [InlineData("iso9660", false, false)]
    [InlineData("iso9660", true, false, "-J", "-R")]
    [InlineData("iso9660+udf", false, false, "-udf")]
    [InlineData("iso9660+udf", true, true, "-udf", "-J", "-b", "boot.img", "-c", "boot.cat", "-no-emul-boot")]
    [InlineData("iso9660", false, false, "-iso-level", "4")]
    [InlineData("iso9660", false, false, "-no-pad")]
    public void What_genisoimage_makes_is_safe(string subformat, bool joliet, bool bootable, params string[] arguments)
    {
        Tool.Require("genisoimage", "genisoimage");
        using var directory = new TemporaryDirectory();
        Directory.CreateDirectory(directory["content"]);
        File.WriteAllBytes(Path.Combine(directory["content"], "boot.img"), new byte[5000]);
        Tool.Run(
            "genisoimage",
            ["-quiet", "-V", "My volume", "-A", "My app", .. arguments, "-o", directory["disc"], directory["content"]]);
        var image = Inspected.Bytes(File.ReadAllBytes(directory["disc"]));
        Assert.Equal(ImageFormat.Iso, image.Format);
        Assert.True(image.IsSafe, string.Join("\n", image.Checks));
        Assert.Equal(subformat, image.Subformat);
        Assert.Equal(image.FileSize, image.VirtualSize);
        var details = Assert.IsType<IsoDetails>(image.Details);
        Assert.Equal(
            ("My volume", "My app", "LINUX", joliet, bootable, subformat != "iso9660"),
            (details.VolumeId, details.ApplicationId, details.SystemId,
                details.IsJoliet, details.IsBootable, details.IsUdf));
        Assert.InRange(details.VolumeSize!.Value, image.FileSize - 400_000, image.FileSize);
    }
}
