using System.Text.Json;
using ImageUtils.Builders;
using ImageUtils.Formats.Luks;
using ImageUtils.Inspection;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats;

/// <summary>Volumes made by qemu-img and cryptsetup.</summary>
public sealed class LuksInteropTests
{
    private const string Passphrase = "pass phrase";

    [SkippableTheory]
    [InlineData("")]
    [InlineData("cipher-alg=aes-128")]
    [InlineData("cipher-alg=aes-128,cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sha256")]
    [InlineData("cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sha256")]
    [InlineData("cipher-mode=cbc,ivgen-alg=plain,hash-alg=sha1")]
    [InlineData("ivgen-alg=plain,hash-alg=sha512")]
    [InlineData("cipher-alg=serpent-256")]
    [InlineData("cipher-alg=twofish-128,cipher-mode=cbc")]
    [InlineData("cipher-alg=cast5-128,cipher-mode=cbc")]
    [InlineData("cipher-mode=ecb")]
    [InlineData("cipher-mode=ctr")]
    [InlineData("hash-alg=ripemd160")]
    public void A_description_is_that_of_qemu_img(string options)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        var path = CreateWithQemu(directory, options, size: "1M");
        using var json = JsonDocument.Parse(Tool.Run("qemu-img", "info", "--output=json", "-f", "luks", path));
        var image = Inspected.File(File.ReadAllBytes(path));
        Assert.True(image.IsSafe, string.Join("\n", image.Checks));
        Assert.Equal(json.RootElement.GetProperty("virtual-size").GetInt64(), image.VirtualSize);
        var expected = json.RootElement.GetProperty("format-specific").GetProperty("data");
        var details = Assert.IsType<LuksDetails>(image.Details);
        Assert.Equal(expected.GetProperty("cipher-alg").GetString(), details.CipherAlgorithm);
        Assert.Equal(expected.GetProperty("cipher-mode").GetString(), details.CipherMode);
        Assert.Equal(expected.GetProperty("ivgen-alg").GetString(), details.IvGenerator);
        Assert.Equal(
            expected.TryGetProperty("ivgen-hash-alg", out var ivHash) ? ivHash.GetString() : null, details.IvHash);
        Assert.Equal(expected.GetProperty("hash-alg").GetString(), details.HashAlgorithm);
        Assert.Equal(expected.GetProperty("uuid").GetString(), details.Uuid);
        Assert.Equal(expected.GetProperty("payload-offset").GetInt64(), details.PayloadOffset);
        Assert.Equal(expected.GetProperty("master-key-iters").GetInt64(), details.MasterKeyIterations);
        Assert.Equal(
            expected.GetProperty("slots").EnumerateArray().Select(slot => slot.GetProperty("key-offset").GetInt64()),
            details.Slots.Select(slot => slot.KeyOffset));
        var first = expected.GetProperty("slots")[0];
        Assert.Equal(
            new(0, true, first.GetProperty("key-offset").GetInt64(), first.GetProperty("stripes").GetInt64(), "pbkdf2",
                first.GetProperty("iters").GetInt64()),
            details.Slots[0]);
    }

    [SkippableTheory]
    [InlineData("")]
    [InlineData("cipher-alg=aes-128,hash-alg=sha1")]
    [InlineData("cipher-alg=aes-128,cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sha256")]
    [InlineData("cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sha256")]
    [InlineData("cipher-mode=cbc,ivgen-alg=plain64,hash-alg=sha512")]
    [InlineData("ivgen-alg=plain")]
    public void What_qemu_img_put_inside_is_inspected(string options)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        var content = Qcow2Cases.WithBacking("/etc/passwd").ToArray();
        File.WriteAllBytes(directory["content"], content);
        var path = CreateWithQemu(directory, options, content: directory["content"]);
        var image = Inspected.Bytes(File.ReadAllBytes(path), LuksTests.With(Passphrase));
        Assert.Equal(
            ["inner_backing_file", CheckNames.InnerSafety], image.Failures.Select(check => check.Name).Order());
        Inspected.AssertSame(Inspected.File(content), image.InnerImage!, "a LUKS volume");
        var wrong = Inspected.File(File.ReadAllBytes(path), LuksTests.With("wrong"));
        Assert.Equal(CheckNames.Passphrase, Assert.Single(wrong.Failures).Name);
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

    private static string CreateWithQemu(
        TemporaryDirectory directory, string options, string? size = null, string? content = null)
    {
        File.WriteAllText(directory["passphrase"], Passphrase);
        options = "key-secret=s,iter-time=10" + (options.Length > 0 ? "," + options : "");
        string[] common = ["--object", $"secret,id=s,file={directory["passphrase"]}"];
        Tool.Run("qemu-img", content is null
            ? ["create", "-q", .. common, "-f", "luks", "-o", options, directory["volume"], size!]
            : ["convert", .. common, "-f", "raw", "-O", "luks", "-o", options, content, directory["volume"]]);
        return directory["volume"];
    }
}
