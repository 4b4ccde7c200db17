using ImageUtils.Builders;
using ImageUtils.Formats.Wrappers;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats;

public sealed class WrapperTests
{
    [Theory]
    [InlineData("gzip/named", "disk.raw")]
    [InlineData("gzip/valid", null)]
    [InlineData("gzip/extra-field-overruns", null)]
    [InlineData("gzip/name-without-end", null)]
    [InlineData("zip/valid", "disk.vmdk")]
    [InlineData("zip/empty", null)]
    [InlineData("zip/name-overruns", null)]
    [InlineData("lha/level-1", "disk.img")]
    [InlineData("lha/level-2", null)]
    public void The_name_of_what_is_inside_is_found_where_the_header_has_it(string name, string? expected)
    {
        var image = Inspected.Bytes(Corpus.All.Single(image => image.Name == name).Bytes());
        Assert.Equal(new WrapperDetails(expected), image.Details);
        Assert.Null(image.VirtualSize);
        Assert.Contains(
            "unpacked", image.Checks.Single(check => check.Name == CheckNames.Null).Message, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("gzip", "gzip", "disk.gz", "gzip", "disk")]
    [InlineData("xz", "xz-utils", "disk.xz", "xz", "disk")]
    [InlineData("bzip2", "bzip2", "disk.bz2", "bzip2", "disk")]
    [InlineData("zstd", "zstd", "disk.zst", "zstd", "-q", "disk")]
    [InlineData("zip", "zip", "disk.zip", "zip", "-q", "disk.zip", "disk")]
    public void What_the_real_tools_make_is_recognised(
        string format, string package, string output, string tool, params string[] arguments)
    {
        Tool.Require(tool, package);
        using var directory = new TemporaryDirectory();
        File.WriteAllBytes(directory["disk"], new byte[100_000]);
        Tool.Run("sh", "-c", $"cd '{directory.Path}' && {tool} {string.Join(' ', arguments)}");
        var image = Inspected.Bytes(File.ReadAllBytes(directory[output]));
        Assert.Equal(format, image.Format.ToName());
        Assert.True(image.IsSafe);
    }

    [SkippableTheory]
    [InlineData("lha/level-0", true)]
    [InlineData("lha/level-1", true)]
    [InlineData("lha/level-2", true)]
    [InlineData("lha/level-3", true)]
    [InlineData("raw/lha-checksum", false)]
    public void An_archive_is_one_to_lhasa_too(string name, bool isArchive)
    {
        Tool.Require("lha", "lhasa");
        using var file = new TemporaryFile(Corpus.All.Single(image => image.Name == name).Bytes());
        string list;
        try
        {
            list = Tool.Run("lha", "l", file.Path);
        }
        catch (InvalidOperationException)
        {
            list = "";
        }

        Assert.Equal(isArchive, list.Contains("disk.img", StringComparison.Ordinal));
    }
}
