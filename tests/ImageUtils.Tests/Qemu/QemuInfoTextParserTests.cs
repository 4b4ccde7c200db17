using ImageUtils.Errors;
using ImageUtils.Formats.Qcow2;
using ImageUtils.Qemu;

namespace ImageUtils.Tests.Qemu;

public sealed class QemuInfoTextParserTests
{
    [Fact]
    public void An_old_block_is_read_line_by_line()
    {
        var info = Assert.Single(QemuInfoOutput.Parse("""
            image: disk.config
            file format: QCOW2
            virtual size: 64M (67108864 bytes)
            disk size: 196K
            encrypted: yes
            cluster_size: 65536
            cleanly shut down: no
            backing file: /b/3a988059e51a_2 (actual path: /srv/b/3a988059e51a_2)
            backing file format: raw
            something newer: 5
            """));
        Assert.Equal(("disk.config", "qcow2", ImageFormat.Qcow2), (info.FileName, info.FormatName, info.Format));
        Assert.Equal((67108864, 196 * 1024, 65536), (info.VirtualSize, info.ActualSize, info.ClusterSize));
        Assert.True(info.IsEncrypted && info.IsDirty);
        Assert.Equal(
            ("/b/3a988059e51a_2", "/srv/b/3a988059e51a_2", "raw"),
            (info.BackingFile, info.FullBackingFile, info.BackingFormat));
        Assert.Equal(["something newer: 5"], info.Notes);
        Assert.Equal(InfoEngine.Parsed, info.Engine);
    }

    [Theory]
    [InlineData("1.0G (1073741824 bytes)", 1073741824L)]
    [InlineData("64M (67108864 bytes)", 67108864L)]
    [InlineData("4.4M (4592640 bytes)", 4592640L)]
    [InlineData("64 MiB (67108864 bytes)", 67108864L)]
    [InlineData("1e+03 MiB (1048051712 bytes)", 1048051712L)]
    [InlineData("1e+03 MiB", 1000L << 20)]
    [InlineData("1.02e+03 KiB", 1020L << 10)]
    [InlineData("1.0G", 1073741824L)]
    [InlineData("196K", 200704L)]
    [InlineData("196k", 200704L)]
    [InlineData("196kB", 200704L)]
    [InlineData("196 KiB", 200704L)]
    [InlineData("0.5 TiB", 549755813888L)]
    [InlineData("2P", 2L << 50)]
    [InlineData("1E", 1L << 60)]
    [InlineData("0", 0L)]
    [InlineData("0 B", 0L)]
    [InlineData("963434", 963434L)]
    [InlineData("512 bytes", 512L)]
    [InlineData("unavailable", null)]
    [InlineData("None", null)]
    public void A_size_is_read_in_every_way_it_was_ever_printed(string text, long? expected)
    {
        var info = Assert.Single(QemuInfoTextParser.Parse($"image: a\ndisk size: {text}\n"));
        Assert.Equal(expected, info.ActualSize);
    }

