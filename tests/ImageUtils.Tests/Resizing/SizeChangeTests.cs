using ImageUtils.Errors;
using ImageUtils.Resizing;

namespace ImageUtils.Tests.Resizing;

public sealed class SizeChangeTests
{
    [Theory]
    [InlineData("20G", 1000, 20L << 30)]
    [InlineData("1048576", 1000, 1 << 20)]
    [InlineData("+10KiB", 1000, 1000 + 10240)]
    [InlineData(" -1k ", 2048, 1024)]
    [InlineData("+0", 2048, 2048)]
    public void A_size_is_absolute_or_a_difference(string text, long size, long expected) =>
        Assert.Equal(expected, SizeChange.Parse(text).ApplyTo(size));

    [Theory]
    [InlineData("")]
    [InlineData(null)]
    [InlineData("+")]
    [InlineData("--1")]
    [InlineData("+-1")]
    [InlineData("ten")]
    [InlineData("1.5")]
    public void What_is_no_size_is_refused(string? text) =>
        Assert.Throws<ImageOptionException>(() => SizeChange.Parse(text));

    [Theory]
    [InlineData("0")]
    [InlineData("-2048")]
    [InlineData("-1T")]
    [InlineData("+9223372036854775807")]
    public void A_size_that_no_disk_can_have_is_refused(string text) =>
        Assert.Throws<ImageOptionException>(() => SizeChange.Parse(text).ApplyTo(2048));
}
