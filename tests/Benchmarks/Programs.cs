using System.Diagnostics;

namespace ImageUtils.Benchmarks;

/// <summary>How long a process took, and the most memory that it held.</summary>
/// <param name="Time">From its start to its end.</param>
/// <param name="PeakBytes">The largest resident set, in bytes.</param>
internal readonly record struct Measured(TimeSpan Time, long PeakBytes);

/// <summary>Runs other programs to their end.</summary>
internal static class Programs
{
    private const string Timer = "time";

    internal static string? Find(string name) => Path.IsPathRooted(name)
        ? name
        : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .Concat(["/usr/sbin", "/sbin"]).Select(directory => Path.Combine(directory, name))
            .FirstOrDefault(File.Exists);

    /// <exception cref="InvalidOperationException">It is not installed.</exception>
    internal static string Require(string name, string package) => Find(name) ?? throw new InvalidOperationException(
        $"{name} is not installed (Debian package {package}).");

    /// <summary>Runs a program and returns what it printed.</summary>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    internal static string Run(string program, params IEnumerable<string> arguments)
    {
        var (code, output, error) = TryRun(program, arguments);
        return code == 0 ? output : throw new InvalidOperationException(
            $"{program} {string.Join(' ', arguments)} ended with {code}: {error}");
    }

    /// <summary>Runs a program, whatever it ends with.</summary>
    internal static (int Code, string Output, string Error) TryRun(string program, params IEnumerable<string> arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Find(program) ?? program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.Result);
    }

    /// <summary>
    /// Runs a program under time(1), which asks the kernel for the largest resident set. Its own start, below a
    /// millisecond, is part of every time alike.
    /// </summary>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    internal static Measured Measure(string program, IEnumerable<string> arguments)
    {
        var report = Path.GetTempFileName();
        try
        {
            string[] all = ["-q", "-f", "%M", "-o", report, Find(program) ?? program, .. arguments];
            var started = Stopwatch.GetTimestamp();
            Run(Require(Timer, "time"), all);
            var time = Stopwatch.GetElapsedTime(started);
            return new Measured(time, long.Parse(File.ReadAllText(report)) * 1024);
        }
        finally
        {
            File.Delete(report);
        }
    }
}
