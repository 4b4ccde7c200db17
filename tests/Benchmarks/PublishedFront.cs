namespace ImageUtils.Benchmarks;

/// <summary>The console front as it is shipped: a native program, in a directory of its own.</summary>
internal static class PublishedFront
{
    /// <summary>The checkout that this program was built from.</summary>
    internal static string Root { get; } = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../../.."));

    /// <summary>Publishes it.</summary>
    /// <returns>The path of the program.</returns>
    internal static string Publish(string directory)
    {
        Console.Error.WriteLine("Publishing the console front …");
        Programs.Run(
            "dotnet", "publish", Path.Combine(Root, "src", "ImageUtils.Cli"), "-c", "Release", "-o", directory,
            "--nologo", "-v", "quiet", "--use-current-runtime", "-p:RunAnalyzers=false");
        return Path.Combine(directory, "imageutils");
    }

    /// <summary>Whether the console front has a command.</summary>
    internal static bool Has(string program, string command) => Programs.TryRun(program, "--help").Output.Split('\n')
        .Any(line => line.TrimStart().StartsWith(command + " ", StringComparison.Ordinal));
}
