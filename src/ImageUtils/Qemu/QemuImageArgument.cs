using ImageUtils.Errors;
using ImageUtils.Formats.Qcow2;
using ImageUtils.Inspection;
using ImageUtils.IO;

namespace ImageUtils.Qemu;

/// <summary>How inspected images are named to qemu-img, with their driver and what opens them.</summary>
/// <remarks>
/// Each is either <c>-f DRIVER /path</c>, where the path is absolute and so neither an option nor a protocol, or, where
/// a passphrase is needed, a list of options in which the file is opened by the plain file driver.
/// </remarks>
internal static class QemuImageArgument
{
    // Of these qemu opens what they are based on; of others with a parent it reads what is in the file, and no more.
    private static readonly ImageFormat[] s_followed =
        [ImageFormat.Qcow, ImageFormat.Qcow2, ImageFormat.Qed, ImageFormat.Vmdk];

    /// <exception cref="QemuRequestException">What is below the image was not inspected.</exception>
    /// <exception cref="PassphraseException">What is below the image is encrypted.</exception>
    internal static void ThrowIfUnvettedBelow(VettedImage image)
    {
        if (image.Inspection.BackingFile is not { Length: > 0 } below)
        {
            return;
        }

        if (!s_followed.Contains(image.Format))
        {
            throw new QemuRequestException(
                QemuRequestProblem.BackingFile,
                $"'{Printable.Text(image.Path)}' depends on its parent '{Printable.Text(below)}', which qemu does not "
                + $"follow in {image.Format.ToName()}: it would take the missing data for zeros. Merge the two first.");
        }

        if (image.BackingChain is not { } chain)
        {
            throw new QemuRequestException(
                QemuRequestProblem.BackingFile,
                $"'{Printable.Text(image.Path)}' is backed by '{Printable.Text(below)}', which was not inspected. "
                + "Inspect the whole chain, with the directories of its files allowed.");
        }

        if (chain.FirstOrDefault(link => link.Inspection.IsEncrypted) is { } encrypted)
        {
            throw new PassphraseException(
                PassphraseProblem.Missing, encrypted.Path,
                $"'{Printable.Text(encrypted.Path)}', on which '{Printable.Text(image.Path)}' is based, is encrypted, "
                + "and an encrypted image below another cannot be opened here. Convert that one first.");
        }
    }

    /// <summary>Whether one of these needs a passphrase: all must then be named by options.</summary>
    internal static bool AnyIsEncrypted(params ReadOnlySpan<VettedImage> images)
    {
        foreach (var image in images)
        {
            if (image.Inspection.IsEncrypted)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>An image as a list of options, for <c>--image-opts</c>.</summary>
    /// <exception cref="PassphraseException">There is none, one too many, or an unusable one.</exception>
    internal static string ToOptions(VettedImage image, ReadOnlyMemory<byte>? passphrase, SecretFiles secrets)
    {
        var options = new QemuOptionList().Add("driver", image.DriverName);
        if (image.Inspection.IsEncrypted)
        {
            AddSecret(options, image, passphrase ?? throw ToMissing(image.Path), secrets);
        }

        return options.Add("file.driver", IsDevice(image.Path) ? "host_device" : "file")
            .Add("file.filename", image.Path).ToString();
    }

    /// <exception cref="PassphraseException">A passphrase was given for an image that has no use for it.</exception>
    internal static void ThrowIfNotNeeded(VettedImage image, ReadOnlyMemory<byte>? passphrase)
    {
        if (passphrase is not null && !image.Inspection.IsEncrypted)
        {
            throw new PassphraseException(
                PassphraseProblem.NotNeeded, image.Path,
                $"A passphrase was given for '{Printable.Text(image.Path)}', which is {image.Format.ToName()} and not "
                + "encrypted. Is it the right image?");
        }
    }

    internal static PassphraseException ToMissing(string path) => new(
        PassphraseProblem.Missing, path, $"'{Printable.Text(path)}' is encrypted. Give its passphrase.");

    internal static bool IsDevice(string path) =>
        OperatingSystem.IsLinux() && Posix.FindIdentity(path)?.Type == Posix.FileType.BlockDevice;

    private static void AddSecret(
        QemuOptionList options, VettedImage image, ReadOnlyMemory<byte> passphrase, SecretFiles secrets)
    {
        switch (image)
        {
            case { Format: ImageFormat.Luks }:
                options.Add("key-secret", secrets.Add(passphrase, image.Path));
                break;
            case { Inspection.Details: Qcow2Details { EncryptionFormat: "luks" } }:
                options.Add("encrypt.format", "luks")
                    .Add("encrypt.key-secret", secrets.Add(passphrase, image.Path));
                break;
            default:
                throw new QemuRequestException(
                    QemuRequestProblem.Option,
                    $"'{Printable.Text(image.Path)}' has the old AES encryption of {image.Format.ToName()}, which "
                    + "neither keeps data secret nor notices a wrong passphrase, and is not read here. Convert it "
                    + "with an old qemu-img.");
        }
    }
}
