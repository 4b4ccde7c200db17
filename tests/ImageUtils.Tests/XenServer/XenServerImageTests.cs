using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.Inspection;
using ImageUtils.Tests.Support;
using ImageUtils.Tests.VhdChains;
using ImageUtils.XenServer;

namespace ImageUtils.Tests.XenServer;

/// <summary>Archives of chains, those that XenServer makes and those that somebody else made up.</summary>
public sealed class XenServerImageTests : IDisposable
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
        Tool.Require("vhd-util", "blktap-utils of XenServer");
        VhdUtilRecordings.Unpack("snapshots", _directory.Path);
        var before = (VhdDetails)(await ImageInspector.InspectFileAsync(_directory["2.vhd"])).Details!;
        await ExpandAsync(VhdUtilRecordings.ArchiveOf("snapshots"), "disk.vhd");
        var after = (VhdDetails)(await ImageInspector.InspectFileAsync(_directory["disk.vhd"])).Details!;
        Assert.Equal((before.UniqueId, before.BlockSize, "dynamic"), (after.UniqueId, after.BlockSize, after.DiskType));
        Assert.Contains(" is valid", Tool.Run("vhd-util", "check", "-n", _directory["disk.vhd"]), StringComparison.Ordinal);
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
    [InlineData("/0.vhd", TarEntryType.RegularFile)]
    [InlineData("\\0.vhd", TarEntryType.RegularFile)]
    [InlineData("C:/0.vhd", TarEntryType.RegularFile)]
    [InlineData("../0.vhd", TarEntryType.RegularFile)]
    [InlineData("a/../../x", TarEntryType.RegularFile)]
    [InlineData("a\\..\\x", TarEntryType.RegularFile)]
    [InlineData("0.vhd", TarEntryType.RegularFile)]
    [InlineData("./0.vhd", TarEntryType.RegularFile)]
    [InlineData(".//0.vhd", TarEntryType.Directory)]
    [InlineData("1.vhd", TarEntryType.SymbolicLink)]
    [InlineData("1.vhd", TarEntryType.HardLink)]
    [InlineData("other", TarEntryType.SymbolicLink)]
    [InlineData("1.vhd", TarEntryType.Fifo)]
    [InlineData("1.vhd", TarEntryType.CharacterDevice)]
    [InlineData("1.vhd", TarEntryType.BlockDevice)]
    public async Task An_entry_that_could_do_harm_is_refused_whether_it_is_wanted_or_not(string name, TarEntryType type)
    {
        Pack(writer =>
        {
            Add(writer, "0.vhd", [1]);
            var entry = new PaxTarEntry(type, name);
            if (type is TarEntryType.SymbolicLink or TarEntryType.HardLink)
            {
                entry.LinkName = "/etc/passwd";
            }

            writer.WriteEntry(entry);
        });
        await RefusedAsync(XenServerImageProblem.UnsafeEntry, "ArchiveEntryUnsafe");
    }

    [Theory]
    [InlineData(TarEntryFormat.Gnu)]
    [InlineData(TarEntryFormat.Pax)]
    [InlineData(TarEntryFormat.Ustar)]
    public async Task A_link_under_the_name_of_a_disk_is_not_written_through(TarEntryFormat format)
    {
        File.WriteAllText(_directory["victim"], "as it was");
        using (var writer = new TarWriter(new GZipStream(File.Create(_directory[Archive]), CompressionLevel.Fastest), format))
        {
            TarEntry link = format switch
            {
                TarEntryFormat.Gnu => new GnuTarEntry(TarEntryType.SymbolicLink, "0.vhd"),
                TarEntryFormat.Pax => new PaxTarEntry(TarEntryType.SymbolicLink, "0.vhd"),
                _ => new UstarTarEntry(TarEntryType.SymbolicLink, "0.vhd"),
            };
            link.LinkName = _directory["victim"];
            writer.WriteEntry(link);
            Add(writer, "0.vhd", [1, 2, 3]);
        }

        await RefusedAsync(XenServerImageProblem.UnsafeEntry, "ArchiveEntryUnsafe", "victim");
        Assert.Equal("as it was", File.ReadAllText(_directory["victim"]));
    }

    [Fact]
    public async Task Tars_sparse_form_is_refused_by_its_name()
    {
        Pack(writer => writer.WriteEntry(new PaxTarEntry(
            TarEntryType.RegularFile, "0.vhd", [new("GNU.sparse.major", "1")])));
        var exception = await RefusedAsync(XenServerImageProblem.UnsafeEntry, "ArchiveEntryUnsafe");
        Assert.Contains("--sparse", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_unpacks_to_more_than_is_allowed_is_refused_before_it_is_unpacked()
    {
        Pack(writer =>
        {
            Add(writer, "other", new byte[600]);
            Add(writer, "0.vhd", new byte[500]);
        });
        var exception = await RefusedAsync(XenServerImageProblem.TooLarge, "ArchiveTooLarge", maximumSize: 1099);
        Assert.Contains("-MaximumSize", exception.Message, StringComparison.Ordinal);

        // At its limit it goes on to the next fault.
        await Assert.ThrowsAsync<ImageFormatMismatchException>(
            () => ExpandAsync(_directory[Archive], "disk", maximumSize: 1100));
    }

    [Fact]
    public async Task A_size_that_no_archive_has_is_refused_and_not_reserved()
    {
        using (var writer = new TarWriter(File.Create(_directory["plain"]), TarEntryFormat.Gnu))
        {
            writer.WriteEntry(new GnuTarEntry(TarEntryType.RegularFile, "0.vhd"));
        }

        // 2^62 bytes, in the base-256 form of large numbers.
        var bytes = File.ReadAllBytes(_directory["plain"]);
        bytes.AsSpan(124, 12).Clear();
        (bytes[124], bytes[128]) = (0x80, 0x40);
        FixChecksum(bytes);
        File.Delete(_directory["plain"]);
        File.WriteAllBytes(_directory[Archive], bytes);
        await RefusedAsync(XenServerImageProblem.TooLarge, "ArchiveTooLarge");
    }

    [Fact]
    public async Task Extended_headers_are_not_taken_into_memory_whatever_length_they_state()
    {
        // A header of 900 MB, which compresses to next to nothing.
        using (var file = new GZipStream(File.Create(_directory[Archive]), CompressionLevel.Fastest))
        {
            var header = new byte[512];
            Encoding.ASCII.GetBytes("././@LongLink").CopyTo(header, 0);
            Encoding.ASCII.GetBytes("0000644\0").CopyTo(header, 100);
            Encoding.ASCII.GetBytes(Convert.ToString(900_000_000, 8).PadLeft(11, '0')).CopyTo(header, 124);
            Encoding.ASCII.GetBytes("00000000000\0").CopyTo(header, 136);
            header[156] = (byte)'L';
            Encoding.ASCII.GetBytes("ustar  \0").CopyTo(header, 257);
            FixChecksum(header);
            file.Write(header);
            file.Write(new byte[64 << 20]);
        }

        var before = GC.GetTotalAllocatedBytes();
        await RefusedAsync(XenServerImageProblem.TooLarge, "ArchiveTooLarge");
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 2_000_000_000);
    }

    [Fact]
    public async Task A_bomb_behind_the_archives_end_is_not_read_on()
    {
        using (var file = new GZipStream(File.Create(_directory[Archive]), CompressionLevel.Fastest))
        {
            var buffer = new byte[1 << 20];
            for (var count = 0; count < 20; count++)
            {
                file.Write(buffer);
            }
        }

        await RefusedAsync(XenServerImageProblem.TooLarge, "ArchiveTooLarge");
    }

    [Fact]
    public async Task Too_many_entries_are_refused()
    {
        Pack(writer =>
        {
            for (var index = 0; index < 4097; index++)
            {
                writer.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, $"a{index}"));
            }
        });
        await RefusedAsync(XenServerImageProblem.TooLarge, "ArchiveTooLarge");
    }

    [Theory]
    [InlineData("1.vhd")]
    [InlineData("00.vhd")]
    [InlineData("0.VHD")]
    [InlineData("a/0.vhd")]
    public async Task An_archive_without_a_leaf_at_its_top_is_refused(string name)
    {
        Pack(writer => Add(writer, name, [1]));
        await RefusedAsync(XenServerImageProblem.NoChain, "ArchiveHasNoChain");
    }

    [Fact]
    public async Task What_is_no_archive_or_cut_short_is_refused()
    {
        File.WriteAllBytes(_directory[Archive], [.. Enumerable.Range(0, 5000).Select(at => (byte)(at * 7))]);
        await RefusedAsync(XenServerImageProblem.Malformed, "ArchiveMalformed");

        VhdUtilRecordings.Unpack("exported", _directory.Path);
        var leaf = File.ReadAllBytes(_directory["0.vhd"]);
        foreach (var name in _directory.Names())
        {
            File.Delete(_directory[name]);
        }

        using (var writer = new TarWriter(File.Create(_directory[Archive])))
        {
            Add(writer, "0.vhd", leaf);
        }

        using (var file = File.OpenWrite(_directory[Archive]))
        {
            file.SetLength(leaf.Length / 2);
        }

        await RefusedAsync(XenServerImageProblem.Malformed, "ArchiveMalformed");
    }

    [Fact]
    public async Task A_damaged_compression_is_found_though_it_lies_behind_the_last_entry()
    {
        var bytes = File.ReadAllBytes(VhdUtilRecordings.ArchiveOf("exported"));
        bytes[^6] ^= 1;
        File.WriteAllBytes(_directory[Archive], bytes);
        await Assert.ThrowsAnyAsync<ImageFormatException>(() => ExpandAsync(_directory[Archive], "disk"));
        Assert.Equal([Archive], _directory.Names());
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

    private static void FixChecksum(byte[] header)
    {
        header.AsSpan(148, 8).Fill((byte)' ');
        var sum = header.AsSpan(0, 512).ToArray().Sum(value => value);
        Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ").CopyTo(header, 148);
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
