using System.Text.Json;
using System.Xml.Linq;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Cli;

/// <summary><c>imageutils compare</c>, <c>map</c> and <c>measure</c>.</summary>
public sealed class LookCommandsTests : IDisposable
{
    private static readonly string s_data = Path.Combine(Repository.Root, "tests", "data");

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Compare_ends_as_qemu_img_compare_does()
    {
        var empty = Path.Combine(s_data, "disk.qcow2");
        var (code, output, _) = ConsoleFront.Run("compare", "-f", "qcow2", empty, Path.Combine(s_data, "disk-zstd.qcow2"));
        Assert.Equal((0, "Images are identical.\n"), (code, output));

        var raw = _directory["a.raw"];
        var disk = new byte[1 << 20];
        disk[4097] = 1;
        File.WriteAllBytes(raw, disk);
        Assert.Equal((1, "Content mismatch at offset 4097!\n"), Short(ConsoleFront.Run("compare", "-F", "raw", empty, raw)));
        Assert.Equal((1, ""), Short(ConsoleFront.Run("compare", "-q", empty, raw)));
        Assert.Equal(2, ConsoleFront.Run("compare", empty, "/nowhere/x").Code);
        Assert.Equal(2, ConsoleFront.Run("compare", "-f", "vmdk", empty, raw).Code);
        Assert.Equal(2, ConsoleFront.Run("compare", empty).Code);
    }

    [Fact]
    public void Compare_takes_sizes_for_a_difference_only_when_it_is_strict()
    {
        var small = Path.Combine(s_data, "disk.raw");
        var large = Path.Combine(s_data, "disk.qcow2");
        var (code, output, error) = ConsoleFront.Run("compare", small, large);
        Assert.Equal((0, "Images are identical.\n"), (code, output));
        Assert.Contains("Image size mismatch", error, StringComparison.Ordinal);
        var strict = ConsoleFront.Run("compare", "-s", small, large);
        Assert.Equal(1, strict.Code);
        Assert.Contains("Strict mode: Image size mismatch!", strict.Output, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void Map_has_qemu_img_s_json()
    {
        Tool.Require("qemu-img", "qemu-utils");
        var path = _directory["a.qcow2"];
        Tool.Run("qemu-img", "create", "-q", "-f", "qcow2", path, "8M");
        Tool.Run("qemu-io", "-f", "qcow2", "-c", "write -P 1 1M 128k", "-c", "write -z 4M 64k", path);
        var theirs = JsonDocument.Parse(Tool.Run("qemu-img", "map", "--output=json", "-f", "qcow2", path)).RootElement;
        var (code, output, _) = ConsoleFront.Run("map", "--json", path);
        Assert.Equal(0, code);
        var ours = JsonDocument.Parse(output).RootElement;
        Assert.Equal(theirs.GetArrayLength(), ours.GetArrayLength());
        foreach (var (their, our) in theirs.EnumerateArray().Zip(ours.EnumerateArray()))
        {
            foreach (var property in their.EnumerateObject())
            {
                Assert.Equal(property.Value.GetRawText(), our.GetProperty(property.Name).GetRawText());
            }
        }

        var list = ConsoleFront.Run("map", path).Output.Split('\n');
        Assert.Matches(@"^Offset +Length +Mapped to +File$", list[0]);
        Assert.Matches($@"^0x100000 +0x20000 +0x[0-9a-f]+ +{path}$", list[1]);
    }

    [Fact]
    public void Map_draws_and_adds_up()
    {
        var raw = _directory["a.raw"];
        File.WriteAllBytes(raw, [.. Enumerable.Repeat((byte)1, 1 << 20)]);
        var svg = _directory["a.svg"];
        var (code, output, error) = ConsoleFront.Run("map", "--summary", "--picture", "--svg", svg, "-l", "512K", raw);
        Assert.Equal("", error);
        Assert.Equal(0, code);
        Assert.Matches(@"(?m)^range: +512 KiB \(524288 bytes\) from byte 0 on$", output);
        Assert.Matches(@"(?m)^allocated: +512 KiB \(524288 bytes\), 100 %$", output);
        Assert.Contains(new string('█', 64), output, StringComparison.Ordinal);
        XDocument.Load(svg);
        Assert.Equal(2, ConsoleFront.Run("map", "--svg", svg, raw).Code);
        Assert.Equal(0, ConsoleFront.Run("map", "--svg", svg, "--force", raw).Code);
        Assert.Equal(2, ConsoleFront.Run("map", "-s", "2M", raw).Code);
        Assert.Equal(2, ConsoleFront.Run("map", "-s", "much", raw).Code);
    }

    [Fact]
    public void Measure_prints_what_qemu_img_measure_prints()
    {
        var image = Path.Combine(s_data, "disk.qcow2");
        Assert.Equal(
            (0, "required size: 1048576\nfully allocated size: 1048576\n"),
            Short(ConsoleFront.Run("measure", "-O", "raw", image)));
        var json = JsonDocument.Parse(
            ConsoleFront.Run("measure", "--json", "-O", "vhd", "-o", "subformat=fixed", "--size", "1M").Output).RootElement;
        Assert.Equal((1 << 20) + 512, json.GetProperty("required").GetInt64());
        Assert.Equal((1 << 20) + 512, json.GetProperty("fully-allocated").GetInt64());
        Assert.Equal(2, ConsoleFront.Run("measure", "-O", "raw").Code);
        Assert.Equal(2, ConsoleFront.Run("measure", "-O", "raw", "--size", "1M", image).Code);
        Assert.Equal(2, ConsoleFront.Run("measure", "-O", "qed", image).Code);
    }

    private static (int, string) Short((int Code, string Output, string Error) result) => (result.Code, result.Output);
}
