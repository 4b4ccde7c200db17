using System.Globalization;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.Space;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Space;

/// <summary>Room on real file systems and devices.</summary>
public sealed class SpaceCheckTests
{
    private const long MiB = 1 << 20;

    [SkippableFact]
    public void A_file_system_in_memory_has_what_it_was_given()
    {
        using var memory = MountedFileSystem.OfMemory("1m", "with blank");
        var report = Assert.Single(
            SpaceCheck.Check(new SpaceRequirement(SpaceKind.Destination, memory["x.raw"], 4096)));
        Assert.Equal(MiB, report.AvailableBytes);
        Assert.Equal("tmpfs", report.FileSystem);
        Assert.Equal(memory.Path, report.MountPoint);
        Assert.Equal(memory.Path, report.Directory);
        Assert.True(report.IsEnough);
        File.WriteAllBytes(memory["x.raw"], new byte[600 * 1024]);
        report = SpaceCheck.Check(new SpaceRequirement(SpaceKind.Destination, memory["x.raw"], 4096))[0];
        Assert.Equal(424 * 1024, report.AvailableBytes);
    }

    [SkippableFact]
    public void An_ext4_has_what_stat_says_without_what_is_kept_for_root()
    {
        using var ext4 = MountedFileSystem.OfExt4(16 * MiB);
        var report = SpaceCheck.Check(new SpaceRequirement(SpaceKind.Destination, ext4.Path, 1))[0];
        var said = Tool.Run("stat", "-f", "-c", "%a %S %f", ext4.Path).Split(' ');
        var numbers = said.Select(text => long.Parse(text, CultureInfo.InvariantCulture)).ToArray();
        Assert.Equal(numbers[0] * numbers[1], report.AvailableBytes);
        Assert.True(numbers[0] < numbers[2]);
        Assert.Equal(("ext4", ext4.Source, ext4.Path), (report.FileSystem, report.Device, report.MountPoint));
    }

    [SkippableFact]
    public void A_byte_must_be_left_as_Cinder_wants_it()
    {
        using var memory = MountedFileSystem.OfMemory("1m");
        Assert.True(Check(MiB - 1).IsEnough);
        Assert.False(Check(MiB).IsEnough);
        Assert.False(Check(long.MaxValue).IsEnough);
        File.WriteAllBytes(memory["full"], new byte[MiB]);
        Assert.True(Check(0).IsEnough);
        Assert.False(Check(1).IsEnough);

        ImageSpaceReport Check(long bytes) =>
            SpaceCheck.Check(new SpaceRequirement(SpaceKind.Destination, memory.Path, bytes))[0];
    }

    [SkippableFact]
    public void What_goes_to_one_file_system_adds_up_under_all_its_names()
    {
        using var memory = MountedFileSystem.OfMemory("1m");
        using var other = MountedFileSystem.OfMemory("1m", "other");
        using var elsewhere = new TemporaryDirectory();
        Directory.CreateDirectory(memory["sub"]);
        Directory.CreateSymbolicLink(elsewhere["link"], memory["sub"]);
        var reports = SpaceCheck.Check(
            new(SpaceKind.Destination, memory.Path, 600 * 1024, 1024),
            new(SpaceKind.Temporary, elsewhere["link"], 500 * 1024),
            new(SpaceKind.Temporary, other.Path, 500 * 1024));
        Assert.Equal([1101 * 1024, 1101 * 1024, 500 * 1024], reports.Select(report => report.TotalRequiredBytes));
        Assert.Equal([600 * 1024, 500 * 1024, 500 * 1024], reports.Select(report => report.RequiredBytes));
        Assert.Equal([false, false, true], reports.Select(report => report.IsEnough));
        Assert.Contains("altogether", reports[0].Message, StringComparison.Ordinal);
        Tool.Run("mount", "--bind", memory["sub"], other.Path);
        try
        {
            Assert.Equal(
                [1000 * 1024, 1000 * 1024],
                SpaceCheck.Check(
                    new(SpaceKind.Destination, memory.Path, 500 * 1024),
                    new(SpaceKind.Temporary, other.Path, 500 * 1024)).Select(report => report.TotalRequiredBytes));
        }
        finally
        {
            Tool.Run("umount", other.Path);
        }
    }

