using ImageUtils.Builders;
using ImageUtils.Inspection;
using ImageUtils.Safety;
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

    [Fact]
    public void What_cannot_be_looked_at_does_not_pass_with_a_check_that_the_policy_does_not_mind()
    {
        // The tables are judged after the references only where they can be read: nothing may slip through with them.
        var options = new InspectionOptions
        {
            Policy = SafetyPolicy.Default with { NonFatalChecks = [CheckNames.Tables, CheckNames.Truncated, CheckNames.Version] },
        };
        foreach (var image in Corpus.All.Where(image => image.FailedChecks.Length > 0))
        {
            var inspection = Inspected.File(image.Bytes(), options);
            var unseen = inspection.IsSafe
                ? Inspected.File(image.Bytes()).Checks.Where(check => check.Verdict == CheckVerdict.Skipped
                    && check.Message.Contains("malformed", StringComparison.Ordinal)
                    && !options.Policy.NonFatalChecks.Contains(check.Name)).Select(check => check.Name)
                : [];
            Assert.True(!unseen.Any(), $"{image.Name} is safe, and nobody looked at {string.Join(", ", unseen)}");
            Assert.True(
                !inspection.IsSafe || image.FailedChecks.All(options.Policy.NonFatalChecks.Contains),
                image.Name);
        }
    }
}
