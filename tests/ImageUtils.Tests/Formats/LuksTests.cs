using System.Diagnostics;
using System.Text;
using ImageUtils.Builders;
using ImageUtils.Encryption;
using ImageUtils.Formats.Luks;
using ImageUtils.Inspection;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats;

public sealed class LuksTests
{
    private static readonly byte[] s_content = PartitionTableCases.Gpt().ToArray();

    [Fact]
    public void A_volume_of_version_1_is_described()
    {
        var builder = new LuksBuilder { Slot = 1, Mode = "cbc-essiv:sha256", KeyBytes = 32 };
        var image = Inspected.Bytes(builder.Version1(s_content).ToArray());
        Assert.Equal((true, "1", 65536L), (image.IsEncrypted, image.FormatVersion, image.VirtualSize));
        var details = Assert.IsType<LuksDetails>(image.Details);
        Assert.Equal(
            ("aes-256", "cbc", "essiv", "sha256", "sha256", 10L, 16384L, 32L),
            (details.CipherAlgorithm, details.CipherMode, details.IvGenerator, details.IvHash, details.HashAlgorithm,
                details.MasterKeyIterations, details.PayloadOffset, details.MasterKeyBytes));
        Assert.Equal("01234567-89ab-cdef-0123-456789abcdef", details.Uuid);
        Assert.Equal(8, details.Slots.Count);
        Assert.Equal(new(0, false, 4096, null, "pbkdf2", null), details.Slots[0]);
        Assert.Equal(new(1, true, 5120, 4, "pbkdf2", 10), details.Slots[1]);
        Assert.Equal(CheckVerdict.Skipped, Verdict(image, CheckNames.Passphrase));
        Assert.Equal(CheckVerdict.Skipped, Verdict(image, CheckNames.InnerSafety));
    }