    [SkippableFact]
    public void Too_little_is_an_error_that_names_the_file_system()
    {
        using var memory = MountedFileSystem.OfMemory("1m");
        var small = new SpaceRequirement(SpaceKind.Destination, memory["x.raw"], 1000);
        SpaceCheck.ThrowIfShort(small);
        var error = Assert.Throws<InsufficientSpaceException>(() => SpaceCheck.ThrowIfShort(
            small, new(SpaceKind.Destination, memory["y.raw"], 5 * MiB)));
        Assert.Equal("NoSpace", error.ErrorId);
        Assert.Contains(
            $"the file system {memory.Path} (tmpfs on tmpfs) with 1048576 bytes (1 MiB) available; 5243880 bytes",
            error.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_write_that_finds_no_space_is_told_from_other_errors()
    {
        using var memory = MountedFileSystem.OfMemory("64k");
        var full = Assert.Throws<IOException>(() => File.WriteAllBytes(memory["x.raw"], new byte[MiB]));
        Assert.True(SpaceCheck.IsNoSpace(full));
        Assert.False(SpaceCheck.IsNoSpace(new FileNotFoundException()));
        Assert.False(SpaceCheck.IsNoSpace(new IOException("something else")));
        var error = SpaceCheck.ToNoSpace(memory["x.raw"], MiB, full);
        Assert.Equal("NoSpace", error.ErrorId);
        Assert.Contains($"the file system {memory.Path} (tmpfs on tmpfs)", error.Message, StringComparison.Ordinal);
        Assert.Contains("1 MiB are needed", error.Message, StringComparison.Ordinal);
        Assert.Same(full, error.InnerException);
    }

    [SkippableFact]
    public void A_block_device_holds_what_fits_to_the_last_byte()
    {
        using var file = new TemporaryFile(new byte[MiB], ".raw");
        using var device = LoopDevice.Attach(file.Path);
        var report = SpaceCheck.Check(new SpaceRequirement(SpaceKind.Destination, device.Path, MiB))[0];
        Assert.Equal((MiB, "block device", true), (report.AvailableBytes, report.FileSystem, report.IsEnough));
        Assert.False(SpaceCheck.Check(new SpaceRequirement(SpaceKind.Destination, device.Path, MiB + 1))[0].IsEnough);
    }

    [SkippableFact]
    public void What_can_hold_no_image_is_refused()
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory["file"], "");
        Assert.Equal("FileNotFound", Refuse(directory["missing/x.raw"]).ErrorId);
        Assert.Equal("FileNotFound", Refuse(directory["file/x.raw"]).ErrorId);
        Skip.IfNot(OperatingSystem.IsLinux(), "only Linux tells");
        Assert.Equal("PathIsNotAFile", Refuse("/dev/null").ErrorId);

        static ImageFileException Refuse(string path) => Assert.Throws<ImageFileException>(
            () => SpaceCheck.Check(new SpaceRequirement(SpaceKind.Destination, path, 1)));
    }

    [Theory]
    [InlineData(0, 0, true)]
    [InlineData(1, 0, false)]
    [InlineData(1, 1, true)]
    [InlineData(1L << 30, 1, true)]
    [InlineData((1L << 30) + 1, 1, false)]
    [InlineData((1L << 30) + 1, 2, true)]
    [InlineData((1L << 60) + 1, 1L << 30, false)]
    [InlineData(long.MaxValue, long.MaxValue >> 30, false)]
    public void A_virtual_size_is_rounded_up_to_whole_GiB(long virtualSize, long volumeSizeGiB, bool fits)
    {
        Assert.Equal(fits, SpaceCheck.CheckVolume(virtualSize, volumeSizeGiB).IsEnough);
        if (fits)
        {
            Assert.InRange(SpaceCheck.ThrowIfTooLargeForVolume(virtualSize, volumeSizeGiB), 0, volumeSizeGiB);
            return;
        }

        var error = Assert.Throws<ImageTooLargeForVolumeException>(
            () => SpaceCheck.ThrowIfTooLargeForVolume(virtualSize, volumeSizeGiB, "/x/disk.raw"));
        Assert.Equal("ImageTooLargeForVolume", error.ErrorId);
        Assert.Contains(
            $"'/x/disk.raw' has a virtual size of {virtualSize} bytes", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_image_that_does_not_say_its_size_is_refused()
    {
        Assert.Equal(5, SpaceCheck.GetRequiredBytes("x", new ImageInspection { VirtualSize = 5 }));
        var error = Assert.Throws<VirtualSizeUnknownException>(
            () => SpaceCheck.GetRequiredBytes("x.gz", new ImageInspection { Format = ImageFormat.Gzip }));
        Assert.Contains("'x.gz' (gzip)", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(
        @"36 35 98:0 /mnt1 /mnt\0402\134x rw,noatime master:1 shared:2 - ext3 /dev/root\011 rw,errors=continue",
        "98:0", @"/mnt 2\x", "ext3", "/dev/root\t")]
    [InlineData("22 27 0:21 / /proc rw,relatime - proc proc rw", "0:21", "/proc", "proc", "proc")]
    public void A_line_of_mountinfo_is_read(string line, string number, string point, string type, string source) =>
        Assert.Equal(new Mount(number, point, type, source), Mount.Parse(line));

    [Theory]
    [InlineData("")]
    [InlineData("22 27 0:21 / /proc rw,relatime proc proc rw")]
    [InlineData("22 27 0:21 / /proc rw,relatime - proc")]
    public void What_is_no_line_of_mountinfo_is_passed_over(string line) => Assert.Null(Mount.Parse(line));
}
