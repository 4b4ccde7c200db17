using System.Diagnostics;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.Qemu;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Qemu;

/// <summary><c>qemu-img convert</c>, with the real one.</summary>
public sealed class QemuConvertTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [InlineData(ImageFormat.Qcow2, "compat", "0.10")]
    [InlineData(ImageFormat.Qcow2, "compression_type", "zstd")]
    [InlineData(ImageFormat.Qcow2, "lazy_refcounts", "on")]
    [InlineData(ImageFormat.Vhd, "subformat", "fixed")]
    [InlineData(ImageFormat.Vhdx, "block_size", "1M")]
    [InlineData(ImageFormat.Vmdk, "subformat", "streamOptimized")]
    [InlineData(ImageFormat.Vdi, "static", "on")]
    [InlineData(ImageFormat.Ploop, "cluster_size", "1M")]
    public async Task Every_format_is_written_and_read(ImageFormat format, string name, string value)
    {
        var content = Write("raw", 2 << 20);
        var options = Options("image", format) with
        {
            FormatOptions = new Dictionary<string, string> { [name] = value },
            Compress = format == ImageFormat.Qcow2,
            Coroutines = 4,
            OutOfOrder = true,
            SourceCache = QemuCacheMode.Writeback,
        };
        await Real().ConvertAsync(await VetAsync("raw"), options);
        var image = await VetAsync("image");
        Assert.Equal(format, image.Format);
        await Real().ConvertAsync(image, Options("back", ImageFormat.Raw));
        Assert.Equal(content, File.ReadAllBytes(_directory["back"]).AsSpan(0, content.Length).ToArray());
    }

    [SkippableFact]
    public async Task What_is_refused_as_a_source_can_be_written()
    {
        Write("raw", 2 << 20);
        await Real().ConvertAsync(await VetAsync("raw"), Options("image", ImageFormat.Qed));
        await Assert.ThrowsAsync<ImageUnsafeException>(() => VetAsync("image"));
        Tool.Run("qemu-img", "compare", "-f", "raw", "-F", "qed", _directory["raw"], _directory["image"]);
    }

    [SkippableTheory]
    [InlineData("a,b=c")]
    [InlineData("driver=raw,file.filename=x")]
    [InlineData("nbd:localhost:1")]
    [InlineData("json:{}")]
    [InlineData("-o help")]
    [InlineData(" leading and\nbroken\t")]
    [InlineData("$(touch x) \"' `\\ % \u00fc\u4e2d")]
    public async Task A_name_is_nothing_but_a_name(string name)
    {
        var content = Write(name, 1 << 20);
        await Real().ConvertAsync(await VetAsync(name), Options(name + "2", ImageFormat.Qcow2));
        await Real().ConvertAsync(await VetAsync(name + "2"), Options(name + "3", ImageFormat.Raw));
        Assert.Equal(content, File.ReadAllBytes(_directory[name + "3"]));
        Assert.Equal(3, Directory.GetFiles(_directory.Path).Length);
    }

    [SkippableFact]
    public async Task Snapshots_are_found_by_name_and_id()
    {
        string[] names = ["a,b=c", "snapshot.id=1", " x y ", "2"];
        var path = _directory["image"];
        var contents = names.Select((name, index) =>
        {
            var content = Write("raw", 1 << 20, index);
            Tool.Run(
                "qemu-img", [.. "convert -f raw -O qcow2".Split(' '), .. index > 0 ? ["-n"] : Array.Empty<object>(),
                _directory["raw"], path]);
            Tool.Run("qemu-img", "snapshot", "-c", name, path);
            return content;
        }).ToList();
        var image = await VetAsync("image");
        foreach (var (index, name) in names.Index())
        {
            var id = $"{index + 1}";
            await AssertContentAsync(contents[index], snapshot => snapshot with { SnapshotName = name });
            await AssertContentAsync(contents[index], snapshot => snapshot with { SnapshotId = id });
            await AssertContentAsync(
                contents[index], snapshot => snapshot with { SnapshotName = name, SnapshotId = id });
        }

        var error = await Assert.ThrowsAsync<QemuRequestException>(() => Real().ConvertAsync(
            image, Options("back", ImageFormat.Raw) with { SnapshotName = "2", SnapshotId = "1" }));
        Assert.Equal("SnapshotNotFound", error.ErrorId);
        Assert.Contains(
            "with the name '2' and the id '1'. It has: 1 'a,b=c', 2 ", error.Message, StringComparison.Ordinal);

        async Task AssertContentAsync(byte[] content, Func<QemuConvertOptions, QemuConvertOptions> of)
        {
            await Real().ConvertAsync(image, of(Options("back", ImageFormat.Raw)));
            Assert.Equal(content, File.ReadAllBytes(_directory["back"]));
        }
    }

    [SkippableFact]
    public async Task Only_an_inspected_chain_is_merged()
    {
        var content = Write("base", 1 << 20);
        Real();
        Tool.Run(
            "qemu-img", "create", "-q", "-f", "qcow2", "-b", _directory["base"], "-F", "raw", _directory["top"]);
        var allowed = new InspectionOptions
        {
            Policy = new SafetyPolicy { BackingFileDirectories = [_directory.Path] },
        };
        var top = await VettedImage.VetAsync(_directory["top"], allowed);
        var error = await Assert.ThrowsAsync<QemuRequestException>(
            () => Real().ConvertAsync(top, Options("merged", ImageFormat.Raw)));
        Assert.Equal("BackingFileNotInspected", error.ErrorId);
        var chain = await VettedImage.VetChainAsync(_directory["top"], allowed);
        await Assert.ThrowsAsync<QemuRequestException>(
            () => Real().ConvertAsync(chain, Options("base", ImageFormat.Raw)));
        await Real().ConvertAsync(chain, Options("merged", ImageFormat.Qcow2));
        Assert.Null((await VetAsync("merged")).Inspection.BackingFile);
        await Real().ConvertAsync(await VetAsync("merged"), Options("back", ImageFormat.Raw));
        Assert.Equal(content, File.ReadAllBytes(_directory["back"]));
    }

    [SkippableFact]
    public async Task It_is_slowed_down_and_says_how_far_it_is()
    {
        Write("raw", 8 << 20);
        var seen = new List<double>();
        var clock = Stopwatch.StartNew();
        await Real().ConvertAsync(
            await VetAsync("raw"),
            Options("a", ImageFormat.Qcow2) with { BandwidthLimit = 3 << 20 },
            new Recorder(seen));
        Assert.True(clock.Elapsed > TimeSpan.FromSeconds(1), $"{clock.Elapsed}");
        Assert.Equal(100, seen[^1]);
        Assert.True(seen.Count > 3, string.Join(" ", seen));
        Assert.Equal(seen.Order(), seen);
    }

    [SkippableFact]
    public async Task Who_fails_on_progress_ends_it()
    {
        Write("raw", 4 << 20);
        var source = await VetAsync("raw");
        var options = Options("target", ImageFormat.Raw) with { BandwidthLimit = 100_000 };
        var clock = Stopwatch.StartNew();
        await Assert.ThrowsAsync<ArithmeticException>(
            () => Real().ConvertAsync(source, options, new Recorder(null)));
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20), $"{clock.Elapsed}");
        Assert.Empty(ProcessWatch.Find(_directory["target"]));
    }

    [SkippableTheory]
    [InlineData("backing_file", "/etc/passwd")]
    [InlineData("data_file", "x")]
    [InlineData("key-secret", "x")]
    [InlineData("encrypt.format", "luks")]
    [InlineData("size", "1")]
    [InlineData("a=b,backing_file", "x")]
    [InlineData("?", "x")]
    [InlineData("", "x")]
    [InlineData("compat\n", "x")]
    [InlineData("compat", "1.1\0")]
    public async Task An_option_that_leads_elsewhere_is_refused(string name, string value)
    {
        Write("raw", 1 << 20);
        var options = Options("a", ImageFormat.Qcow2) with
        {
            FormatOptions = new Dictionary<string, string> { [name] = value },
        };
        var source = await VetAsync("raw");
        var error = await Assert.ThrowsAsync<QemuRequestException>(() => Real().ConvertAsync(source, options));
        Assert.Equal("QemuOptionRefused", error.ErrorId);
        Assert.False(File.Exists(_directory["a"]));
    }

    [SkippableFact]
    public async Task An_options_value_cannot_become_another_option()
    {
        Write("raw", 1 << 20);
        var options = Options("a", ImageFormat.Qcow2) with
        {
            FormatOptions = new Dictionary<string, string> { ["compat"] = "1.1,backing_file=/etc/passwd" },
        };
        var source = await VetAsync("raw");
        var error = await Assert.ThrowsAsync<QemuImgFailedException>(() => Real().ConvertAsync(source, options));
        Assert.Contains("1.1,backing_file=/etc/passwd", error.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task A_destination_that_cannot_be_one_is_refused()
    {
        Write("raw", 1 << 20);
        File.CreateSymbolicLink(_directory["link"], _directory["raw"]);
        var source = await VetAsync("raw");
        await ThrowsAsync("DestinationUnusable", Options("raw", ImageFormat.Qcow2));
        await ThrowsAsync("DestinationUnusable", Options("link", ImageFormat.Qcow2));
        await ThrowsAsync("DestinationUnusable", Options("x/../raw", ImageFormat.Qcow2) with
        {
            DestinationPath = $"{_directory.Path}/../{Path.GetFileName(_directory.Path)}/raw",
        });
        foreach (var path in new[] { "relative", "/dev/nosuch", "/dev/null" })
        {
            await ThrowsAsync("DestinationUnusable", Options("a", ImageFormat.Raw) with { DestinationPath = path });
        }

        await ThrowsAsync("DestinationUnusable", Options("", ImageFormat.Qcow2));
        await ThrowsAsync("QemuOptionRefused", Options("a", ImageFormat.Dmg));
        await ThrowsAsync("QemuOptionRefused", Options("a", ImageFormat.Gzip));
        await ThrowsAsync("QemuOptionRefused", Options("a", ImageFormat.Vmdk) with
        {
            FormatOptions = new Dictionary<string, string> { ["subformat"] = "monolithicFlat" },
        });
        await ThrowsAsync("QemuImgFailed", Options("missing/a", ImageFormat.Qcow2));
        Assert.Equal(1 << 20, new FileInfo(_directory["raw"]).Length);

        async Task ThrowsAsync(string errorId, QemuConvertOptions options)
        {
            var error = await Assert.ThrowsAnyAsync<ImageUtilsException>(() => Real().ConvertAsync(source, options));
            Assert.Equal(errorId, error.ErrorId);
        }
    }

    [SkippableFact]
    public async Task A_device_shows_nothing_of_what_was_on_it_within_the_image()
    {
        var qemu = Real();
        var old = Write("disk", 4 << 20, seed: 9);
        using var device = LoopDevice.Attach(_directory["disk"]);
        var content = new byte[3 << 20];
        new Random(1).NextBytes(content.AsSpan(1 << 20, 4096));
        File.WriteAllBytes(_directory["raw"], content);
        var source = await VetAsync("raw");
        var options = Options("a", ImageFormat.Raw) with { DestinationPath = device.Path };
        var arguments = QemuImg.GetConvertArguments(source, options, false, new SecretFiles());
        Assert.Contains("-n", arguments);
        await qemu.ConvertAsync(source, options);
        byte[] expected = [.. content, .. old.AsSpan(content.Length)];
        Assert.Equal(expected, File.ReadAllBytes(device.Path));

        Write("large", 5 << 20);
        var large = await VetAsync("large");
        await Assert.ThrowsAsync<QemuImgFailedException>(() => qemu.ConvertAsync(large, options));
        Assert.Equal(expected, File.ReadAllBytes(device.Path));

        var unfit = await Assert.ThrowsAsync<QemuRequestException>(
            () => qemu.ConvertAsync(source, options with { DestinationFormat = ImageFormat.Vhd }));
        Assert.Equal("DestinationUnusable", unfit.ErrorId);
        await qemu.ConvertAsync(source, options with { DestinationFormat = ImageFormat.Qcow2 });
        await qemu.ConvertAsync(
            await VettedImage.VetAsync(device.Path), Options("back", ImageFormat.Raw));
        Assert.Equal(content, File.ReadAllBytes(_directory["back"]));
    }

    private static QemuImg Real()
    {
        Tool.Require("qemu-img", "qemu-utils");
        return QemuImg.Find();
    }

    private Task<VettedImage> VetAsync(string name) => VettedImage.VetAsync(_directory[name]);

    private QemuConvertOptions Options(string name, ImageFormat format) =>
        new() { DestinationPath = _directory[name], DestinationFormat = format };

    private byte[] Write(string name, int length, int seed = 7)
    {
        var content = new byte[length];
        new Random(seed).NextBytes(content);
        content.AsSpan(length / 4, length / 4).Clear();
        File.WriteAllBytes(_directory[name], content);
        return content;
    }

    private sealed class Recorder(List<double>? seen) : IProgress<double>
    {
        public void Report(double value) => (seen ?? throw new ArithmeticException()).Add(value);
    }
}
