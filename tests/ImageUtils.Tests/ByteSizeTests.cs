namespace ImageUtils.Tests;

public sealed class ByteSizeTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("512", 512)]
    [InlineData(" 512B ", 512)]
    [InlineData("1k", 1024)]
    [InlineData("1KB", 1024)]
    [InlineData("1 KiB", 1024)]
    [InlineData("1.5G", 3L << 29)]
    [InlineData("7E", 7L << 60)]
    [InlineData("9223372036854775807", long.MaxValue)]
    public void A_size_is_read(string text, long bytes)
    {
        Assert.True(ByteSize.TryParse(text, out var read));
        Assert.Equal(bytes, read);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("B")]
    [InlineData("K")]
    [InlineData("5iB")]
    [InlineData("5KK")]
    [InlineData("-1")]
    [InlineData("0.1K")]
    [InlineData("8E")]
    [InlineData("9223372036854775808")]
    [InlineData("1e3")]
    [InlineData("1,000")]
    public void What_is_no_size_is_refused(string? text) => Assert.False(ByteSize.TryParse(text, out _));
}
