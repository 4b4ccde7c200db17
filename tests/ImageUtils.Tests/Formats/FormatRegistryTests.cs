using ImageUtils.Formats;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats;

public sealed class FormatRegistryTests
{
    [Fact]
    public void Every_format_that_content_can_have_is_registered_once() => Assert.Equal(
        ImageFormatNames.Known.Except([ImageFormat.Raw, ImageFormat.Ami, ImageFormat.Ari, ImageFormat.Aki]).Order(),
        FormatRegistry.All.Select(format => format.Format).Order());

    [Fact]
    public void Every_format_declares_checks_with_a_description()
    {
        var known = typeof(CheckNames).GetFields().Select(field => (string)field.GetRawConstantValue()!).ToHashSet();
        Assert.All(FormatRegistry.All.Append(FormatRegistry.Raw), format =>
        {
            Assert.NotEmpty(format.Checks);
            Assert.Equal(format.Checks.Count, format.Checks.DistinctBy(check => check.Name).Count());
            Assert.All(format.Checks, check =>
            {
                Assert.Contains(check.Name, known);
                Assert.NotEmpty(check.Description);
            });
        });
    }

    [Fact]
    public void The_documentation_lists_every_check()
    {
        var page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "formats", "checks.md"));
        Assert.All(FormatRegistry.All.Append(FormatRegistry.Raw), format => Assert.All(format.Checks, check =>
            Assert.Contains(
                $"| {format.Format.ToName()} | `{check.Name}` | {check.Description} |", page, StringComparison.Ordinal)));
    }
}
