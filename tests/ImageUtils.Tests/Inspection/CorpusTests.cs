using ImageUtils.Builders;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Inspection;

public sealed class CorpusTests
{
    public static TheoryData<string> Names => [.. Corpus.All.Select(image => image.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void The_verdict_is_the_expected_one_from_file_and_stream(string name)
    {
        var image = Corpus.All.Single(image => image.Name == name);
        var inspection = Inspected.Bytes(image.Bytes());
        Assert.Equal(image.Format, inspection.Format.ToName());
        var failures = inspection.Failures.Select(check => check.Name).Order().ToArray();
        Assert.True(
            image.FailedChecks.Order().SequenceEqual(failures),
            $"expected: {string.Join(", ", image.FailedChecks)}\nfound:\n{string.Join("\n", inspection.Checks)}");
        Assert.All(inspection.Failures, check => Assert.NotEmpty(check.Message));
    }
}
