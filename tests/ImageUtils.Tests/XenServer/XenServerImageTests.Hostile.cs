using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using ImageUtils.Errors;
using ImageUtils.Tests.VhdChains;

namespace ImageUtils.Tests.XenServer;

/// <content>Archives that somebody made up to do harm, or that are damaged.</content>
public sealed partial class XenServerImageTests
{
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
        using (var file = new GZipStream(File.Create(_directory[Archive]), CompressionLevel.Fastest))
        using (var writer = new TarWriter(file, format))
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

    private static void FixChecksum(byte[] header)
    {
        header.AsSpan(148, 8).Fill((byte)' ');
        var sum = header.AsSpan(0, 512).ToArray().Sum(value => value);
        Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ").CopyTo(header, 148);
    }
}
