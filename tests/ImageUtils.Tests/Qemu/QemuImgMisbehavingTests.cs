using System.Diagnostics;
using ImageUtils.Builders;
using ImageUtils.Errors;
using ImageUtils.Qemu;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Qemu;

/// <summary>A program in qemu-img's place that does what a hostile image may make it do.</summary>
public sealed class QemuImgMisbehavingTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SkippableFact]
    public async Task One_that_hangs_is_killed_with_its_children()
    {
        var error = await Assert.ThrowsAsync<QemuImgTimedOutException>(() => Run(
            "echo waiting >&2; sleep 1000 & echo $! > child; echo $$ > parent; wait",
            new() { WallTime = TimeSpan.FromSeconds(2.5) }));
        Assert.Equal("QemuImgTimedOut", error.ErrorId);
        Assert.Contains("2.5 seconds", error.Message, StringComparison.Ordinal);
        Assert.Contains("waiting", error.Message, StringComparison.Ordinal);
        AssertGone();
    }

    [SkippableFact]
    public async Task One_that_is_cancelled_is_gone_when_the_call_ends()
    {
        using var cancel = new CancellationTokenSource();
        var running = Run(
            "sleep 1000 & echo $! > child; echo $$ > id; mv id parent; wait", ProcessLimits.Default, cancel.Token);
        while (!File.Exists(_directory["parent"]) && !running.IsCompleted)
        {
            await Task.Delay(10);
        }

        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        AssertGone();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Run("true", ProcessLimits.Default, cancel.Token));
    }

    [SkippableFact]
    public async Task One_whose_orphan_keeps_its_output_open_does_not_outlast_its_time()
    {
        var watch = Stopwatch.StartNew();
        await Assert.ThrowsAsync<QemuImgTimedOutException>(() => Run(
            "sleep 60 & echo $! > orphan; exit 0", new() { WallTime = TimeSpan.FromSeconds(1) }));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(40), $"{watch.Elapsed}");
        Tool.Run("kill", File.ReadAllText(_directory["orphan"]).Trim());
    }

    [SkippableFact]
    public async Task One_that_prints_without_end_is_killed()
    {
        var error = await Assert.ThrowsAsync<QemuImgLimitExceededException>(() => Run(
            "echo $$ > child; echo $$ > parent; while :; do echo 0123456789abcdef; done",
            new() { OutputLength = 100_000 }));
        Assert.Equal("QemuImgLimitExceeded", error.ErrorId);
        Assert.Contains("100000", error.Message, StringComparison.Ordinal);
        AssertGone();
    }

    [SkippableFact]
    public async Task One_that_complains_without_end_is_kept_short()
    {
        var error = await Assert.ThrowsAsync<QemuImgFailedException>(() => Run(
            "head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 1", ProcessLimits.Default));
        Assert.Equal(64 * 1024, error.StandardError.Length);
        Assert.True(error.Message.Length < 500);
    }

    [SkippableFact]
    public async Task One_that_computes_without_end_is_ended_by_its_limit()
    {
        RequirePrlimit();
        var error = await Assert.ThrowsAsync<QemuImgLimitExceededException>(() => Run(
            "while :; do :; done", new() { CpuTime = TimeSpan.FromSeconds(1) }));
        Assert.Equal(128 + 24, error.ExitCode);
        Assert.Contains("processor time", error.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task One_that_wants_all_memory_is_refused_it()
    {
        RequirePrlimit();
        var error = await Assert.ThrowsAsync<QemuImgLimitExceededException>(() => Run(
            "exec tail /dev/zero", new() { AddressSpace = 64 << 20 }));
        Assert.Equal("QemuImgLimitExceeded", error.ErrorId);
        Assert.Contains("more memory", error.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task One_that_crashes_is_said_to_have()
    {
        var error = await Assert.ThrowsAsync<QemuImgFailedException>(() => Run("kill -SEGV $$", ProcessLimits.Default));
        Assert.Equal(128 + 11, error.ExitCode);
        Assert.Contains("signal 11", error.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task One_that_is_killed_from_elsewhere_is_said_to_have_run_out_of_something()
    {
        var error = await Assert.ThrowsAsync<QemuImgLimitExceededException>(
            () => Run("kill -KILL $$", ProcessLimits.Default));
        Assert.Equal(128 + 9, error.ExitCode);
    }

    [SkippableFact]
    public async Task One_that_fails_is_quoted()
    {
        var error = await Assert.ThrowsAsync<QemuImgFailedException>(() => Run(
            "echo 'first line' >&2; echo 'second line' >&2; exit 3", ProcessLimits.Default));
        Assert.Equal(3, error.ExitCode);
        Assert.Contains("exit code 3", error.Message, StringComparison.Ordinal);
        Assert.Contains("first line second line", error.Message, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("echo garbage")]
    [InlineData("true")]
    [InlineData("echo '{\"filename\": \"a\"'")]
    [InlineData("echo '{\"filename\": \"a\", \"format\": \"raw\"}'")]
    [InlineData("echo '[]'")]
    public async Task One_that_succeeds_with_nonsense_is_not_believed(string script)
    {
        var error = await Assert.ThrowsAsync<QemuOutputException>(() => Run(script, ProcessLimits.Default));
        Assert.Equal("QemuOutputNotUnderstood", error.ErrorId);
    }

    [SkippableFact]
    public async Task It_is_told_what_it_needs_and_no_more()
    {
        await Run(
            "printf '%s\\n' \"$LC_ALL\" \"$@\" > told; cat >> told; ulimit -S -t >> told; ulimit -H -t >> told; "
            + "ulimit -v >> told; echo '{\"filename\": \"a\", \"format\": \"qcow2\"}'",
            ProcessLimits.Default);
        var told = File.ReadAllLines(_directory["told"]);
        Assert.Equal(["C", "info", "--output=json", "-f", "qcow2", _directory["image"]], told[..6]);
        RequirePrlimit();
        Assert.Equal(["60", "61", "1048576"], told[6..]);
    }

    [SkippableFact]
    public async Task A_file_that_is_no_program_is_said_to_be_none()
    {
        Skip.If(OperatingSystem.IsWindows());
        File.WriteAllBytes(_directory["script"], [0x7F, 0x45, 0x4C, 0x46]);
        Tool.Run("install", "-m", "755", _directory["script"], _directory["qemu-img"]);
        foreach (var limits in new[] { ProcessLimits.Default, new() { CpuTime = null, AddressSpace = null } })
        {
            var error = await Assert.ThrowsAsync<QemuImgFailedException>(() => InfoAsync(limits, default));
            Assert.Contains("qemu-img", error.Message, StringComparison.Ordinal);
        }
    }

    [SkippableFact]
    public async Task The_version_is_asked_again_when_the_program_changes()
    {
        Skip.If(OperatingSystem.IsWindows());
        WriteScript("echo 'qemu-img version 1.2.3'");
        var qemu = QemuImg.Find(_directory["qemu-img"]);
        Assert.Equal(new Version(1, 2, 3), (await qemu.GetVersionAsync()).Version);
        WriteScript("echo 'qemu-img version 4.5.6'");
        File.SetLastWriteTimeUtc(_directory["qemu-img"], DateTime.UtcNow.AddMinutes(1));
        Assert.Equal(new Version(4, 5, 6), (await qemu.GetVersionAsync()).Version);
    }

    private static void RequirePrlimit() =>
        Skip.IfNot(OperatingSystem.IsLinux() && Tool.Find("prlimit") is not null, "prlimit is not installed");

    private Task<QemuImageInfo> Run(string script, ProcessLimits limits, CancellationToken cancellationToken = default)
    {
        Skip.If(OperatingSystem.IsWindows(), "the double is a shell script");
        WriteScript(script);
        return InfoAsync(limits, cancellationToken);
    }

    private async Task<QemuImageInfo> InfoAsync(ProcessLimits limits, CancellationToken cancellationToken)
    {
        File.WriteAllBytes(_directory["image"], Qcow2Cases.Valid().ToArray());
        var image = await VettedImage.VetAsync(_directory["image"], null, false, cancellationToken);
        return await QemuImg.Find(_directory["qemu-img"])
            .InfoAsync(image, new QemuInfoOptions { Limits = limits }, cancellationToken);
    }

    private void WriteScript(string script)
    {
        // Another process writes the program: one that this process has open for writing, if only because a
        // concurrent fork of it does, cannot be run.
        File.WriteAllText(_directory["script"], $"#!/bin/sh\ncd '{_directory.Path}'\n{script}\n");
        Tool.Run("install", "-m", "755", _directory["script"], _directory["qemu-img"]);
    }

    private void AssertGone()
    {
        foreach (var name in new[] { "parent", "child" })
        {
            var id = File.ReadAllText(_directory[name]).Trim();

            // What has ended but was not waited for yet, by whoever adopted it, runs no more.
            var isRunning = File.Exists($"/proc/{id}/stat")
                && !File.ReadAllText($"/proc/{id}/stat").Contains(") Z ", StringComparison.Ordinal);
            Assert.False(isRunning, $"the {name} {id} is still there");
        }
    }
}
