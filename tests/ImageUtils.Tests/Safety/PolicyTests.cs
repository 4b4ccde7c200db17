using ImageUtils.Builders;
using ImageUtils.Inspection;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Safety;

public sealed class PolicyTests
{
    [Fact]
    public void A_virtual_size_is_limited()
    {
        Assert.True(Inspect(new SafetyPolicy { MaximumVirtualSize = 64 << 20 }).IsSafe);
        AssertFails(new SafetyPolicy { MaximumVirtualSize = (64 << 20) - 1 }, CheckNames.Expansion);
    }

    [Fact]
    public void An_expansion_is_limited()
    {
        Assert.True(Inspect(new SafetyPolicy { MaximumExpansionRatio = 256 }).IsSafe);
        AssertFails(new SafetyPolicy { MaximumExpansionRatio = 255 }, CheckNames.Expansion);
    }

    [Fact]
    public void A_size_that_is_not_known_is_over_every_limit()
    {
        var options = new InspectionOptions { Policy = new SafetyPolicy { MaximumVirtualSize = long.MaxValue } };
        var image = Inspected.Bytes(Corpus.All.Single(one => one.Name == "gzip/valid").Bytes(), options);
        Assert.Equal(CheckNames.Expansion, Assert.Single(image.Failures).Name);
    }

    [Fact]
    public void Formats_are_limited()
    {
        Assert.True(Inspect(new SafetyPolicy { AllowedFormats = [ImageFormat.Vhd, ImageFormat.Qcow2] }).IsSafe);
        AssertFails(new SafetyPolicy { AllowedFormats = [ImageFormat.Vhd] }, CheckNames.Format);
    }

    [Fact]
    public void A_check_that_is_not_fatal_is_still_made()
    {
        var options = new InspectionOptions { Policy = new SafetyPolicy { NonFatalChecks = ["BACKING_FILE"] } };
        var image = Inspected.Bytes(Qcow2Cases.WithBacking("/etc/passwd").ToArray(), options);
        Assert.True(image.IsSafe);
        var check = image.Checks.Single(one => one.Name == CheckNames.BackingFile);
        Assert.Equal(CheckVerdict.Allowed, check.Verdict);
        Assert.Contains("/etc/passwd", check.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Extended_l2_entries_can_be_allowed()
    {
        var image = Qcow2Cases.Valid().Big64(72, 16).ToArray();
        Assert.False(Inspected.Bytes(image).IsSafe);
        Assert.True(Inspected.Bytes(
            image, new InspectionOptions { Policy = new SafetyPolicy { AllowExtendedL2 = true } }).IsSafe);
    }

    [Fact]
    public async Task A_backing_file_below_a_listed_directory_is_allowed()
    {
        using var directory = new TemporaryDirectory();
        var image = Qcow2Cases.WithBacking("base.qcow2").ToArray();
        File.WriteAllBytes(directory["overlay.qcow2"], image);
        var options = new InspectionOptions { Policy = new SafetyPolicy { BackingFileDirectories = [directory.Path] } };
        Assert.True((await ImageInspector.InspectFileAsync(directory["overlay.qcow2"], options)).IsSafe);
        Assert.False(Inspected.File(image, options).IsSafe);
    }

    [Fact]
    public async Task A_raw_file_whose_name_ends_in_dmg_is_ambiguous_to_qemu()
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllBytes(directory["disk.dmg"], new byte[4096]);
        var image = await ImageInspector.InspectFileAsync(directory["disk.dmg"]);
        Assert.Equal(CheckNames.Ambiguous, Assert.Single(image.Failures).Name);
    }

    private static ImageInspection Inspect(SafetyPolicy policy) =>
        Inspected.Bytes(Qcow2Cases.Valid().ToArray(), new InspectionOptions { Policy = policy });

    private static void AssertFails(SafetyPolicy policy, string check) =>
        Assert.Equal(check, Assert.Single(Inspect(policy).Failures).Name);
}
