using System.Reflection;
using ImageUtils.Builders;
using ImageUtils.Errors;
using ImageUtils.Formats.Luks;
using ImageUtils.Formats.Qcow2;
using ImageUtils.Formats.Vmdk;
using ImageUtils.Inspection;
using ImageUtils.Qemu;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Qemu;

/// <summary>The real qemu-img, run as the engine runs it.</summary>
public sealed class QemuImgTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [InlineData("-U", true)]
    [InlineData("-U", false)]
    public async Task A_qcow2_is_described_within_the_default_limits(string forceShare, bool isForced)
    {
        var path = Create("qcow2", "a.qcow2", "-o", "compression_type=zstd");
        var image = await VettedImage.VetAsync(path);
        var options = new QemuInfoOptions { ForceShare = isForced };
        var info = await Real().InfoAsync(image, options);
        Assert.Equal((path, ImageFormat.Qcow2, InfoEngine.Qemu), (info.FileName, info.Format, info.Engine));
        Assert.Equal(10 << 20, info.VirtualSize);
        Assert.Equal("zstd", Assert.IsType<Qcow2Details>(info.FormatSpecific).CompressionType);
        Assert.Equal(isForced, QemuImg.GetInfoArguments(image, options).Contains(forceShare));
    }

    [SkippableTheory]
    [InlineData("qcow2", "compat=0.10", typeof(Qcow2Details))]
    [InlineData("qcow2", "compat=1.1", typeof(Qcow2Details))]
    [InlineData("vmdk", "subformat=streamOptimized", typeof(VmdkDetails))]
    [InlineData("vdi", "static=on", null)]
    public async Task Details_have_the_formats_own_type(string driver, string options, Type? type)
    {
        var image = await VettedImage.VetAsync(Create(driver, "image", "-o", options));
        Assert.Equal(type, (await Real().InfoAsync(image)).FormatSpecific?.GetType());
    }

    [SkippableFact]
    public async Task Details_of_a_luks_volume_have_their_own_type()
    {
        File.WriteAllBytes(_directory["volume"], LuksVolumeOfQemu.Get(""));
        var info = await Real().InfoAsync(await VettedImage.VetAsync(_directory["volume"]));
        var details = Assert.IsType<LuksDetails>(info.FormatSpecific);
        Assert.Equal((1, "aes-256", 64L), (details.Version, details.CipherAlgorithm, details.MasterKeyBytes));
    }

    [SkippableTheory]
    [InlineData("qcow")]
    [InlineData("qcow2", "extended_l2=on")]
    [InlineData("qed")]
    [InlineData("vpc")]
    [InlineData("vpc", "subformat=fixed")]
    [InlineData("vhdx")]
    [InlineData("vmdk")]
    [InlineData("vmdk", "subformat=streamOptimized")]
    [InlineData("vmdk", "subformat=monolithicFlat")]
    [InlineData("vmdk", "subformat=twoGbMaxExtentSparse")]
    [InlineData("vdi")]
    [InlineData("parallels")]
    public async Task Every_drivers_output_is_read_and_fits_the_default_limits(string driver, string? options = null)
    {
        var path = Create(driver, "image", options is null ? [] : ["-o", options]);
        var outcome = await LimitedProcess.RunAsync(
            Real().Path, ["info", "--output=json", "-f", driver, path], ProcessLimits.Default, default);
        Assert.Equal((ProcessEnd.Exited, 0, ""), (outcome.End, outcome.ExitCode, outcome.Error));
        var info = Assert.Single(QemuInfoOutput.Parse(outcome.Output));
        var text = Assert.Single(QemuInfoOutput.Parse(Tool.Run("qemu-img", "info", "-f", driver, path)));
        Assert.Empty(info.Notes);
        Assert.Empty(text.Notes);
        Assert.Equal(
            (driver, info.VirtualSize, info.ClusterSize), (text.FormatName, text.VirtualSize, text.ClusterSize));
        Assert.Equal(Inspected.ToJson(info.FormatSpecific), Inspected.ToJson(text.FormatSpecific));
    }

    [SkippableTheory]
    [InlineData("qcow2")]
    [InlineData("raw")]
    [InlineData("qcow")]
    [InlineData("qed")]
    [InlineData("vpc")]
    [InlineData("vhdx")]
    [InlineData("vmdk")]
    [InlineData("vdi")]
    [InlineData("parallels")]
    public async Task An_image_of_every_driver_is_vetted_and_described(string driver)
    {
        var path = Create(driver, $"image.{driver}");

        // qcow and qed are refused as such; that they can be read is what matters here.
        string[] refusals = [CheckNames.Banned, CheckNames.UnknownFeatures];
        var image = await VettedImage.VetAsync(path, new() { Policy = new() { NonFatalChecks = refusals } });
        Skip.If(image.DriverName != driver, $"the inspector knows nothing of {driver}");
        var info = await Real().InfoAsync(image);
        Assert.Equal((driver, image.Format), (info.FormatName, info.Format));
        Assert.InRange(info.VirtualSize!.Value, 10 << 20, (10 << 20) + (64 << 10));
        Assert.NotNull(info.ActualSize);
    }

    [SkippableTheory]
    [InlineData("-f raw")]
    [InlineData("nbd:localhost")]
    [InlineData("json:{}")]
    [InlineData("with \"quotes\" and \\ and 'these' $HOME `id` \n and more")]
    [InlineData("a,b=c")]
    [InlineData("ünïcode ☃")]
    public async Task A_path_is_handed_over_as_it_is(string name)
    {
        Real();
        File.WriteAllBytes(_directory[name], Qcow2Cases.Valid().ToArray());
        var info = await Real().InfoAsync(await VettedImage.VetAsync(_directory[name]));
        Assert.Equal(_directory[name], info.FileName);
    }

    [SkippableFact]
    public async Task A_backing_chain_is_described_link_by_link()
    {
        Create("raw", "base.raw");
        var path = Create("qcow2", "top", "-b", "base.raw", "-F", "raw");
        var options = new InspectionOptions
        {
            Policy = new SafetyPolicy { BackingFileDirectories = [_directory.Path] },
        };
        var info = await Real().InfoAsync(
            await VettedImage.VetChainAsync(path, options), new QemuInfoOptions { BackingChain = true });
        var link = Assert.Single(info.BackingChain);
        Assert.Equal((_directory["base.raw"], ImageFormat.Raw), (link.FileName, link.Format));
        Assert.Equal(_directory["base.raw"], info.FullBackingFile);

        await Assert.ThrowsAsync<ArgumentException>(async () => await Real().InfoAsync(
            await VettedImage.VetAsync(path, options), new QemuInfoOptions { BackingChain = true }));
    }

    [SkippableFact]
    public async Task An_error_of_qemu_img_is_shown()
    {
        var path = Create("qcow2", "a.qcow2");
        var image = await VettedImage.VetAsync(path);
        File.Delete(path);
        var error = await Assert.ThrowsAsync<QemuImgFailedException>(() => Real().InfoAsync(image));
        Assert.Equal(("QemuImgFailed", 1), (error.ErrorId, error.ExitCode));
        Assert.Contains("No such file or directory", error.Message, StringComparison.Ordinal);
        Assert.Contains("No such file or directory", error.StandardError, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData(4)]
    [InlineData(24)]
    public async Task Too_little_memory_is_said_to_be_that(long mebibytes)
    {
        Skip.IfNot(OperatingSystem.IsLinux() && Tool.Find("prlimit") is not null, "prlimit is not installed");
        var image = await VettedImage.VetAsync(Create("qcow2", "a.qcow2"));
        var options = new QemuInfoOptions { Limits = new() { AddressSpace = mebibytes << 20 } };
        var error = await Assert.ThrowsAsync<QemuImgLimitExceededException>(() => Real().InfoAsync(image, options));
        Assert.Contains("more memory", error.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task The_version_is_read_and_kept()
    {
        var qemu = Real();
        var version = await qemu.GetVersionAsync();
        Assert.True(version.Version.Major >= 2);
        Assert.Equal(qemu.Path, version.Path);
        Assert.Same(version, await qemu.GetVersionAsync());
    }

    [Theory]
    [InlineData("qemu-img version 7.2.22 (Debian 1:7.2+dfsg-7)\nCopyright (c) 2003", "7.2.22", "Debian 1:7.2+dfsg-7")]
    [InlineData("qemu-img version 1.5.3, Copyright (c) 2004-2008 Fabrice Bellard", "1.5.3", null)]
    [InlineData("qemu-img version 2.12.0 (qemu-kvm-2.12.0-64.el8)\r\nCopyright", "2.12.0", "qemu-kvm-2.12.0-64.el8")]
    [InlineData("qemu-img version 9.2.91 (v10.0.0-rc1-dirty)", "9.2.91", "v10.0.0-rc1-dirty")]
    [InlineData("qemu-img version 10.1", "10.1", null)]
    [InlineData("qemu-img version 2.5.0-rc2", "2.5.0", null)]
    public void A_version_line_is_read(string output, string version, string? package) =>
        Assert.Equal(new QemuImgVersion(Version.Parse(version), package, "/x"), QemuImgVersion.Parse(output, "/x"));

    [Theory]
    [InlineData("")]
    [InlineData("bash: 5.2")]
    [InlineData("qemu-img version unknown")]
    [InlineData("qemu-img version 9999999999.1")]
    public void What_is_no_version_line_is_refused(string output) =>
        Assert.Throws<QemuOutputException>(() => QemuImgVersion.Parse(output, "/x"));

    [SkippableFact]
    public void The_environment_names_the_program_before_the_path_does()
    {
        var path = Real().Path;
        try
        {
            // No other test looks here: they name the program.
            Environment.SetEnvironmentVariable(QemuImg.PathVariable, null);
            Assert.Equal(path, QemuImg.Find().Path);
            Environment.SetEnvironmentVariable(QemuImg.PathVariable, "/bin/sh");
            Assert.Equal("/bin/sh", QemuImg.Find().Path);
            Assert.Equal(path, QemuImg.Find(path).Path);
            Environment.SetEnvironmentVariable(QemuImg.PathVariable, _directory["missing"]);
            var error = Assert.Throws<QemuImgNotFoundException>(() => QemuImg.Find());
            Assert.Contains("the environment variable IMAGEUTILS_QEMU_IMG", error.Message, StringComparison.Ordinal);
        }
        finally
        {
            Environment.SetEnvironmentVariable(QemuImg.PathVariable, null);
        }
    }

    [SkippableFact]
    public void A_program_that_is_missing_is_said_to_be_and_how_to_get_it()
    {
        var error = Assert.Throws<QemuImgNotFoundException>(() => QemuImg.Find(_directory["qemu-img"]));
        Assert.Equal("QemuImgNotFound", error.ErrorId);
        string[] advices = [_directory.Path, "qemu-utils", "Fedora", "QEMU for Windows", QemuImg.PathVariable];
        foreach (var advice in advices)
        {
            Assert.Contains(advice, error.Message, StringComparison.Ordinal);
        }

        File.WriteAllText(_directory["qemu-img"], "not executable");
        Skip.If(OperatingSystem.IsWindows());
        Assert.Throws<QemuImgNotFoundException>(() => QemuImg.Find(_directory["qemu-img"]));
    }

    [Fact]
    public void Nothing_public_takes_a_path_to_run_qemu_img_on()
    {
        // The proof can be had from the inspector alone, and is the only way to name an image that is there already.
        Assert.Empty(typeof(VettedImage).GetConstructors(BindingFlags.Instance | BindingFlags.Public));
        var parameters = typeof(QemuImg)
            .GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
            .Where(method => method.Name != nameof(QemuImg.CreateAsync))
            .SelectMany(method => method.GetParameters());
        Assert.DoesNotContain(parameters, parameter => parameter.ParameterType == typeof(string));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    public void A_limit_of_nothing_is_refused(int value)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new ProcessLimits { AddressSpace = value });
        Assert.Throws<ArgumentOutOfRangeException>(() => new ProcessLimits { OutputLength = value });
        Assert.Throws<ArgumentOutOfRangeException>(() => new ProcessLimits { CpuTime = TimeSpan.FromSeconds(value) });
        Assert.Throws<ArgumentOutOfRangeException>(() => new ProcessLimits { WallTime = TimeSpan.FromSeconds(value) });
        Assert.Null(new ProcessLimits { CpuTime = null, AddressSpace = null, WallTime = null }.CpuTime);
    }

    private static QemuImg Real() => QemuImg.Find(Tool.Require("qemu-img", "qemu-utils"));

    private string Create(string driver, string name, params string[] arguments)
    {
        Real();
        Tool.Run("qemu-img", ["create", "-q", "-f", driver, .. arguments, _directory[name], "10M"]);
        return _directory[name];
    }
}
