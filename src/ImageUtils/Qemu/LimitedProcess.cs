using System.ComponentModel;
using System.Text;
using Medallion.Shell;

namespace ImageUtils.Qemu;

/// <summary>How a process ended.</summary>
internal enum ProcessEnd
{
    /// <summary>By itself, or by a signal from elsewhere.</summary>
    Exited,

    /// <summary>Killed: its time by the clock was over.</summary>
    TimedOut,

    /// <summary>Killed: it said more than is read.</summary>
    OutputTooLong,
}

/// <summary>What came of a process.</summary>
/// <param name="End">How it ended.</param>
/// <param name="ExitCode">Its exit code where it exited; 128 and the signal's number where a signal ended it.</param>
/// <param name="Output">What it printed.</param>
/// <param name="Error">What it printed on its error stream, the beginning of it.</param>
internal sealed record ProcessOutcome(ProcessEnd End, int ExitCode, string Output, string Error);

/// <summary>Runs a program within limits, and leaves nothing of it behind.</summary>
internal static class LimitedProcess
{
    private const int KeptErrorLength = 64 * 1024;

    // How long a killed process may take to be gone: it may be in a system call that waits for a disk.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    // How long what it said last may take to arrive after that.
    private static readonly TimeSpan s_patienceForOutput = TimeSpan.FromSeconds(0.5);

    /// <exception cref="Win32Exception">The program cannot be started.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled; the process is gone.</exception>
    /// <param name="program">Its absolute path.</param>
    /// <param name="arguments">Each as it is to arrive.</param>
    /// <param name="limits">What it may take.</param>
    /// <param name="cancellationToken">Kills it.</param>
    /// <param name="placement">Where it runs; null: here, as this user.</param>
    /// <param name="outputSeen">Is told what it prints as it comes. What this throws kills the process.</param>
    internal static async Task<ProcessOutcome> RunAsync(
        string program,
        IReadOnlyList<string> arguments,
        ProcessLimits limits,
        CancellationToken cancellationToken,
        ProcessPlacement? placement = null,
        Action<ReadOnlySpan<byte>>? outputSeen = null)
    {
        cancellationToken.ThrowIfCancellationRequested();
        placement ??= ProcessPlacement.Here;
        List<string> prefix = [.. placement.GetPrefix(), .. GetPrefix(limits)];
        var command = Command.Run(
            prefix.Count == 0 ? program : prefix[0],
            prefix.Count == 0 ? arguments : [.. prefix.Skip(1), program, .. arguments],
            options => options.DisposeOnExit(false).EnvironmentVariable("LC_ALL", "C"));
        using IDisposable disposed = command;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        if (limits.WallTime is { } wallTime)
        {
            stop.CancelAfter(wallTime);
        }

        CloseInput(command);
        var output = new MemoryStream();
        var error = new MemoryStream();
        var reading = ReadAsync(command.StandardOutput.BaseStream, output, limits.OutputLength, stop, outputSeen);
        var readingError = ReadAsync(command.StandardError.BaseStream, error, KeptErrorLength, null, null);
        var end = ProcessEnd.Exited;
        try
        {
            await Task.WhenAll(command.Task, reading, readingError).WaitAsync(stop.Token).ConfigureAwait(false);
            end = await reading.ConfigureAwait(false) ? ProcessEnd.Exited : ProcessEnd.OutputTooLong;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            await KillAsync(command, placement, Task.WhenAll(reading, readingError)).ConfigureAwait(false);
            if (reading.IsFaulted)
            {
                await reading.ConfigureAwait(false);
            }

            cancellationToken.ThrowIfCancellationRequested();
            end = reading is { IsCompletedSuccessfully: true, Result: false }
                ? ProcessEnd.OutputTooLong
                : ProcessEnd.TimedOut;
        }

        var exitCode = end == ProcessEnd.Exited ? command.Process.ExitCode : -1;
        return new ProcessOutcome(end, exitCode, ToText(output), ToText(error));
    }

    /// <summary>The first such program in the directories of PATH; relative ones do not count.</summary>
    internal static string? FindInPath(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Where(Path.IsPathFullyQualified)
            .Select(directory => Path.Combine(directory, name))
            .FirstOrDefault(IsExecutable);

    internal static bool IsExecutable(string path) => File.Exists(path)
        && (OperatingSystem.IsWindows()
            || (File.GetUnixFileMode(path)
                & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) != 0);

    // The soft limit of processor time is a second below the hard one: the process then ends with SIGXCPU, which says
    // why, and not with SIGKILL, which may have come from anywhere.
    private static List<string> GetPrefix(ProcessLimits limits)
    {
        if (limits is { CpuTime: null, AddressSpace: null } || !OperatingSystem.IsLinux()
            || (FindInPath("prlimit") ?? Array.Find(["/usr/bin/prlimit", "/bin/prlimit"], IsExecutable))
                is not { } prlimit)
        {
            return [];
        }

        var prefix = new List<string> { prlimit };
        if (limits.CpuTime is { } cpuTime)
        {
            var seconds = (long)Math.Ceiling(cpuTime.TotalSeconds);
            prefix.Add($"--cpu={seconds}:{seconds + 1}");
        }

        if (limits.AddressSpace is { } addressSpace)
        {
            prefix.Add($"--as={addressSpace}");
        }

        prefix.Add("--");
        return prefix;
    }

    // Reads to the end and keeps what fits. Where there is more, that is the end if there is something to stop.
    private static async Task<bool> ReadAsync(
        Stream from, MemoryStream to, int most, CancellationTokenSource? stop, Action<ReadOnlySpan<byte>>? seen)
    {
        var buffer = new byte[16 * 1024];
        var fits = true;
        int read;
        while ((read = await from.ReadAsync(buffer, CancellationToken.None).ConfigureAwait(false)) > 0)
        {
            fits &= read <= most - to.Length;
            to.Write(buffer, 0, (int)Math.Min(read, most - to.Length));
            try
            {
                seen?.Invoke(buffer.AsSpan(0, read));
            }
            catch
            {
                _ = stop?.CancelAsync();
                throw;
            }

            if (!fits && stop is not null)
            {
                // Not awaited: what it wakes waits for this very method.
                _ = stop.CancelAsync();
                return false;
            }
        }

        return fits;
    }

    private static void CloseInput(Command command)
    {
        try
        {
            command.StandardInput.Dispose();
        }
        catch (IOException)
        {
            // It ended before its input was closed.
        }
    }

    private static async Task KillAsync(Command command, ProcessPlacement placement, Task readers)
    {
        if (placement.IsElevated)
        {
            await placement.KillElevatedAsync(command.ProcessId).ConfigureAwait(false);
        }

        try
        {
            command.Process.Kill(entireProcessTree: true);
        }
        catch (Exception exception)
            when (exception is InvalidOperationException or Win32Exception or AggregateException)
        {
            // It ended meanwhile.
        }

        // Where the pipes stay open, something holds them that it has left behind, and nobody reads them any more.
        _ = await Task.WhenAny(command.Process.WaitForExitAsync(CancellationToken.None), Task.Delay(s_patience))
            .ConfigureAwait(false);
        _ = await Task.WhenAny(readers, Task.Delay(s_patienceForOutput)).ConfigureAwait(false);
    }

    // A reader that was given up may still write: the length first, then the buffer, which only grows.
    private static string ToText(MemoryStream stream)
    {
        var length = (int)stream.Length;
        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, length);
    }
}