    [Theory]
    [InlineData("many")]
    [InlineData("")]
    [InlineData("12 parsecs")]
    [InlineData("1e+300 MiB")]
    [InlineData("8E")]
    [InlineData("1K (99999999999999999999 bytes)")]
    [InlineData("-1K")]
    public void A_size_that_is_none_is_refused(string text)
    {
        var error = Assert.Throws<QemuOutputException>(
            () => QemuInfoTextParser.Parse($"image: a\nvirtual size: {text}"));
        Assert.Contains("virtual size:", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1         d9a9784a500742a7bb95627bb3aace38      0", "d9a9784a500742a7bb95627bb3aace38", 0L)]
    [InlineData("1         snap                1.1G", "snap", 1181116006L)]
    [InlineData("1         my snap  shot         0 B", "my snap  shot", 0L)]
    [InlineData("1         nightly 12 K      1.5 MiB", "nightly 12 K", 1572864L)]
    [InlineData("1       nine              1.5 MiB", "nine", 1572864L)]
    [InlineData("1         averyverylongnameforasnapshot1.23 GiB", "averyverylongnameforasnapshot", 1320702443L)]
    [InlineData("1         averyverylongnameforasnapshot121.23 GiB", "averyverylongnameforasnapshot12", 1320702443L)]
    [InlineData("1         averyverylongnameforasnapshot1.02e+03 MiB", "averyverylongnameforasnapshot", 1020L << 20)]
    [InlineData("1                               0 B", "", 0L)]
    [InlineData("1         2012-01-01 00:00:00 00:00:00.000      0 B", "2012-01-01 00:00:00 00:00:00.000", 0L)]
    public void A_snapshots_row_is_read_from_its_right_end(string start, string name, long size)
    {
        const string Header = "ID        TAG                 VM SIZE                DATE       VM CLOCK";
        foreach (var (end, icount) in new[]
        {
            (" 2012-08-20 10:52:46   00:01:02.345", null),
            (" 2012-08-20 10:52:46 00:01:02.345          77", (long?)77),
            (" 2012-08-20 10:52:46  0000:01:02.345         --", null),
        })
        {
            var info = Assert.Single(QemuInfoTextParser.Parse(
                $"image: a\nSnapshot list:\n{Header}\n{start}{end}\njunk stuff: bbb\n"));
            var snapshot = Assert.Single(info.Snapshots);
            Assert.Equal(
                ("1", name, size, icount), (snapshot.Id, snapshot.Name, snapshot.VmStateSize, snapshot.Icount));
            Assert.Equal(new DateTime(2012, 8, 20, 10, 52, 46), snapshot.Date.LocalDateTime);
            Assert.Equal(new TimeSpan(0, 0, 1, 2, 345), snapshot.VmClock);
            Assert.Equal(["junk stuff: bbb"], info.Notes);
        }
    }

    [Fact]
    public void A_clock_of_more_than_a_day_is_read()
    {
        var info = Assert.Single(QemuInfoTextParser.Parse(
            "image: a\nSnapshot list:\n1 t 0 2012-08-20 10:52:46 1234:05:06.789\n"));
        Assert.Equal(new TimeSpan(0, 1234, 5, 6, 789), Assert.Single(info.Snapshots).VmClock);
    }

    [Fact]
    public void A_row_whose_columns_are_full_is_read()
    {
        var info = Assert.Single(QemuInfoTextParser.Parse(
            "image: a\nSnapshot list:\n1         t  0 B 2012-08-20 10:52:46274348:25:21.98712345678901\n"));
        var snapshot = Assert.Single(info.Snapshots);
        Assert.Equal(new TimeSpan(0, 274348, 25, 21, 987), snapshot.VmClock);
        Assert.Equal(12345678901, snapshot.Icount);
    }

    [Fact]
    public void A_snapshot_table_is_read_without_header_and_with_noise_in_it()
    {
        const string Rows = "1         one                  0 2012-08-20 10:52:46 00:00:00.000\n{0}"
            + "2         two                  0 2012-08-20 10:52:46 00:00:00.000\nencrypted: yes\n";
        foreach (var noise in new[] { "", "  (live)\n", "qemu-img: warning: stale\n" })
        {
            var info = Assert.Single(QemuInfoTextParser.Parse(
                "image: a\nSnapshot list:\n" + string.Format(Rows, noise)));
            Assert.Equal(["one", "two"], info.Snapshots.Select(snapshot => snapshot.Name));
            Assert.True(info.IsEncrypted);
            Assert.Equal(noise.Trim().Length > 0 ? 1 : 0, info.Notes.Count);
        }
    }

    [Fact]
    public void A_row_outside_a_snapshot_table_is_no_snapshot()
    {
        var info = Assert.Single(QemuInfoTextParser.Parse(
            "image: a\n1         one                  0 2012-08-20 10:52:46 00:00:00.000\n"));
        Assert.Empty(info.Snapshots);
        Assert.Single(info.Notes);
    }

    [Fact]
    public void Format_specific_information_becomes_typed_details()
    {
        var info = Assert.Single(QemuInfoTextParser.Parse(
            "image: a\nfile format: qcow2\nFormat specific information:\n    compat: 1.1\n    compression type: zstd\n"
            + "    lazy refcounts: true\n    bitmaps:\n        [0]:\n            flags:\n            name: 007\n"
            + "            granularity: 4096\n        [1]:\n            flags:\n                [0]: in-use\n"
            + "                [1]: auto\n            name: 7\n            granularity: 65536\n    refcount bits: 1\n"
            + "    data file: d: raw\n    data file raw: false\n    encrypt:\n        ivgen alg: plain64\n"
            + "        format: luks\n        slots:\n            [0]:\n                active: true\n"
            + "    corrupt: false\n    extended l2: true\nencrypted: yes\n"));
        var details = Assert.IsType<Qcow2Details>(info.FormatSpecific);
        Assert.Equal(("1.1", "zstd", 1), (details.Compat, details.CompressionType, details.RefcountBits));
        Assert.True(details is { LazyRefcounts: true, Corrupt: false, ExtendedL2: true, DataFileRaw: false });
        Assert.Equal(("d: raw", "luks"), (details.DataFile, details.EncryptionFormat));
        Assert.Equal(
            [new Qcow2Bitmap("007", 4096, false, false), new Qcow2Bitmap("7", 65536, true, true)], details.Bitmaps);
        var encryption = Assert.IsType<QemuFormatDetails>(details.Encryption);
        Assert.Equal("plain64", encryption.Data["ivgen-alg"]);
        var slot = Assert.IsType<Dictionary<string, object?>>(Assert.Single((List<object?>)encryption.Data["slots"]!));
        Assert.Equal(true, slot["active"]);
        Assert.True(info.IsEncrypted);
        Assert.Empty(info.Notes);
    }

    [Fact]
    public void Details_from_before_refcounts_had_a_width_have_the_only_one_there_was()
    {
        var info = Assert.Single(QemuInfoTextParser.Parse(
            "image: a\nfile format: qcow2\nFormat specific information:\n    compat: 1.1\n"));
        Assert.Equal(16, Assert.IsType<Qcow2Details>(info.FormatSpecific).RefcountBits);
    }

    [Fact]
    public void A_chains_blocks_are_several_images()
    {
        const string Text = "qemu-img: warning: old\nimage: top\nfile format: qcow2\nvirtual size: 1M (1048576 bytes)\n"
            + "backing file: mid (cannot determine actual path)\nFormat specific information:\n    compat: 0.10\n"
            + "    refcount bits: 16\n\nimage: mid\nfile format: raw\n"
            + "backing file: a (actual path: b) (actual path: c)\nimage: base\nfile format: vpc\n";
        foreach (var text in new[] { Text, Text.ReplaceLineEndings("\r\n"), "\uFEFF\n\n" + Text })
        {
            var infos = QemuInfoOutput.Parse(text);
            Assert.Equal(["top", "mid", "base"], infos.Select(info => info.FileName));
            Assert.Equal([ImageFormat.Qcow2, ImageFormat.Raw, ImageFormat.Vhd], infos.Select(info => info.Format));
            Assert.Equal(["qemu-img: warning: old"], infos[0].Notes);
            Assert.Equal(("mid", null), (infos[0].BackingFile, infos[0].FullBackingFile));
            Assert.Equal(("a (actual path: b)", "c"), (infos[1].BackingFile, infos[1].FullBackingFile));
            Assert.IsType<Qcow2Details>(infos[0].FormatSpecific);
        }
    }

    [Fact]
    public void A_later_versions_child_nodes_are_noted()
    {
        var info = Assert.Single(QemuInfoTextParser.Parse(
            "image: a\nfile format: raw\nChild node '/file':\n    filename: a\n    protocol type: file\n"
            + "    file length: 1 MiB (1048576 bytes)\n    disk size: 4 KiB\n"));
        Assert.Null(info.ActualSize);
        Assert.Equal(5, info.Notes.Count);
    }

    [Theory]
    [InlineData("", "empty")]
    [InlineData(" \r\n\t\n", "empty")]
    [InlineData("qemu-img: Could not open 'x': No such file\n", "error of qemu-img: 'qemu-img: Could not open")]
    [InlineData("NAME FSTYPE SIZE\nsda ext4 5G\n", "begins with 'NAME FSTYPE SIZE'")]
    [InlineData("encrypted: yes\n", "neither JSON nor")]
    [InlineData("image:\n", "neither JSON nor")]
    [InlineData("QFI\u00fb\0\0\0\u0003", "neither JSON nor")]
    public void What_is_not_its_text_is_refused_with_a_reason(string text, string reason)
    {
        var error = Assert.Throws<QemuOutputException>(() => QemuInfoOutput.Parse(text));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Depth_is_bounded()
    {
        var deep = string.Concat(Enumerable.Range(1, 200).Select(level => $"{new string(' ', level)}a:\n"));
        Assert.Throws<QemuOutputException>(
            () => QemuInfoTextParser.Parse($"image: a\nFormat specific information:\n{deep}"));
    }

    [Fact]
    public void Hostile_text_takes_no_more_than_linear_time()
    {
        var spaces = new string(' ', 1 << 20);
        foreach (var text in new[]
        {
            $"image: a\nbacking file: {spaces}x{spaces}(actual path: y\n",
            $"image: a\nSnapshot list:\n1{spaces}2012-08-20 10:52:46{spaces}x\n",
            $"image: a\n{spaces}x{spaces}\n",
            $"image: a\nFormat specific information:\n{string.Concat(Enumerable.Repeat("    a:\n", 1 << 18))}",
        })
        {
            var watch = System.Diagnostics.Stopwatch.StartNew();
            Assert.Single(QemuInfoTextParser.Parse(text));
            Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"{watch.Elapsed} for {text[..40]}");
        }

        Assert.Throws<QemuOutputException>(() => QemuInfoTextParser.Parse($"image: a\ndisk size: 1{spaces}x\n"));
    }
}
