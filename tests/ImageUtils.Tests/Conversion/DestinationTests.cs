using ImageUtils.Builders;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Conversion;

/// <summary>A destination is complete or not there, and nothing else is touched.</summary>
public sealed class DestinationTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public DestinationTests() => File.WriteAllBytes(_directory["a.raw"], SampleDisk.Make());

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_file_that_exists_stays_unless_it_may_be_replaced()
    {
        await File.WriteAllTextAsync(_directory["b.qcow2"], "precious");
        var request = SampleDisk.Request(_directory["a.raw"], _directory["b.qcow2"], "qcow2");
        var error = await Assert.ThrowsAsync<ImageWriteException>(() => ImageConverter.ConvertAsync(request));
        Assert.Equal("DestinationExists", error.ErrorId);
        Assert.Equal("precious", await File.ReadAllTextAsync(_directory["b.qcow2"]));

        await ImageConverter.ConvertAsync(request with { Overwrite = true });
        Assert.Equal(SampleDisk.Make(), await SampleDisk.ReadAsync(_directory["b.qcow2"]));
        Assert.Equal(["a.raw", "b.qcow2"], _directory.Names());
    }

    [Fact]
    public async Task Nothing_is_created_in_dev()
    {
        var error = await Assert.ThrowsAsync<ImageWriteException>(
            () => SampleDisk.ConvertAsync(_directory["a.raw"], "/dev/imageutils-no-such-volume", "raw"));
        Assert.Equal("DestinationNotFound", error.ErrorId);
        Assert.False(File.Exists("/dev/imageutils-no-such-volume"));
    }

    [Fact]
    public async Task The_source_itself_is_no_destination_even_by_another_name()
    {
        File.CreateSymbolicLink(_directory["link"], _directory["a.raw"]);
        var request = SampleDisk.Request(_directory["a.raw"], _directory["link"], "raw") with { Overwrite = true };
        await Assert.ThrowsAsync<ImageWriteException>(() => ImageConverter.ConvertAsync(request));
        Assert.Equal(SampleDisk.Make(), await File.ReadAllBytesAsync(_directory["a.raw"]));
    }

    [SkippableFact]
    public async Task A_backing_file_of_the_source_is_no_destination()
    {
        Tool.Require("qemu-img", "qemu-utils");
        Tool.Run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", _directory["a.raw"], _directory["top.qcow2"]);
        var policy = ImageUtils.Safety.SafetyPolicy.Default with { BackingFileDirectories = [_directory.Path] };
        var request = SampleDisk.Request(_directory["top.qcow2"], _directory["a.raw"], "raw") with
        {
            Overwrite = true,
            Source = new OpenOptions { Inspection = new() { Policy = policy } },
        };
        await Assert.ThrowsAsync<ImageWriteException>(() => ImageConverter.ConvertAsync(request));
        Assert.Equal(SampleDisk.Make(), await File.ReadAllBytesAsync(_directory["a.raw"]));
    }

    [Fact]
    public async Task In_place_keeps_permissions_and_leaves_nothing_else()
    {
        File.SetUnixFileMode(_directory["a.raw"], UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        var request = SampleDisk.Request(_directory["a.raw"], _directory["a.raw"], "qcow2-zlib") with
        {
            InPlace = true,
            Overwrite = true,
        };
        var result = await ImageConverter.ConvertAsync(request);
        Assert.Equal(ImageFormat.Qcow2, result.DestinationFormat);
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead,
            File.GetUnixFileMode(_directory["a.raw"]));
        Assert.Equal(SampleDisk.Make(), await SampleDisk.ReadAsync(_directory["a.raw"]));
        Assert.Equal(["a.raw"], _directory.Names());
    }

    [Fact]
    public async Task A_raw_result_that_looks_like_another_format_is_refused_and_gone()
    {
        // A guest that writes a qcow2 header into its own disk, inside an honest qcow2.
        var inner = Corpus.All.First(one => one.Format == "qcow2" && one.FailedChecks.Length == 0).Bytes();
        await File.WriteAllBytesAsync(_directory["inner.raw"], inner);
        var outer = SampleDisk.Request(_directory["inner.raw"], _directory["outer.qcow2"], "qcow2") with
        {
            Source = new OpenOptions { KnownRaw = true },
        };
        await ImageConverter.ConvertAsync(outer);
        var error = await Assert.ThrowsAsync<ConversionResultException>(
            () => SampleDisk.ConvertAsync(_directory["outer.qcow2"], _directory["b.raw"], "raw"));
        Assert.Contains("qcow2", error.Message, StringComparison.Ordinal);
        Assert.Equal(["a.raw", "inner.raw", "outer.qcow2"], _directory.Names());
    }

    [Fact]
    public async Task An_unsafe_source_and_a_wrong_claim_are_refused_before_anything_is_written()
    {
        var hostile = Corpus.All.First(one => one.Format == "qcow2" && one.FailedChecks.Contains("backing_file"));
        await File.WriteAllBytesAsync(_directory["bad.qcow2"], hostile.Bytes());
        await Assert.ThrowsAsync<ImageUnsafeException>(
            () => SampleDisk.ConvertAsync(_directory["bad.qcow2"], _directory["b.raw"], "raw"));
        var claimed = SampleDisk.Request(_directory["a.raw"], _directory["b.raw"], "raw") with
        {
            Source = new OpenOptions { ClaimedFormat = ImageFormat.Qcow2 },
        };
        await Assert.ThrowsAsync<ImageFormatMismatchException>(() => ImageConverter.ConvertAsync(claimed));
        await ImageConverter.ConvertAsync(claimed with { Source = new OpenOptions { ClaimedFormat = ImageFormat.Ami } });
        Assert.Equal(["a.raw", "b.raw", "bad.qcow2"], _directory.Names());
    }

    [Fact]
    public async Task Where_conversion_is_disabled_only_the_same_format_passes()
    {
        var request = SampleDisk.Request(_directory["a.raw"], _directory["b"], "qcow2") with { ConversionDisabled = true };
        var error = await Assert.ThrowsAsync<ConversionDisabledException>(() => ImageConverter.ConvertAsync(request));
        Assert.Equal("ConversionDisabled", error.ErrorId);
        await ImageConverter.ConvertAsync(request with { DestinationFormat = ImageFormat.Raw });
        Assert.Equal(["a.raw", "b"], _directory.Names());
    }

    [SkippableFact]
    public async Task A_full_file_system_is_named_and_nothing_is_left_on_it()
    {
        using var small = MountedFileSystem.OfMemory("2m");
        var request = SampleDisk.Request(_directory["a.raw"], small["b.raw"], "raw");
        var planned = await Assert.ThrowsAsync<InsufficientSpaceException>(() => ImageConverter.ConvertAsync(
            request with { DestinationFormat = ImageFormat.Raw, Target = request.Target with { Preallocation = PreallocationMode.Falloc } }));
        Assert.Contains(small.Path, planned.Message, StringComparison.Ordinal);

        // Without the check beforehand, the system says it half-way.
        var disk = new byte[8 << 20];
        new Random(4).NextBytes(disk);
        await File.WriteAllBytesAsync(_directory["noise.raw"], disk);
        foreach (var kind in SampleDisk.Kinds.Keys)
        {
            var error = await Assert.ThrowsAsync<ImageWriteException>(() => ImageConverter.ConvertAsync(
                SampleDisk.Request(_directory["noise.raw"], small[kind], kind) with { CheckSpace = false }));
            Assert.Equal("NoSpaceLeft", error.ErrorId);
            Assert.Contains(small.Path, error.Message, StringComparison.Ordinal);
            Assert.Empty(Directory.EnumerateFileSystemEntries(small.Path));
        }
    }
}
