using ImageUtils.Builders;
using ImageUtils.Formats;
using ImageUtils.Inspection;
using ImageUtils.IO;
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
        Assert.All(inspection.Checks, check => Assert.DoesNotContain(check.Message, char.IsControl));
    }

    [Fact]
    public void A_fixed_vhd_with_the_name_of_a_dmg_is_ambiguous_because_qemu_goes_by_the_name()
    {
        var bytes = Corpus.All.Single(image => image.Name == "vhd/fixed").Bytes();
        var inspection = Inspected.Bytes(bytes, new InspectionOptions { Path = "disk.dmg" });
        Assert.Equal([CheckNames.Ambiguous], inspection.Failures.Select(check => check.Name));
    }

    [Fact]
    public void A_second_format_that_is_not_safe_fails_even_where_the_policy_does_not_mind_several()
    {
        // The footer makes it a VHD, of which nothing is wrong; qemu goes by the text before it.
        var bytes = Corpus.All.Single(image => image.Name == "vhd/fixed").Bytes();
        VmdkCases.TextFile(VmdkCases.Text("monolithicFlat", "RW 1 FLAT \"/etc/passwd\" 0")).ToArray().CopyTo(bytes, 0);
        var options = new InspectionOptions
        {
            Policy = SafetyPolicy.Default with { NonFatalChecks = [CheckNames.Ambiguous] },
        };
        var failure = Assert.Single(Inspected.Bytes(bytes, options).Failures);
        Assert.Equal(CheckNames.Ambiguous, failure.Name);
        Assert.Contains("As vmdk it fails: descriptor, extents", failure.Message);
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

    [Fact]
    public async Task A_first_byte_rules_out_only_formats_whose_probes_say_so_too()
    {
        foreach (var image in Corpus.All)
        {
            var bytes = image.Bytes();
            var source = new ForwardOnlySource();
            source.Push(bytes);
            source.Complete();
            foreach (var format in FormatRegistry.All.Where(format =>
                format.FirstBytes.Length > 0 && (bytes.Length == 0 || !format.FirstBytes.Contains(bytes[0]))))
            {
                Assert.False(await format.ProbeAsync(new ForwardReader(source), default), $"{image.Name}, {format.Format}");
            }
        }
    }
}
