using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Qemu;

/// <summary>Of every kind of image that qemu-img can make, the native inspector says what qemu-img does.</summary>
public sealed class QemuAgreementTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public static TheoryData<string, string> Recipes
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var (driver, recipe) in QemuRecipes.All)
            {
                data.Add(driver, recipe);
            }

            return data;
        }
    }

    private string Image => _directory["image"];

    [SkippableTheory]
    [MemberData(nameof(Recipes))]
    public void Native_and_qemu_img_agree(string driver, string recipe)
    {
        Tool.Require("qemu-img", "qemu-utils");
        Tool.Require("qemu-io", "qemu-utils");
        Follow(driver, recipe);
        QemuAgreement.AssertSame(Image, driver);
    }

    public void Dispose() => _directory.Dispose();

    private void Follow(string driver, string recipe)
    {
        if (recipe.Contains("RAW", StringComparison.Ordinal))
        {
            File.WriteAllBytes(_directory["raw"], Pattern());
        }

        foreach (var format in new[] { "qcow2", "vmdk" })
        {
            if (recipe.Contains($"base.{format}", StringComparison.Ordinal)
                || format == "qcow2" && recipe.Contains("BASE", StringComparison.Ordinal))
            {
                Tool.Run("qemu-img", "create", "-q", "-f", format, _directory[$"base.{format}"], "10M");
            }
        }

        foreach (var command in recipe.Split("; "))
        {
            var words = command.Split(' ');
            Run(driver, words[0], [
                .. words[1..].Select(word => word
                    .Replace("IMAGE", Image, StringComparison.Ordinal)
                    .Replace("RAW", _directory["raw"], StringComparison.Ordinal)
                    .Replace("BASE", _directory["base.qcow2"], StringComparison.Ordinal)
                    .Replace("data_file=", $"data_file={_directory.Path}/", StringComparison.Ordinal))]);
        }
    }

    private void Run(string driver, string verb, string[] words)
    {
        string[] secret = ["--object", "secret,id=s,data=abc"];
        switch (verb)
        {
            case "create":
                Tool.Run("qemu-img", ["create", "-q", .. secret, "-f", driver, .. words]);
                break;
            case "convert":
                Tool.Run("qemu-img", ["convert", .. secret, "-f", "raw", "-O", driver, .. words]);
                break;
            case "write":
                Tool.Run("qemu-io", "-f", driver, "-c", $"write {string.Join(' ', words)}", Image);
                break;
            case "crash":
                Assert.Throws<InvalidOperationException>(() => Tool.Run(
                    "qemu-io", "-f", driver, "-c", $"write {string.Join(' ', words)}", "-c", "flush", "-c", "abort",
                    Image));
                break;
            case "volume":
                File.WriteAllBytes(Image, LuksVolumeOfQemu.Get(string.Concat(words)));
                break;
            case "add-key":
                Tool.Run(
                    "qemu-img", "amend", "--object", $"secret,id=s,data={LuksVolumeOfQemu.Passphrase}",
                    "--object", "secret,id=n,data=second", "-o", "state=active,new-secret=n,iter-time=10",
                    "--image-opts", $"driver=luks,key-secret=s,file.filename={Image}");
                break;
            case "snapshot" or "bitmap":
                Tool.Run("qemu-img", [verb, .. words]);
                break;
            default:
                Tool.Run("qemu-img", [verb, "-f", driver, .. words]);
                break;
        }
    }

    // What compresses, what does not, and nothing; not a whole number of clusters.
    private static byte[] Pattern()
    {
        var bytes = new byte[(3 << 20) + 7 * 512];
        bytes.AsSpan(70_000, 500_000).Fill(0xA5);
        new Random(1).NextBytes(bytes.AsSpan(2 << 20, 200_000));
        bytes[^1] = 1;
        return bytes;
    }
}
