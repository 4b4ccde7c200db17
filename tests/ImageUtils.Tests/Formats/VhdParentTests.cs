using ImageUtils.Builders;
using ImageUtils.Formats.Vhd;
using ImageUtils.Inspection;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats;

/// <summary>What is said of a VHD's parent, and where its footers do not agree on it.</summary>
public sealed class VhdParentTests
{
    [Fact]
    public void A_parent_that_is_refused_is_named_with_what_to_do()
    {
        static string Refuse(string name, Guid id, params string[] directories) => Assert.Single(
            Inspected.Stream(
                VhdCases.Seal(VhdCases.Differencing(null, name).Put(512 + 40, id.ToByteArray())).ToArray(),
                _ => 4096,
                new InspectionOptions
                {
                    Path = "/srv/images/child.vhd",
                    Policy = SafetyPolicy.Default with { BackingFileDirectories = directories },
                }).Failures).Message;

        const string name = @"C:\vm\base.vhd";
        Assert.Equal(
            @"The image names the parent 'C:\vm\base.vhd' (here './base.vhd', beside it): the policy allows none. If "
            + "that is its parent, allow its directory with -AllowBackingFile; otherwise give the disk its right parent "
            + "with Set-VhdParent.",
            Refuse(name, Guid.NewGuid()));
        Assert.Contains(
            "is not below /srv/other. If that", Refuse(name, Guid.NewGuid(), "/srv/other"), StringComparison.Ordinal);

        // A raw parent has no id that a file beside the disk could be known by.
        Assert.Equal(
            @"The image names the parent 'C:\vm\base.vhd': it is a path of Windows, and stands for no file here. Give "
            + "the disk its right parent with Set-VhdParent.",
            Refuse(name, Guid.Empty, "/srv/images", "/"));
    }

    [Fact]
    public void Two_whole_headers_are_a_change_of_the_parent_and_anything_else_is_damage()
    {
        const int second = 2048 + 512;
        static string[] Failures(Action<BuiltImage>? change) =>
        [
            .. Inspected.Bytes(VhdCases.WithSecondHeader("base.vhd", change).ToArray()).Failures
                .Select(check => check.Name).Where(name => name != CheckNames.Parent),
        ];
        Assert.Equal([CheckNames.ChangePending], Failures(null));
        foreach (var change in new Action<BuiltImage>[]
        {
            image => image.Text(second, "cxsparsX"),
            image => image.Big64(second + 16, 4096),
            image => image.Big32(second + 28, 5),
            image => image.Big32(second + 32, 4 << 20),
            image => image.Big32(60, 3),
        })
        {
            Assert.Equal([CheckNames.Checksum], Failures(change));
        }

        var torn = VhdCases.WithSecondHeader("base.vhd").Byte(second + 900, 1).ToArray();
        Assert.Contains(
            "differ in the data offset",
            Inspected.Bytes(torn).Failures.First(check => check.Name == CheckNames.Checksum).Message,
            StringComparison.Ordinal);
        var both = VhdCases.WithSecondHeader("base.vhd").ToArray();
        Assert.Contains(
            "a change of the parent was cut off",
            Inspected.Bytes(both).Failures.First(check => check.Name == CheckNames.ChangePending).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Where_there_are_drives_a_path_of_windows_is_a_files()
    {
        var inspection = Inspected.Bytes(VhdCases.Seal(VhdCases.Differencing(@".\a.vhd", @"C:\vm\base.vhd")).ToArray());
        Assert.Equal(
            [new(@".\a.vhd", "./a.vhd", false), new(@"C:\vm\base.vhd", "C:/vm/base.vhd", false)],
            VhdParentReference.Of(inspection, hasDrives: true));
        Assert.Equal(
            [new(@".\a.vhd", "./a.vhd", false), new(@"C:\vm\base.vhd", "./base.vhd", true)],
            VhdParentReference.Of(inspection, hasDrives: false));
    }
}