    [Fact]
    public void A_volume_of_version_2_is_described()
    {
        var builder = new LuksBuilder { SectorSize = 4096 };
        var image = Inspected.Bytes(builder.Version2(
            s_content, json => json.Replace("\"dynamic\"", "\"8192\"", StringComparison.Ordinal)).ToArray());
        Assert.Equal((true, "2", 8192L), (image.IsEncrypted, image.FormatVersion, image.VirtualSize));
        var details = Assert.IsType<LuksDetails>(image.Details);
        Assert.Equal(
            ("aes-256", "xts", "plain64", "sha256", 10L, 65536L, 64L, 4096, "my label"),
            (details.CipherAlgorithm, details.CipherMode, details.IvGenerator, details.HashAlgorithm,
                details.MasterKeyIterations, details.PayloadOffset, details.MasterKeyBytes,
                details.SectorSize, details.Label));
        Assert.Equal([new(0, true, 32768, 4, "pbkdf2", 10)], details.Slots);
        Assert.Contains("luks1", image.Failures.Single().Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("xts-plain64", 64, "sha256", 4)]
    [InlineData("xts-plain64", 32, "sha1", 7)]
    [InlineData("xts-plain", 64, "sha512", 1)]
    [InlineData("cbc-plain64", 32, "sha384", 40)]
    [InlineData("cbc-plain", 16, "sha1", 5)]
    [InlineData("cbc-plain64", 24, "sha256", 11)]
    [InlineData("cbc-essiv:sha256", 32, "sha256", 3)]
    [InlineData("cbc-essiv:sha256", 16, "sha1", 8)]
    public void A_passphrase_opens_the_volume_and_what_is_inside_is_inspected(
        string mode, int keyBytes, string hash, int stripes)
    {
        var builder = new LuksBuilder { Mode = mode, KeyBytes = keyBytes, Hash = hash, Stripes = stripes };
        AssertOpened(Inspected.Bytes(builder.Version1(s_content).ToArray(), With(builder.Passphrase)));
        AssertOpened(
            Inspected.Bytes(builder.Version2(s_content).ToArray(), With(builder.Passphrase)), CheckNames.Version);
    }

    [Theory]
    [InlineData(4096, 0UL)]
    [InlineData(2048, 8UL)]
    [InlineData(512, 0xFFFF_FFFF_0000UL)]
    public void Sector_size_and_first_sector_of_version_2_are_heeded(int sectorSize, ulong ivTweak)
    {
        var builder = new LuksBuilder { SectorSize = sectorSize, IvTweak = ivTweak };
        AssertOpened(
            Inspected.Bytes(builder.Version2(s_content).ToArray(), With(builder.Passphrase)), CheckNames.Version);
    }

    [Fact]
    public void What_is_inside_fails_by_its_own_checks_names()
    {
        var builder = new LuksBuilder();
        var image = Inspected.Bytes(
            builder.Version1(Qcow2Cases.WithBacking("/etc/passwd").ToArray()).ToArray(), With(builder.Passphrase));
        Assert.Equal(ImageFormat.Qcow2, image.InnerImage!.Format);
        Assert.Equal(
            ["inner_backing_file", CheckNames.InnerSafety], image.Failures.Select(check => check.Name).Order());
        var outer = image.Failures.Single(check => check.Name == CheckNames.InnerSafety);
        Assert.Contains("backing_file", outer.Message, StringComparison.Ordinal);
        Assert.Equal(CheckVerdict.Passed, Verdict(image, CheckNames.Passphrase));
        Assert.Equal("/etc/passwd", image.InnerImage.BackingFile);
    }

    [Theory]
    [InlineData("qcow2/v3")]
    [InlineData("qcow2/l2-beyond-file")]
    [InlineData("qcow2/bitmaps-misplaced")]
    [InlineData("qcow2/snapshot-extra-huge")]
    [InlineData("gpt/4096-byte-sectors")]
    [InlineData("gpt/hybrid")]
    [InlineData("iso/bridge")]
    [InlineData("iso/udf-cut-in-sequence")]
    [InlineData("mbr/start-beyond-file")]
    [InlineData("luks/v1")]
    [InlineData("raw/fat12-whole")]
    public void What_is_inside_is_judged_as_if_it_were_not(string name)
    {
        var content = Corpus.All.Single(image => image.Name == name).Bytes();
        Array.Resize(ref content, (content.Length + 511) / 512 * 512);
        var builder = new LuksBuilder { Mode = "cbc-plain64", KeyBytes = 32 };
        var inner = Inspected.Bytes(builder.Version1(content).ToArray(), With(builder.Passphrase)).InnerImage!;
        Inspected.AssertSame(Inspected.File(content), inner, "a LUKS volume");
    }

    [Theory]
    [InlineData("wrong")]
    [InlineData("")]
    [InlineData("correct horse\n")]
    public void A_wrong_passphrase_fails(string passphrase)
    {
        var volume = new LuksBuilder { OtherSlots = [3] }.Version1(s_content).ToArray();
        var image = Inspected.Bytes(volume, With(passphrase));
        var failure = Assert.Single(image.Failures);
        Assert.Equal(CheckNames.Passphrase, failure.Name);
        Assert.Contains("2 of 2 key slots", failure.Message, StringComparison.Ordinal);
        Assert.Equal(CheckVerdict.Skipped, Verdict(image, CheckNames.InnerSafety));
        Assert.Null(image.InnerImage);
    }

    [Fact]
    public void Every_active_slot_is_tried()
    {
        var builder = new LuksBuilder { Slot = 6, OtherSlots = [0, 3] };
        AssertOpened(Inspected.Bytes(builder.Version1(s_content).ToArray(), With(builder.Passphrase)));
    }

    [Fact]
    public void A_volume_without_a_slot_cannot_be_opened()
    {
        var image = Inspected.File(new LuksBuilder().Version1(s_content).Big32(208, 0xDEAD).ToArray(), With("x"));
        Assert.Contains("no active key slot", Assert.Single(image.Failures).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 4, uint.MaxValue, "slot 0")]
    [InlineData(0, 4, 12_000_001, "slot 0")]
    [InlineData(3, 4, 12_000_001, "slot 3")]
    [InlineData(0, -44, 12_000_001, "digest")]
    public void More_iterations_than_the_policy_allows_are_never_run(int slot, int field, uint iterations, string what)
    {
        var volume = new LuksBuilder { OtherSlots = [3] }.Version1(s_content)
            .Big32(208 + 48 * slot + field, iterations);
        var watch = Stopwatch.StartNew();
        var failure = Assert.Single(Inspected.File(volume.ToArray(), With(LuksBuilder.DefaultPassphrase)).Failures);
        Assert.Equal(CheckNames.Passphrase, failure.Name);
        Assert.Contains(what, failure.Message, StringComparison.Ordinal);
        Assert.Contains("Nothing was tried", failure.Message, StringComparison.Ordinal);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(2), $"{watch.Elapsed}");
    }

    [Fact]
    public void All_slots_together_cost_no_more_than_the_policy_allows()
    {
        var volume = new LuksBuilder { Slot = 6, OtherSlots = [0, 3] }.Version1(s_content).ToArray();
        var options = With(LuksBuilder.DefaultPassphrase);
        options = options with { Policy = new SafetyPolicy { MaximumLuksIterations = 59 } };
        var failure = Assert.Single(Inspected.File(volume, options).Failures);
        Assert.Contains("first 2 of 3", failure.Message, StringComparison.Ordinal);
        AssertOpened(Inspected.File(volume, options with { Policy = new SafetyPolicy { MaximumLuksIterations = 60 } }));
    }

