using System.Diagnostics;
using System.Reflection;
using Medallion.Shell;

namespace ImageUtils.Tests.Support;

/// <summary>Runs the console front as a user does.</summary>
internal static class ConsoleFront
{
    /// <summary>Where the console front and all it needs lie.</summary>
    public static string Directory { get; } = Path.Combine(
        Repository.Root, "src", "ImageUtils.Cli", "bin", Repository.Configuration, "net10.0");

    public static (int Code, string Output, string Error) Run(params object[] arguments) =>
        RunWith("dotnet", [Path.Combine(Directory, "imageutils.dll"), .. arguments]);

    /// <summary>Starts it, for tests that do not wait until it ends of itself.</summary>
    /// <remarks>
    /// Who runs the tests in the background of a shell has them, and all that they start, ignore interrupts.
    /// </remarks>
    public static Process Start(params string[] arguments)
    {
        string[] command = ["dotnet", Path.Combine(Directory, "imageutils.dll"), .. arguments];
        return Process.Start(OperatingSystem.IsLinux()
            ? new ProcessStartInfo("env", ["--default-signal=INT", .. command])
            : new ProcessStartInfo(command[0], command[1..]))!;
    }

    public static (int Code, string Output, string Error) RunOn(byte[] input, params object[] arguments)
    {
        var command = Command.Run("dotnet", [Path.Combine(Directory, "imageutils.dll"), .. arguments], Bounded);
        command.StandardInput.PipeFromAsync(new MemoryStream(input)).ContinueWith(
            _ => command.StandardInput.Close(), TaskScheduler.Default);
        return ToResult(command);
    }

    public static (int Code, string Output, string Error) RunWith(string program, params object[] arguments) =>
        ToResult(Command.Run(Tool.Find(program) ?? program, arguments, Bounded));

    private static void Bounded(Shell.Options options) => options.Timeout(TimeSpan.FromMinutes(5));

    private static (int Code, string Output, string Error) ToResult(Command command)
    {
        var result = command.Result;
        return (result.ExitCode, result.StandardOutput, result.StandardError);
    }
}

/// <summary>The checkout that the tests were built from.</summary>
internal static class Repository
{
    public static string Root { get; } = typeof(Repository).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>().Single(one => one.Key == "RepositoryRoot").Value!;

    public static string Configuration { get; } = typeof(Repository).Assembly
        .GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;
}
