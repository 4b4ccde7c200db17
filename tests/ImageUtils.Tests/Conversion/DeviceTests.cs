using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Conversion;

/// <summary>Block devices that are full of a former volume's data.</summary>
public sealed class DeviceTests
{
    [SkippableTheory]
    [InlineData("raw")]
    [InlineData("qcow2")]
    [InlineData("qcow2-zlib")]
    [InlineData("vhdx")]
    [InlineData("vmdk")]
    [InlineData("vdi")]
    [InlineData("vdi-static")]
    public async Task No_byte_of_a_former_volume_shows_through(string kind)
    {
        using var directory = new TemporaryDirectory();
        await File.WriteAllBytesAsync(directory["old"], FormerVolume(40 << 20));
        await File.WriteAllBytesAsync(directory["a.raw"], SampleDisk.Make());
        using var device = LoopDevice.Attach(directory["old"]);
        var result = await ImageConverter.ConvertAsync(
            SampleDisk.Request(directory["a.raw"], device.Path, kind) with { Verify = true });
        Assert.True(result.Verified);
        var read = await SampleDisk.ReadAsync(device.Path);
        Assert.Equal(SampleDisk.Make(), read[..SampleDisk.Length]);
        Assert.False(read.AsSpan(SampleDisk.Length).ContainsAnyExcept((byte)0));
    }

    [SkippableFact]
    public async Task A_device_that_is_too_small_is_refused_before_a_byte_is_written()
    {
        using var directory = new TemporaryDirectory();
        await File.WriteAllBytesAsync(directory["old"], FormerVolume(4 << 20));
        await File.WriteAllBytesAsync(directory["a.raw"], SampleDisk.Make());
        using (var device = LoopDevice.Attach(directory["old"]))
        {
            foreach (var engine in new[] { ConversionEngine.Native, ConversionEngine.Qemu })
            {
                var error = await Assert.ThrowsAsync<ImageWriteException>(() => ImageConverter.ConvertAsync(
                    SampleDisk.Request(directory["a.raw"], device.Path, "raw") with { Engine = engine }));
                Assert.Equal("DestinationTooSmall", error.ErrorId);
            }
        }

        Assert.Equal(FormerVolume(4 << 20), await File.ReadAllBytesAsync(directory["old"]));
    }

    [SkippableFact]
    public async Task A_mounted_device_is_refused()
    {
        using var mounted = MountedFileSystem.OfExt4(16 << 20);
        using var directory = new TemporaryDirectory();
        await File.WriteAllBytesAsync(directory["a.raw"], SampleDisk.Make());
        var error = await Assert.ThrowsAsync<ImageWriteException>(
            () => SampleDisk.ConvertAsync(directory["a.raw"], mounted.Source, "raw"));
        Assert.Equal("DestinationInUse", error.ErrorId);
    }

    [SkippableFact]
    public async Task The_kernel_mounts_what_was_converted_and_every_file_is_the_same()
    {
        Tool.Require("mkfs.ext4", "e2fsprogs");
        using var directory = new TemporaryDirectory();
        using (var file = File.Create(directory["fs.raw"]))
        {
            file.SetLength(48 << 20);
        }

        Tool.Run("mkfs.ext4", "-q", "-F", "-d", Path.Combine(Repository.Root, "src", "ImageUtils", "Formats"), directory["fs.raw"]);
        var before = HashesOf(directory["fs.raw"], directory);
        Assert.True(before.Count > 50);
        foreach (var kind in SampleDisk.Kinds.Keys)
        {
            await SampleDisk.ConvertAsync(directory["fs.raw"], directory["there"], kind);
            await SampleDisk.ConvertAsync(directory["there"], directory["back.raw"], "raw");
            Assert.Equal(before, HashesOf(directory["back.raw"], directory));
            File.Delete(directory["there"]);
            File.Delete(directory["back.raw"]);
        }
    }

    [SkippableTheory]
    [InlineData("btrfs", "btrfs-progs")]
    [InlineData("xfs", "xfsprogs")]
    public async Task Blocks_are_shared_where_the_file_system_can(string fileSystem, string package)
    {
        using var mounted = MountedFileSystem.OfReflinks(fileSystem, package);
        var disk = new byte[20 << 20];
        new Random(3).NextBytes(disk);
        disk[0] = 0xEB;
        await File.WriteAllBytesAsync(mounted["a.raw"], disk);
        foreach (var kind in new[] { "raw", "vhd-fixed" })
        {
            var result = await SampleDisk.ConvertAsync(mounted["a.raw"], mounted[kind], kind);
            Assert.Equal(disk.Length, result.BytesShared);
            Assert.Equal(0, result.BytesRead);
            Assert.Equal(disk, await SampleDisk.ReadAsync(mounted[kind]));
        }

        // The copies are their own: what is written to one is not in the other.
        using (var file = File.OpenWrite(mounted["raw"]))
        {
            file.Write(new byte[100]);
        }

        Assert.Equal(disk, await File.ReadAllBytesAsync(mounted["a.raw"]));
    }

    private static byte[] FormerVolume(int length)
    {
        var bytes = new byte[length];
        bytes.AsSpan().Fill(0xA5);
        return bytes;
    }

    private static Dictionary<string, string> HashesOf(string image, TemporaryDirectory directory)
    {
        var mountPoint = directory["mnt"];
        Directory.CreateDirectory(mountPoint);
        using var device = LoopDevice.Attach(image);
        Tool.Run("mount", "-o", "ro,noload", device.Path, mountPoint);
        try
        {
            return Directory.EnumerateFiles(mountPoint, "*", SearchOption.AllDirectories).ToDictionary(
                path => path, path => Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(path))));
        }
        finally
        {
            Tool.Run("umount", mountPoint);
        }
    }
}
