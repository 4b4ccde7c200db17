using ImageUtils.Builders;
using ImageUtils.Formats.Luks;
using ImageUtils.Inspection;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats;

/// <summary>Volumes made by qemu-img and cryptsetup.</summary>
public sealed class LuksInteropTests
{
    private const string Passphrase = LuksVolumeOfQemu.Passphrase;

    public static TheoryData<string> AllOptions => [.. LuksVolumeOfQemu.AllOptions];

    [SkippableTheory]
    [InlineData("")]
    [InlineData("cipher-alg=aes-128,hash-alg=sha1")]
    [InlineData("cipher-alg=aes-192,ivgen-alg=plain")]
    [InlineData("cipher-alg=aes-128,cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sha256")]
    [InlineData("cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sha256,hash-alg=sha384")]
    [InlineData("cipher-mode=cbc,ivgen-alg=plain64,hash-alg=sha512")]
    public void What_qemu_img_put_inside_is_inspected(string options)
    {
        var volume = LuksVolumeOfQemu.Get(options);
        var image = Inspected.Bytes(volume, LuksTests.With(Passphrase));
        Assert.Equal(
            ["inner_backing_file", CheckNames.InnerSafety], image.Failures.Select(check => check.Name).Order());
        Inspected.AssertSame(Inspected.File(LuksVolumeOfQemu.Content), image.InnerImage!, "a LUKS volume");
        var wrong = Inspected.File(volume, LuksTests.With("wrong"));
        Assert.Equal(CheckNames.Passphrase, Assert.Single(wrong.Failures).Name);
    }

    [SkippableTheory]
    [MemberData(nameof(AllOptions))]
    public void What_qemu_img_makes_is_safe_without_a_passphrase(string options)
    {
        var image = Inspected.File(LuksVolumeOfQemu.Get(options));
        Assert.True(image.IsSafe, string.Join("\n", image.Checks));
    }

    [SkippableTheory]
    [InlineData("luks1", "--pbkdf-force-iterations", "1000")]
    [InlineData("luks1", "--pbkdf-force-iterations", "1000", "--cipher", "aes-cbc-essiv:sha256",
        "--key-size", "256", "--hash", "sha1")]
    [InlineData("luks2", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")]
    [InlineData("luks2", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--hash", "sha512",
        "--sector-size", "512", "--label", "x")]
    [InlineData("luks2", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--luks2-metadata-size", "64k")]
    [InlineData("luks2", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--luks2-metadata-size", "1m")]
    [InlineData("luks2", "--pbkdf", "argon2id", "--pbkdf-force-iterations", "4",
        "--pbkdf-memory", "32", "--pbkdf-parallel", "1")]
    [InlineData("luks2", "--pbkdf", "argon2i", "--pbkdf-force-iterations", "4",
        "--pbkdf-memory", "1024", "--pbkdf-parallel", "2")]
    public void What_cryptsetup_makes_is_opened_by_each_of_its_passphrases(string type, params string[] arguments)
    {
        Tool.Require("cryptsetup", "cryptsetup-bin");
        using var directory = new TemporaryDirectory();
        var keyLength = arguments.Contains("--key-size") ? 32 : 64;
        var masterKey = LuksBuilder.Salt(keyLength, 77);
        File.WriteAllBytes(directory["master-key"], masterKey);
        File.WriteAllText(directory["passphrase"], Passphrase);
        File.WriteAllText(directory["second"], "second");
        using (var file = File.Create(directory["volume"]))
        {
            file.SetLength(20 << 20);
        }

        Tool.Run(
            "cryptsetup",
            ["luksFormat", "--batch-mode", "--type", type, "--key-file", directory["passphrase"],
                "--volume-key-file", directory["master-key"], .. arguments, directory["volume"]]);
        string[] kdf = type == "luks1"
            ? ["--pbkdf-force-iterations", "1000"]
            : [.. arguments.SkipWhile(argument => argument != "--pbkdf").Take(4)];
        string[] memory = arguments.Contains("--pbkdf-memory") ? ["--pbkdf-memory", "64"] : [];
        Tool.Run(
            "cryptsetup",
            ["luksAddKey", "--batch-mode", "--key-file", directory["passphrase"], .. kdf, .. memory,
                directory["volume"], directory["second"]]);
        var details = Assert.IsType<LuksDetails>(Inspect(directory["volume"], null).Details);
        var volume = new BuiltImage(File.ReadAllBytes(directory["volume"]));
        var mode = details.IvHash is null ? $"{details.CipherMode}-{details.IvGenerator}" : "cbc-essiv:sha256";
        volume.Put((int)details.PayloadOffset, LuksBuilder.Encrypt(
            PartitionTableCases.Mbr().ToArray(), masterKey, mode, details.SectorSize, 0));
        File.WriteAllBytes(directory["volume"], volume.ToArray());

        string[] expected = type == "luks1" ? [] : [CheckNames.Version];
        Assert.Equal(2, details.Slots.Count(slot => slot.IsActive));
        foreach (var passphrase in new[] { Passphrase, "second" })
        {
            var image = Inspect(directory["volume"], passphrase);
            Assert.True(
                expected.SequenceEqual(image.Failures.Select(check => check.Name)), string.Join("\n", image.Checks));
            Assert.Equal(ImageFormat.Mbr, image.InnerImage!.Format);
            Inspected.AssertSame(
                image, Inspected.Stream(volume.ToArray(), _ => 1_000_003, LuksTests.With(passphrase)), passphrase);
        }

        Assert.Contains(Inspect(directory["volume"], "third").Failures, check => check.Name == CheckNames.Passphrase);
    }

    private static ImageInspection Inspect(string path, string? passphrase) => ImageInspector
        .InspectFileAsync(path, passphrase is null ? null : LuksTests.With(passphrase))
        .AsTask().GetAwaiter().GetResult();
}