    [Theory]
    [InlineData(8, "serpent", "serpent-xts-plain64")]
    [InlineData(40, "ctr-plain64\0", "aes-ctr-plain64")]
    [InlineData(72, "whirlpool", "whirlpool")]
    public void What_cannot_be_opened_here_says_why(int field, string name, string expected)
    {
        var volume = new LuksBuilder().Version1(s_content).Text(field, name);
        var failure = Assert.Single(Inspected.File(volume.ToArray(), With(LuksBuilder.DefaultPassphrase)).Failures);
        Assert.Equal(CheckNames.Passphrase, failure.Name);
        Assert.Contains(expected, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Key_material_that_is_cut_off_is_truncated()
    {
        var builder = new LuksBuilder();
        var image = Inspected.Bytes(builder.Version1(s_content).Resize(4200).ToArray(), With(builder.Passphrase));
        Assert.Equal(CheckNames.Truncated, Assert.Single(image.Failures).Name);
        Assert.Equal(CheckVerdict.Skipped, Verdict(image, CheckNames.Passphrase));
    }

    [Fact]
    public void The_largest_key_material_is_held_in_bounded_memory()
    {
        // Eight slots of 512 KiB each, none of which opens; Inspected.Stream insists on less than 1 MiB.
        var volume = new LuksBuilder().Version1([]).Resize(4608 * 1024).Big32(104, 9216);
        for (var slot = 0; slot < 8; slot++)
        {
            volume.Put(208 + 48 * slot, volume[208..256]).Big32(208 + 48 * slot + 40, (uint)(8 + slot * 1024))
                .Big32(208 + 48 * slot + 44, 8192);
        }

        var inspector = Inspected.Stream(volume.ToArray(), _ => 65536, With("x"));
        Assert.Contains("8 of 8", Assert.Single(inspector.Failures).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Argon2_is_bounded_or_named_as_missing()
    {
        const string Kdf =
            """{"type":"argon2id","time":4,"memory":2097152,"cpus":4,"salt":"AAAAAAAAAAAAAAAAAAAAAA=="}""";
        var builder = new LuksBuilder { Kdf = (Kdf, (_, length) => new byte[length]) };
        var failure = Inspected.File(builder.Version2(s_content).ToArray(), With("x")).Failures
            .Single(check => check.Name == CheckNames.Passphrase);
        Assert.Contains("2097152 KiB", failure.Message, StringComparison.Ordinal);
        var longer = Kdf.Replace("2097152", "1048576", StringComparison.Ordinal)
            .Replace("\"time\":4", "\"time\":12", StringComparison.Ordinal);
        var expensive = builder with { Kdf = (longer, (_, length) => new byte[length]) };
        failure = Inspected.File(expensive.Version2(s_content).ToArray(), With("x")).Failures
            .Single(check => check.Name == CheckNames.Passphrase);
        Assert.Contains("12 passes over 1048576 KiB", failure.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void Argon2_derives_the_RFCs_kind_of_key()
    {
        Skip.IfNot(Argon2.IsAvailable, "libargon2 is not installed (Debian package libargon2-1)");

        // From the reference implementation's test suite (test.c): Argon2id, t=2, m=256 KiB, p=1.
        var key = new byte[32];
        Assert.True(Argon2.TryDerive(true, 2, 256, 1, "password"u8, "somesalt"u8, key));
        Assert.Equal("9DFEB910E80BAD0311FEE20F9C0E2B12C17987B4CAC90C2EF54D5B3021C68BFE", Convert.ToHexString(key));
        Assert.False(Argon2.TryDerive(true, 0, 256, 1, "password"u8, "somesalt"u8, key));
    }

    internal static InspectionOptions With(string passphrase) =>
        new() { Passphrase = Encoding.UTF8.GetBytes(passphrase) };

    private static CheckVerdict Verdict(ImageInspection image, string check) =>
        image.Checks.Single(result => result.Name == check).Verdict;

    private static void AssertOpened(ImageInspection image, params string[] failures)
    {
        Assert.True(
            failures.SequenceEqual(image.Failures.Select(check => check.Name)), string.Join("\n", image.Checks));
        Assert.Equal(CheckVerdict.Passed, Verdict(image, CheckNames.Passphrase));
        Assert.Equal(CheckVerdict.Passed, Verdict(image, CheckNames.InnerSafety));
        Assert.Equal(CheckVerdict.Passed, Verdict(image, "inner_mbr"));
        Assert.Equal(ImageFormat.Gpt, image.InnerImage!.Format);
    }
}
