namespace ImageUtils.Tests.Support;

/// <summary>The Pester files, one test each.</summary>
internal static class PesterFiles
{
    public static IEnumerable<string> All =>
        Directory.GetFiles(Path.Combine(Repository.Root, "tests", "Module"), "*.Tests.ps1")
            .Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal);
}
