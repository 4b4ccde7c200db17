using ImageUtils.Builders;
using ImageUtils.Errors;
using ImageUtils.Qemu;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Qemu;

/// <summary>Where qemu-img runs and with whose rights, seen by a program in its place.</summary>
public sealed class QemuPlacementTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SkippableFact]
    public async Task Under_a_control_group_it_is_there_from_the_start_with_its_arguments_unchanged()
    {
        using var group = ControlGroup.Create("a $(touch x) \"b\" 'c'");
        var options = new QemuRunOptions { CgroupPath = group.Path };
        await CheckAsync("cat /proc/self/cgroup > group; printf '%s\\n' \"$@\" > told; exit 63", options);
        Assert.EndsWith("/" + Path.GetFileName(group.Path), File.ReadAllLines(_directory["group"])
            .Single(line => line.StartsWith("0::", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Equal(
            ["check", "--output=json", "-f", "qcow2", _directory["image"]], File.ReadAllLines(_directory["told"]));
    }

    [SkippableFact]
    public async Task A_control_group_that_takes_nothing_is_an_error_and_nothing_runs()
    {
        using var group = ControlGroup.Create("imageutils-test-threaded");
        Directory.CreateDirectory(Path.Combine(group.Path, "below"));
        try
        {
            // What is above a threaded group, and is not its domain, takes no process any more.
            File.WriteAllText(Path.Combine(group.Path, "below", "cgroup.type"), "threaded");
            var invalid = Path.Combine(group.Path, "below", "further");
            Directory.CreateDirectory(invalid);
            try
            {
                var error = await Assert.ThrowsAsync<CgroupException>(
                    () => CheckAsync("touch ran; exit 63", new() { CgroupPath = invalid }));
                Assert.Equal(("CgroupUnusable", invalid), (error.ErrorId, error.Path));
                Assert.False(File.Exists(_directory["ran"]));
            }
            finally
            {
                Directory.Delete(invalid);
            }
        }
        finally
        {
            Directory.Delete(Path.Combine(group.Path, "below"));
        }
    }

    [SkippableTheory]
    [InlineData("relative", "no control group")]
    [InlineData("/nonexistent", "no control group")]
    [InlineData("/sys/fs/cgroup\0", "no control group")]
    [InlineData("/tmp", "no control group of version 2")]
    [InlineData("/etc/passwd", "no control group")]
    public async Task What_is_no_control_group_is_refused(string path, string reason)
    {
        Skip.IfNot(OperatingSystem.IsLinux());
        var error = await Assert.ThrowsAsync<CgroupException>(
            () => CheckAsync("touch ran; exit 63", new() { CgroupPath = path }));
        Assert.Equal("CgroupUnusable", error.ErrorId);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(_directory["ran"]));
    }

    [SkippableFact]
    public async Task An_elevation_command_is_put_before_everything_and_kills_as_well()
    {
        WriteScript("elevate", "printf '%s ' \"$@\" >> elevated; echo >> elevated; shift; exec \"$@\"");
        var options = new QemuRunOptions { ElevationCommand = [_directory["elevate"], "-n"] };
        await CheckAsync("echo $LC_ALL > language; exit 63", options);
        Assert.Equal("C\n", File.ReadAllText(_directory["language"]));
        Assert.StartsWith("-n ", File.ReadAllText(_directory["elevated"]), StringComparison.Ordinal);

        using var cancel = new CancellationTokenSource();
        var running = CheckAsync("sleep 1000 & echo $! > id; mv id child; wait", options, cancel.Token);
        while (!File.Exists(_directory["child"]) && !running.IsCompleted)
        {
            await Task.Delay(10);
        }

        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        var child = File.ReadAllText(_directory["child"]).Trim();
        var last = File.ReadAllLines(_directory["elevated"])[^1].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("-KILL", last[2]);
        Assert.Contains(child, last[3..]);
        Assert.True(!File.Exists($"/proc/{child}/stat")
            || File.ReadAllText($"/proc/{child}/stat").Contains(") Z ", StringComparison.Ordinal));
    }

    [SkippableTheory]
    [InlineData("no-such-program")]
    [InlineData("/no/such/program")]
    [InlineData("relative/program")]
    [InlineData("")]
    public async Task An_elevation_command_that_is_not_there_is_named(string name)
    {
        var error = await Assert.ThrowsAsync<QemuRequestException>(
            () => CheckAsync("exit 63", new() { ElevationCommand = [name] }));
        Assert.Equal("ElevationCommandNotFound", error.ErrorId);
        Assert.Contains($"'{name}'", error.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task A_key_derivation_that_was_measured_in_vain_is_measured_again()
    {
        const string Vain = "echo again >> tries; echo 'qemu-img: x: Unable to get accurate CPU usage' >&2; exit 1";
        var converted = await Assert.ThrowsAsync<QemuImgFailedException>(() => ConvertAsync(Vain));
        Assert.Contains("accurate", converted.StandardError, StringComparison.Ordinal);
        Assert.Equal(6, File.ReadAllLines(_directory["tries"]).Length);
        await ConvertAsync("echo again >> tries; [ $(wc -l < tries) -ge 8 ] && exit 0; " + Vain);
    }

    [SkippableFact]
    public async Task A_full_file_system_is_named()
    {
        var error = await Assert.ThrowsAsync<QemuImgNoSpaceException>(() => ConvertAsync(
            "echo 'qemu-img: error while writing at byte 0: No space left on device' >&2; exit 1"));
        Assert.Equal("NoSpaceLeft", error.ErrorId);
        Assert.Contains(_directory["target"], error.Message, StringComparison.Ordinal);
    }

    private async Task ConvertAsync(string script)
    {
        var (qemu, image) = await WriteAsync(script);
        await qemu.ConvertAsync(
            image, new() { DestinationPath = _directory["target"], DestinationFormat = ImageFormat.Raw });
    }

    private async Task CheckAsync(
        string script, QemuRunOptions options, CancellationToken cancellationToken = default)
    {
        var (qemu, image) = await WriteAsync(script);
        var result = await qemu.CheckAsync(image, null, options, cancellationToken);
        Assert.Equal(QemuCheckOutcome.NotSupported, result.Outcome);
    }

    private async Task<(QemuImg Qemu, VettedImage Image)> WriteAsync(string script)
    {
        Skip.If(OperatingSystem.IsWindows(), "the double is a shell script");
        WriteScript("qemu-img", script);
        File.WriteAllBytes(_directory["image"], Qcow2Cases.Valid().ToArray());
        return (QemuImg.Find(_directory["qemu-img"]), await VettedImage.VetAsync(_directory["image"]));
    }

    // Another process writes the program: one that this process has open for writing cannot be run.
    private void WriteScript(string name, string script)
    {
        Skip.If(OperatingSystem.IsWindows(), "the double is a shell script");
        File.WriteAllText(_directory["script"], $"#!/bin/sh\ncd '{_directory.Path}'\n{script}\n");
        Tool.Run("install", "-m", "755", _directory["script"], _directory[name]);
    }

    /// <summary>A control group of the tests' own, or the calling test is skipped.</summary>
    private sealed class ControlGroup : IDisposable
    {
        private ControlGroup(string path) => Path = path;

        public string Path { get; }

        public static ControlGroup Create(string name)
        {
            Skip.IfNot(OperatingSystem.IsLinux(), "control groups are a feature of Linux");
            var root = File.ReadAllLines("/proc/mounts").Select(line => line.Split(' '))
                .FirstOrDefault(fields => fields is [_, _, "cgroup2", ..])?[1];
            Skip.If(root is null, "no cgroup v2 is mounted");
            var path = System.IO.Path.Combine(root!, name);
            try
            {
                Directory.CreateDirectory(path);
                return new ControlGroup(path);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                throw new SkipException($"no control group can be made in {root}: {exception.Message}");
            }
        }

        public void Dispose() => Directory.Delete(Path);
    }
}
