using ImageUtils.Tests.Cli;
using ImageUtils.Tests.Module;
using Xunit.Abstractions;

[assembly: TestCollectionOrderer("ImageUtils.Tests.Support.LongestFirst", "ImageUtils.Tests")]

namespace ImageUtils.Tests.Support;

/// <summary>
/// Begins with the classes that take minutes, each by itself: were they to begin last, all other processors would wait
/// for them.
/// </summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    private static readonly string?[] s_long = [typeof(PesterTests).FullName, typeof(NativeFrontTests).FullName];

    /// <inheritdoc/>
    public IEnumerable<ITestCollection> OrderTestCollections(IEnumerable<ITestCollection> testCollections) =>
        testCollections.OrderBy(one => !s_long.Any(
            name => one.DisplayName.EndsWith(" " + name, StringComparison.Ordinal)));
}
