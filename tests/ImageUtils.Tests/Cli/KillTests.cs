using System.Diagnostics;
using ImageUtils.Conversion;
using ImageUtils.Tests.Conversion;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Cli;

/// <summary>
/// The console front, killed: what it was making is complete or not there. <c>tests/Benchmarks -- torture</c> does it
/// at some hundred random moments, on a larger disk.
/// </summary>
public sealed class KillTests : IDisposable
{
    private const int DiskLength = 32 << 20;
    private const string Destination = "b";
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    private readonly TemporaryDirectory _directory = new();
    private readonly byte[] _disk = SampleDisk.Make(seed: 5, DiskLength);
    private readonly byte[] _old = [.. "what was there before"u8];

    public KillTests()
    {
        new Random(5).NextBytes(_disk.AsSpan(DiskLength / 2));
        File.WriteAllBytes(_directory["a.raw"], _disk);
    }

    private string Result => _directory[Destination];

    public void Dispose() => _directory.Dispose();

    [SkippableFact]
    public async Task A_destination_is_complete_or_as_it_was_whenever_the_process_is_killed()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "files without a name are Linux's");
        string[][] kinds = [["raw"], ["qcow2"], ["qcow2", "-c"], ["vpc"], ["vhdx"], ["vmdk"], ["vdi"], ["raw"]];
        var whole = Run(kinds[0]);
        for (var index = 0; index < kinds.Length; index++)
        {
            var replaces = index % 2 == 1;
            File.Delete(Result);
            if (replaces)
            {
                File.WriteAllBytes(Result, _old);
            }

            using (var process = Start([.. kinds[index], .. replaces ? new[] { "--force" } : []]))
            {
                Thread.Sleep(whole * (index + 0.5) / kinds.Length);
                process.Kill();
                Assert.True(process.WaitForExit(s_patience));
            }

            var expected = File.Exists(Result) ? ["a.raw", Destination] : new[] { "a.raw" };
            Assert.Equal(expected, _directory.Names());
            Assert.True(File.Exists(Result) || !replaces, "the old file is gone");
            if (File.Exists(Result) && !(replaces && IsOld()))
            {
                Assert.Equal(_disk, (await SampleDisk.ReadAsync(Result))[..DiskLength]);
            }
        }
    }

    [SkippableFact]
    public async Task What_a_killed_process_kept_is_gone_on_with()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "the signal is Unix's");
        using (var process = Start("qcow2", "--resume", "-r", "2M"))
        {
            var journal = ResumeJournal.PathOf(Result);
            Assert.True(SpinWait.SpinUntil(() => File.Exists(journal) || process.HasExited, s_patience));
            process.Kill();
            Assert.True(process.WaitForExit(s_patience));
        }

        Assert.Equal([".b.imageutils-journal", ".b.imageutils-part", "a.raw"], _directory.Names());
        Run("qcow2", "--resume");
        Assert.Equal(["a.raw", Destination], _directory.Names());
        Assert.Equal(_disk, await SampleDisk.ReadAsync(Result));
    }

    [SkippableFact]
    public void An_interrupt_ends_it_within_a_second_with_130_and_leaves_nothing()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "the signal is Unix's");
        using var process = Start("qcow2", "-c", "-r", "1M");
        Assert.True(SpinWait.SpinUntil(() => IsWriting(process) || process.HasExited, s_patience));
        Assert.False(process.HasExited);
        Tool.Run("kill", "-INT", process.Id);
        var watch = Stopwatch.StartNew();
        Assert.True(process.WaitForExit(s_patience));
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(1));
        Assert.Equal(130, process.ExitCode);
        Assert.Equal(["a.raw"], _directory.Names());
    }

    // The file has no name; what the process has open has.
    private bool IsWriting(Process process)
    {
        try
        {
            return Directory.EnumerateFileSystemEntries($"/proc/{process.Id}/fd").Any(link =>
                File.ResolveLinkTarget(link, returnFinalTarget: false) is { } target
                && target.FullName.StartsWith(_directory.Path, StringComparison.Ordinal)
                && target.FullName.EndsWith("(deleted)", StringComparison.Ordinal));
        }
        catch (IOException)
        {
            return false;
        }
    }

    private bool IsOld() => File.ReadAllBytes(Result).AsSpan().SequenceEqual(_old);

    private TimeSpan Run(params string[] arguments)
    {
        var watch = Stopwatch.StartNew();
        using var process = Start(arguments);
        Assert.True(process.WaitForExit(s_patience));
        Assert.Equal(0, process.ExitCode);
        return watch.Elapsed;
    }

    private Process Start(params string[] arguments) => ConsoleFront.Start(
        ["convert", "--engine", "native", "-f", "raw", "-O", .. arguments, _directory["a.raw"], Result]);
}
