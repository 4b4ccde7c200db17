using ImageUtils.Builders;
using ImageUtils.Tests.Conversion;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Cli;

/// <summary>The console front as it is published, a native program: it says and does what the one run by .NET does.</summary>
public sealed class NativeFrontTests : IClassFixture<NativeFrontTests.Published>, IDisposable
{
    private readonly Published _published;
    private readonly TemporaryDirectory _directory = new();

    public NativeFrontTests(Published published)
    {
        _published = published;
        File.WriteAllBytes(_directory["a.raw"], SampleDisk.Make());
    }

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [InlineData("test")]
    [InlineData("info")]
    [InlineData("checks")]
    public void Every_image_of_the_corpus_is_told_of_alike(string command)
    {
        var files = new List<string>();
        foreach (var image in Corpus.All)
        {
            files.Add(_directory[$"{files.Count}.img"]);
            File.WriteAllBytes(files[^1], image.Bytes());
        }

        var json = Both([command, "--json", .. files]);
        Assert.True(json.Output.Count(one => one == '\n') >= files.Count);
        Both([command, .. files.Take(40)]);
    }

    [SkippableFact]
    public void Help_and_mistakes_are_alike()
    {
        Assert.Equal(0, Both(["--help"]).Code);
        Assert.Equal(0, Both(["convert", "--help"]).Code);
        Assert.Equal(0, Both(["--version"]).Code);
        Assert.Equal(2, Both(["nonsense"]).Code);
        Assert.Equal(2, Both(["test", "--expect", "vpx", "file"]).Code);
        Assert.Equal(2, Both(["convert", "-O", "qcow2", _directory["missing"], _directory["x"]]).Code);
        Assert.Equal(2, Both(["convert", "-O", "qcow2", "-o", "cluster_size=3", _directory["a.raw"], _directory["x"]]).Code);
    }

    [SkippableFact]
    public void What_it_converts_reads_back_the_same()
    {
        string[][] targets =
        [
            ["raw"], ["qcow2"], ["qcow2", "-c"], ["qcow2", "-c", "-o", "compression_type=zstd"], ["vhd"],
            ["vhd", "-o", "subformat=fixed"], ["vhdx"], ["vmdk"], ["vmdk", "-c"], ["vdi"], ["vdi", "-o", "static=on"],
        ];
        foreach (var target in targets)
        {
            var image = _directory["b"];
            var converted = _published.Run(["convert", "--verify", "-O", .. target, _directory["a.raw"], image]);
            Assert.Equal((0, "", ""), converted);
            Assert.Equal(0, Both(["compare", _directory["a.raw"], image]).Code);
            Assert.Equal(0, Both(["map", "--json", image]).Code);
            Assert.Equal(0, Both(["map", image]).Code);
            Assert.Equal(0, Both(["measure", "--json", "-O", "qcow2", image]).Code);
            File.Delete(image);
        }
    }

    [SkippableFact]
    public void Images_are_made_and_resized()
    {
        foreach (var format in new[] { "raw", "qcow2", "vhd", "vhdx", "vdi" })
        {
            Assert.Equal((0, ""), WithoutOutput(_published.Run("create", "-f", format, _directory["new"], "10M")));
            Assert.Equal((0, ""), WithoutOutput(_published.Run("resize", _directory["new"], "20M")));
            Assert.Contains("20 MiB", Both(["info", _directory["new"]]).Output, StringComparison.Ordinal);
            File.Delete(_directory["new"]);
        }
    }

    [SkippableFact]
    public void Qemu_img_is_run_for_what_it_does_not_write_itself()
    {
        Tool.Require("qemu-img", "qemu-utils");
        Assert.Equal((0, "", ""), _published.Run("convert", "-O", "qed", _directory["a.raw"], _directory["a.qed"]));
        Assert.Contains("qed", Both(["info", _directory["a.qed"]]).Output, StringComparison.Ordinal);
    }

    private static (int Code, string Error) WithoutOutput((int Code, string Output, string Error) result) =>
        (result.Code, result.Error);

    private (int Code, string Output, string Error) Both(string[] arguments)
    {
        var native = _published.Run([.. arguments]);
        Assert.Equal(ConsoleFront.Run([.. arguments]), native);
        return native;
    }

    /// <summary>Publishes it, once for all tests.</summary>
    public sealed class Published : IDisposable
    {
        private readonly TemporaryDirectory _directory = new();
        private readonly Lazy<string> _program;

        public Published() => _program = new Lazy<string>(Publish);

        public void Dispose() => _directory.Dispose();

        internal (int Code, string Output, string Error) Run(params object[] arguments) =>
            ConsoleFront.RunWith(_program.Value, arguments);

        // Apart from what the tests themselves were built into, which others may be using.
        private string Publish()
        {
            Skip.If(
                Tool.Find("clang") is null && Tool.Find("gcc") is null,
                "no C compiler is installed (Debian package gcc)");
            var (code, output, error) = ConsoleFront.RunWith(
                "dotnet", "publish", Path.Combine(Repository.Root, "src", "ImageUtils.Cli"), "-c", "Release",
                "--use-current-runtime", "--artifacts-path", _directory["artifacts"], "-o", _directory["front"],
                // The sources were analysed when the tests were built.
                "-p:RunAnalyzers=false", "--nologo", "-v", "quiet");
            Assert.True(code == 0, $"{output}{error}");
            return Path.Combine(_directory["front"], "imageutils");
        }
    }
}
