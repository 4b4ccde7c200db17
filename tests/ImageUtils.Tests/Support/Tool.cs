using Medallion.Shell;

namespace ImageUtils.Tests.Support;

/// <summary>Runs a real program that a test needs. Where there is none, the test is skipped with the reason.</summary>
internal static class Tool
{
    public static string? Find(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Append("/usr/sbin").Append("/sbin")
            .Select(directory => Path.Combine(directory, name)).FirstOrDefault(File.Exists);

    /// <summary>Skips the calling <c>[SkippableFact]</c> where the program is not installed.</summary>
    public static string Require(string name, string package)
    {
        var path = Find(name);
        Skip.If(path is null, $"{name} is not installed (Debian package {package})");
        return path!;
    }

    /// <summary>Runs a program to its end and returns what it printed.</summary>
    public static string Run(string name, params object[] arguments)
    {
        for (var attempt = 1; ; attempt++)
        {
            var command = Command.Run(
                Find(name) ?? name, arguments, options => options.Timeout(TimeSpan.FromMinutes(2)));
            var result = command.Result;
            if (result.Success)
            {
                return result.StandardOutput;
            }

            // qemu measures its key derivation when it makes a LUKS header, now and then in vain.
            if (attempt == 10
                || !result.StandardError.Contains("Unable to get accurate CPU usage", StringComparison.Ordinal))
            {
                throw new InvalidOperationException(
                    $"{name} {string.Join(' ', arguments)} ended with {result.ExitCode}: {result.StandardError}");
            }
        }
    }
}
