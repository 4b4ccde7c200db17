using System.Globalization;
using System.Text.RegularExpressions;
using ImageUtils.Errors;
using ImageUtils.Inspection;

namespace ImageUtils.Qemu;

/// <summary>The <c>-o</c> options of an image that qemu-img makes.</summary>
internal static partial class QemuTargetArgument
{
    private static readonly ImageFormat[] s_written =
    [
        ImageFormat.Raw, ImageFormat.Qcow, ImageFormat.Qcow2, ImageFormat.Qed, ImageFormat.Vhd, ImageFormat.Vhdx,
        ImageFormat.Vmdk, ImageFormat.Vdi, ImageFormat.Ploop, ImageFormat.Luks,
    ];

    // What leads to other files, what says the size a second time, and what LuksTarget and the secrets say.
    private static readonly string[] s_refused =
    [
        "backing_file", "backing_fmt", "data_file", "data_file_raw", "size", "help", "encryption", "key-secret",
        "cipher-alg", "cipher-mode", "ivgen-alg", "ivgen-hash-alg", "hash-alg", "iter-time",
    ];

    /// <exception cref="QemuRequestException">qemu-img has no driver that writes it.</exception>
    internal static string ToDriver(ImageFormat format)
    {
        var driver = format.ToQemuName();
        return driver is not null && (driver == "raw" || s_written.Contains(format))
            ? driver
            : throw new QemuRequestException(
                QemuRequestProblem.Option,
                $"qemu-img does not write {format.ToName()}. Use one of: "
                + $"{string.Join(", ", s_written.Select(one => one.ToName()))}.");
    }

    /// <summary>The value of <c>-o</c>, empty where there is nothing to say.</summary>
    /// <exception cref="QemuRequestException">An option is refused.</exception>
    /// <exception cref="PassphraseException">There is none and one is needed, or it is unusable.</exception>
    internal static QemuOptionList ToOptions(
        string path,
        ImageFormat format,
        IReadOnlyDictionary<string, string> formatOptions,
        LuksTarget? encryption,
        SecretFiles secrets)
    {
        var list = new QemuOptionList();
        foreach (var (name, value) in formatOptions)
        {
            ThrowIfRefused(format, name, value);
            list.Add(name, value);
        }

        var prefix = format switch
        {
            ImageFormat.Luks => "",
            ImageFormat.Qcow2 => "encrypt.",
            _ when encryption is null => "",
            _ => throw new QemuRequestException(
                QemuRequestProblem.Option,
                $"A {format.ToName()} cannot be encrypted by qemu-img. Encrypted can be: luks, qcow2."),
        };
        if (encryption is not null)
        {
            if (format == ImageFormat.Qcow2)
            {
                list.Add("encrypt.format", "luks");
            }

            AddEncryption(list, prefix, encryption, secrets.Add(encryption.Passphrase, path));
        }
        else if (format == ImageFormat.Luks)
        {
            throw new PassphraseException(
                PassphraseProblem.Missing, path,
                $"'{Printable.Text(path)}' is to be a LUKS volume. Give the passphrase that will open it.");
        }

        return list;
    }

    private static void AddEncryption(QemuOptionList list, string prefix, LuksTarget encryption, string secret)
    {
        list.Add(prefix + "key-secret", secret);
        if (encryption.Cipher is { } cipher)
        {
            list.Add(prefix + "cipher-alg", cipher.CipherAlgorithm).Add(prefix + "cipher-mode", cipher.CipherMode)
                .Add(prefix + "ivgen-alg", cipher.IvGenerator);
        }

        if (encryption.HashAlgorithm is { } hash)
        {
            list.Add(prefix + "hash-alg", hash);
        }

        if (encryption.IterationTime is { } time)
        {
            var milliseconds = Math.Max(1, (long)time.TotalMilliseconds);
            list.Add(prefix + "iter-time", milliseconds.ToString(CultureInfo.InvariantCulture));
        }
    }

    private static void ThrowIfRefused(ImageFormat format, string name, string value)
    {
        if (!OptionName().IsMatch(name) || s_refused.Contains(name)
            || name.StartsWith("encrypt.", StringComparison.Ordinal))
        {
            throw new QemuRequestException(
                QemuRequestProblem.Option,
                $"The option '{Printable.Text(name)}' is not passed to qemu-img: it is none, or leads to other files, "
                + "or has its own parameter here.");
        }

        if (format == ImageFormat.Vmdk && name == "subformat"
            && value is not ("monolithicSparse" or "streamOptimized"))
        {
            throw new QemuRequestException(
                QemuRequestProblem.Option,
                $"A vmdk of the subformat '{Printable.Text(value)}' is more than one file, and the first names the "
                + "others: it could not be renamed. Use monolithicSparse or streamOptimized.");
        }
    }

    [GeneratedRegex("^[A-Za-z][A-Za-z0-9_.-]*\\z")]
    private static partial Regex OptionName();
}
