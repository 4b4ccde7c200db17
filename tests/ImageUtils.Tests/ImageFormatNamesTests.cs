namespace ImageUtils.Tests;

public sealed class ImageFormatNamesTests
{
    [Theory]
    [InlineData("qcow2", ImageFormat.Qcow2)]
    [InlineData("QCOW2", ImageFormat.Qcow2)]
    [InlineData("vpc", ImageFormat.Vhd)]
    [InlineData("vhd", ImageFormat.Vhd)]
    [InlineData("parallels", ImageFormat.Ploop)]
    [InlineData("ploop", ImageFormat.Ploop)]
    [InlineData(" raw ", ImageFormat.Raw)]
    [InlineData("ami", ImageFormat.Ami)]
    public void Names_and_aliases_are_read(string name, ImageFormat format) =>
        Assert.Equal(format, ImageFormatNames.Parse(name));

    [Theory]
    [InlineData("vpx")]
    [InlineData("")]
    [InlineData("unknown")]
    [InlineData("3")]
    public void Others_are_refused_with_the_list(string name)
    {
        var error = Assert.Throws<FormatException>(() => ImageFormatNames.Parse(name));
        Assert.Contains("qcow2", error.Message, StringComparison.Ordinal);
        Assert.Contains("vpc", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_name_reads_back()
    {
        Assert.All(ImageFormatNames.Known, format => Assert.Equal(format, ImageFormatNames.Parse(format.ToName())));
        Assert.All(ImageFormatNames.Known, format => Assert.True(
            format.ToQemuName() is not { } name || ImageFormatNames.TryParse(name, out _)));
        Assert.All(ImageFormatNames.Known, format => Assert.True(
            format.ToGlanceName() is not { } name || ImageFormatNames.TryParse(name, out _)));
    }

    [Theory]
    [InlineData(ImageFormat.Vhd, "vpc", "vhd")]
    [InlineData(ImageFormat.Ploop, "parallels", "ploop")]
    [InlineData(ImageFormat.Iso, "raw", "iso")]
    [InlineData(ImageFormat.Gpt, "raw", "gpt")]
    [InlineData(ImageFormat.Mbr, "raw", "gpt")]
    [InlineData(ImageFormat.Qcow, "qcow", null)]
    [InlineData(ImageFormat.Gzip, null, null)]
    public void Both_worlds_names_are_known(ImageFormat format, string? qemu, string? glance)
    {
        Assert.Equal(qemu, format.ToQemuName());
        Assert.Equal(glance, format.ToGlanceName());
    }

    [Theory]
    [InlineData(ImageFormat.Ami, ImageFormat.Qcow2, true)]
    [InlineData(ImageFormat.Raw, ImageFormat.Gpt, true)]
    [InlineData(ImageFormat.Raw, ImageFormat.Mbr, true)]
    [InlineData(ImageFormat.Raw, ImageFormat.Iso, false)]
    [InlineData(ImageFormat.Raw, ImageFormat.Qcow2, false)]
    [InlineData(ImageFormat.Gpt, ImageFormat.Mbr, true)]
    [InlineData(ImageFormat.Mbr, ImageFormat.Gpt, false)]
    [InlineData(ImageFormat.Qcow2, ImageFormat.Qcow, false)]
    public void Claims_accept_what_they_may(ImageFormat claimed, ImageFormat actual, bool accepted) =>
        Assert.Equal(accepted, claimed.Accepts(actual));
}
