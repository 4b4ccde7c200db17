using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.Inspection;
using ImageUtils.Tests.Support;
using ImageUtils.Tests.VhdChains;
using ImageUtils.XenServer;

namespace ImageUtils.Tests.XenServer;

/// <summary>Archives of chains, those that XenServer makes and those that somebody else made up.</summary>
public sealed partial class XenServerImageTests : IDisposable
{
    private const string Archive = "image.tar.gz";

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("vhd", "ovf", true)]
    [InlineData("VHD", "OVF", true)]
    [InlineData("vhd", "bare", false)]
    [InlineData("raw", "ovf", false)]
    [InlineData(null, null, false)]
    public void Glance_says_what_is_one(string? diskFormat, string? containerFormat, bool expected) =>
        Assert.Equal(expected, XenServerImage.IsXenServerImage(diskFormat, containerFormat));

    [Theory]
    [InlineData("exported", ImageFormat.Vhd)]
    [InlineData("exported", ImageFormat.Raw)]
    [InlineData("exported", ImageFormat.Qcow2)]
    [InlineData("exported", ImageFormat.Vhdx)]
    [InlineData("snapshots", ImageFormat.Vhd)]
    [InlineData("resized", ImageFormat.Vhd)]
    [InlineData("preallocated", ImageFormat.Vhd)]
    public async Task A_chain_of_vhd_util_becomes_one_disk_that_reads_as_its_leaf(string name, ImageFormat format)
    {
        var leaf = VhdUtilRecordings.All.Single(disk => disk.Archive == name && disk.Name == "0.vhd");
        var result = await ExpandAsync(VhdUtilRecordings.ArchiveOf(name), "disk", format);
        Assert.Equal(
            (_directory["disk"], format, leaf.Depth, leaf.Size, true),
            (result.Destination, result.Format, result.ChainLength, result.VirtualSize, result.Verified));
        using var image = await ImageOpener.OpenAsync(_directory["disk"]);
        Assert.Empty(image.BasedOn);
        Assert.Equal(leaf.Sha256, Convert.ToHexStringLower(SHA256.HashData(NativeImage.Read(image.Map))));
        Assert.Equal(["disk"], _directory.Names());
    }

    [SkippableFact]
    public async Task Vhd_util_takes_the_disk_and_it_has_the_id_of_the_base()
    {
        VhdUtil.Require();
        VhdUtilRecordings.Unpack("snapshots", _directory.Path);
        var before = (VhdDetails)(await ImageInspector.InspectFileAsync(_directory["2.vhd"])).Details!;
        await ExpandAsync(VhdUtilRecordings.ArchiveOf("snapshots"), "disk.vhd");
        var after = (VhdDetails)(await ImageInspector.InspectFileAsync(_directory["disk.vhd"])).Details!;
        Assert.Equal((before.UniqueId, before.BlockSize, "dynamic"), (after.UniqueId, after.BlockSize, after.DiskType));
        VhdUtil.Check(_directory["disk.vhd"]);
    }

    [Fact]
    public async Task In_place_the_disk_takes_the_archives_name_and_permissions()
    {
        const UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;
        File.Copy(VhdUtilRecordings.ArchiveOf("exported"), _directory[Archive]);
        File.SetUnixFileMode(_directory[Archive], mode);
        var result = await ExpandAsync(_directory[Archive], null);
        Assert.Equal((_directory[Archive], _directory[Archive]), (result.Source, result.Destination));
        Assert.Equal(ImageFormat.Vhd, (await ImageInspector.InspectFileAsync(_directory[Archive])).Format);
        Assert.Equal(mode, File.GetUnixFileMode(_directory[Archive]));
        Assert.Equal([Archive], _directory.Names());
    }

    [Fact]
    public async Task What_is_made_may_be_read_by_nobody_who_may_not_read_the_archive()
    {
        const UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        File.Copy(VhdUtilRecordings.ArchiveOf("exported"), _directory[Archive]);
        File.SetUnixFileMode(_directory[Archive], mode);
        await ExpandAsync(_directory[Archive], "disk.raw", ImageFormat.Raw);
        Assert.Equal(mode, File.GetUnixFileMode(_directory["disk.raw"]));
    }

    [Fact]
    public async Task Other_entries_are_passed_over_and_an_archive_need_not_be_compressed()
    {
        VhdUtilRecordings.Unpack("exported", _directory.Path);
        using (var writer = new TarWriter(File.Create(_directory["image.tar"]), TarEntryFormat.Pax))
        {
            writer.WriteEntry(new PaxGlobalExtendedAttributesTarEntry([new("comment", "made for a test")]));
            writer.WriteEntry(new PaxTarEntry(TarEntryType.Directory, "./"));
            Add(writer, "./2.vhd", File.ReadAllBytes(_directory["2.vhd"]));
            Add(writer, "sub/0.vhd", [1, 2, 3]);
            Add(writer, "00.vhd", [4]);
            Add(writer, "7.vhd", [5]);
            Add(writer, "./0.vhd", File.ReadAllBytes(_directory["0.vhd"]));
            Add(writer, "./1.vhd", File.ReadAllBytes(_directory["1.vhd"]));
        }

        var result = await ExpandAsync(_directory["image.tar"], "disk.raw", ImageFormat.Raw);
        var leaf = VhdUtilRecordings.All.Single(disk => disk.Archive == "exported" && disk.Name == "0.vhd");
        Assert.Equal(leaf.Sha256, Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(_directory["disk.raw"]))));
        Assert.Equal(3, result.ChainLength);
    }

    [Theory]
    [InlineData("0.vhd,1.vhd", VhdChainProblem.ParentMissing)]
    [InlineData("0.vhd", VhdChainProblem.ParentMissing)]
    [InlineData("1.vhd,0.vhd,2.vhd", VhdChainProblem.IdMismatch)]
    [InlineData("0.vhd,2.vhd,1.vhd", VhdChainProblem.ParentMissing)]
    [InlineData("2.vhd,0.vhd", VhdChainProblem.ParentMissing)]
    [InlineData("2.vhd,2.vhd", VhdChainProblem.NotInChain)]
    public async Task Disks_that_are_no_chain_are_refused(string order, VhdChainProblem expected)
    {
        using (var unpacked = new TemporaryDirectory())
        {
            VhdUtilRecordings.Unpack("exported", unpacked.Path);
            Pack(writer =>
            {
                foreach (var (name, index) in order.Split(',').Select((name, index) => (name, index)))
                {
                    Add(writer, $"{index}.vhd", File.ReadAllBytes(unpacked[name]));
                }
            });
        }

        var exception = await Assert.ThrowsAsync<VhdChainException>(() => ExpandAsync(_directory[Archive], "disk"));
        Assert.Equal(expected, exception.Problem);
        Assert.Equal([Archive], _directory.Names());
    }

    [Fact]
    public async Task A_destination_that_exists_stops_it_before_anything_is_unpacked()
    {
        File.WriteAllText(_directory["disk"], "kept");
        Pack(writer => Add(writer, "/evil", [1]));
        var exception = await Assert.ThrowsAsync<ImageWriteException>(() => ExpandAsync(_directory[Archive], "disk"));
        Assert.Equal(ImageWriteProblem.Exists, exception.Problem);
        Assert.Equal("kept", File.ReadAllText(_directory["disk"]));
        exception = await Assert.ThrowsAsync<ImageWriteException>(() => ExpandAsync(_directory[Archive], Archive));
        Assert.Contains("-InPlace", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_was_unpacked_is_gone_when_it_was_stopped()
    {
        using var temporary = new TemporaryDirectory();
        using var stopped = new CancellationTokenSource();
        File.Copy(VhdUtilRecordings.ArchiveOf("snapshots"), _directory[Archive]);
        stopped.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => XenServerImage.ExpandAsync(
            new XenServerImageRequest
            {
                Path = _directory[Archive],
                Destination = _directory["disk"],
                TemporaryDirectory = temporary.Path,
            },
            null,
            stopped.Token));
        Assert.Empty(temporary.Names());
        Assert.Equal([Archive], _directory.Names());
    }

    private static void Add(TarWriter writer, string name, byte[] data)
    {
        TarEntry entry = writer.Format switch
        {
            TarEntryFormat.Gnu => new GnuTarEntry(TarEntryType.RegularFile, name),
            TarEntryFormat.Ustar => new UstarTarEntry(TarEntryType.RegularFile, name),
            _ => new PaxTarEntry(TarEntryType.RegularFile, name),
        };
        entry.DataStream = new MemoryStream(data);
        writer.WriteEntry(entry);
    }

    private void Pack(Action<TarWriter> add)
    {
        using var file = new GZipStream(File.Create(_directory[Archive]), CompressionLevel.Fastest);
        using var writer = new TarWriter(file, TarEntryFormat.Pax);
        add(writer);
    }

    private Task<XenServerImageResult> ExpandAsync(
        string archive,
        string? destination,
        ImageFormat format = ImageFormat.Vhd,
        long maximumSize = XenServerImageRequest.DefaultMaximumSize) =>
        XenServerImage.ExpandAsync(new XenServerImageRequest
        {
            Path = archive,
            Destination = destination is null ? null : _directory[destination],
            Format = format,
            MaximumSize = maximumSize,
            Verify = true,
        });

    // Nothing is made, and nothing of what was unpacked is left.
    private async Task<XenServerImageException> RefusedAsync(
        XenServerImageProblem problem,
        string errorId,
        string? beside = null,
        long maximumSize = XenServerImageRequest.DefaultMaximumSize)
    {
        using var temporary = new TemporaryDirectory();
        var exception = await Assert.ThrowsAsync<XenServerImageException>(() => XenServerImage.ExpandAsync(
            new XenServerImageRequest
            {
                Path = _directory[Archive],
                Destination = _directory["disk"],
                MaximumSize = maximumSize,
                TemporaryDirectory = temporary.Path,
            }));
        Assert.Equal((problem, errorId), (exception.Problem, exception.ErrorId));
        Assert.Empty(temporary.Names());
        Assert.Equal(beside is null ? [Archive] : [Archive, beside], _directory.Names());
        return exception;
    }
}
