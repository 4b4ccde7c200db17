using ImageUtils.Builders;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.Qemu;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Qemu;

public sealed class VettedImageTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    private InspectionOptions BackingAllowed => new()
    {
        Policy = new SafetyPolicy { BackingFileDirectories = [_directory.Path] },
    };

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_safe_image_is_pinned_to_its_absolute_path_and_driver()
    {
        var path = Write("a.img", Qcow2Cases.Valid());
        var image = await VettedImage.VetAsync(Path.GetRelativePath(Environment.CurrentDirectory, path));
        Assert.Equal((path, "qcow2", ImageFormat.Qcow2), (image.Path, image.DriverName, image.Format));
        Assert.Null(image.BackingChain);
    }

    [Fact]
    public async Task An_unsafe_image_is_refused_with_its_failures()
    {
        var path = Write("a.img", Qcow2Cases.WithBacking("/etc/passwd"));
        var error = await Assert.ThrowsAsync<ImageUnsafeException>(() => VettedImage.VetAsync(path));
        Assert.Equal(("ImageIsUnsafe", path), (error.ErrorId, error.Path));
        Assert.Equal([CheckNames.BackingFile], error.Failures.Select(failure => failure.Name));
        Assert.Contains("/etc/passwd", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("missing")]
    [InlineData("nul\0character")]
    [InlineData("empty")]
    public async Task What_cannot_be_read_is_refused(string name)
    {
        File.WriteAllBytes(_directory["empty"], []);
        await Assert.ThrowsAsync<ImageFileException>(() => VettedImage.VetAsync(_directory[name]));
    }

    [Fact]
    public async Task What_is_known_to_be_raw_is_not_looked_at()
    {
        var path = Write("a.img", Qcow2Cases.WithBacking("/etc/passwd"));
        var image = await VettedImage.VetAsync(path, knownRaw: true);
        Assert.Equal("raw", image.DriverName);
    }

    [Fact]
    public async Task A_chain_is_vetted_down_to_its_base()
    {
        Write("base.raw", Qcow2Cases.WithBacking("/etc/passwd"));
        Write("mid", WithBacking("base.raw", "raw"));
        var image = await VettedImage.VetChainAsync(Write("top", WithBacking("./mid", "qcow2")), BackingAllowed);
        Assert.Equal([_directory["./mid"], _directory["./base.raw"]], image.BackingChain!.Select(link => link.Path));
        Assert.Equal(["qcow2", "raw"], image.BackingChain!.Select(link => link.DriverName));
    }

    [Fact]
    public async Task A_link_of_a_chain_that_is_unsafe_is_refused()
    {
        Write("mid", WithBacking("/etc/passwd", "raw"));
        var error = await Assert.ThrowsAsync<ImageUnsafeException>(
            () => VettedImage.VetChainAsync(Write("top", WithBacking("mid", "qcow2")), BackingAllowed));
        Assert.Equal(_directory["mid"], error.Path);
    }

    [Theory]
    [InlineData(null, "without its format")]
    [InlineData("nonsense", "'nonsense'")]
    [InlineData("qed", "is qcow2, but the image says that it is qed")]
    public async Task A_backing_file_whose_format_qemu_would_guess_or_mistake_is_refused(string? format, string reason)
    {
        Write("mid", Qcow2Cases.Valid());
        var error = await Assert.ThrowsAsync<ImageUnsafeException>(
            () => VettedImage.VetChainAsync(Write("top", WithBacking("mid", format)), BackingAllowed));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_chain_that_leads_back_to_itself_is_refused()
    {
        Write("mid", WithBacking("top", "qcow2"));
        var error = await Assert.ThrowsAsync<ImageUnsafeException>(
            () => VettedImage.VetChainAsync(Write("top", WithBacking("mid", "qcow2")), BackingAllowed));
        Assert.Contains("in the chain already", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_chain_is_followed_through_links_as_the_system_does()
    {
        // disks/up/../x: "up" leads out of the directory that is allowed, and ".." is taken from where it leads.
        using var outside = new TemporaryDirectory();
        Directory.CreateDirectory(outside["in"]);
        File.CreateSymbolicLink(_directory["up"], outside["in"]);
        File.WriteAllBytes(outside["x"], Qcow2Cases.Valid().ToArray());
        Write("x", Qcow2Cases.Valid());
        await Assert.ThrowsAsync<ImageUnsafeException>(
            () => VettedImage.VetChainAsync(Write("top", WithBacking("up/../x", "qcow2")), BackingAllowed));

        // Where that is allowed, what is named there is looked for there.
        File.WriteAllBytes(outside["mid"], WithBacking("x", "qcow2").ToArray());
        var led = await VettedImage.VetChainAsync(
            Write("top", WithBacking("up/../mid", "qcow2")),
            new() { Policy = new() { BackingFileDirectories = [outside.Path] } });
        Assert.Equal([_directory["up/../mid"], _directory["up/../x"]], led.BackingChain!.Select(link => link.Path));

        // And a backing file's own names are taken from the directory in which it was named, not from where it lies.
        File.WriteAllBytes(outside["linked"], WithBacking("x", "qcow2").ToArray());
        File.CreateSymbolicLink(_directory["linked"], outside["linked"]);
        var image = await VettedImage.VetChainAsync(
            Write("top", WithBacking("linked", "qcow2")),
            new() { Policy = new() { BackingFileDirectories = [_directory.Path, outside.Path] } });
        Assert.Equal([_directory["linked"], _directory["x"]], image.BackingChain!.Select(link => link.Path));
    }

    private static BuiltImage WithBacking(string name, string? format)
    {
        var image = Qcow2Cases.WithBacking(name);
        return format is null
            ? image
            : image.Big32(104, 0xE2792ACA).Big32(108, (uint)format.Length).Text(112, format);
    }

    private string Write(string name, BuiltImage image)
    {
        File.WriteAllBytes(_directory[name], image.ToArray());
        return _directory[name];
    }
}
