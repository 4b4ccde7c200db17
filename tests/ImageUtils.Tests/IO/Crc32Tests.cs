using ImageUtils.IO;

namespace ImageUtils.Tests.IO;

/// <summary>Checksums of runs that follow each other.</summary>
public sealed class Crc32Tests
{
    [Fact]
    public void The_check_value_of_the_standard_comes_out() =>
        Assert.Equal(0xCBF4_3926u, Crc32.Compute("123456789"u8));

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 7)]
    [InlineData(9, 0)]
    [InlineData(1, 1)]
    [InlineData(1000, 70_001)]
    public void Checksums_of_two_runs_make_that_of_both(int first, int second)
    {
        var bytes = new byte[first + second];
        new Random(first + 31 * second).NextBytes(bytes);
        Assert.Equal(
            Crc32.Compute(bytes),
            Crc32.Combine(Crc32.Compute(bytes.AsSpan(0, first)), Crc32.Compute(bytes.AsSpan(first)), second));
    }
}
