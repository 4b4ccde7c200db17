using ImageUtils.Inspection;

namespace ImageUtils.Errors;

/// <summary>What is wrong with what qemu-img was to be asked.</summary>
public enum QemuRequestProblem
{
    /// <summary>An option that is unknown here, leads to other files, or contradicts another.</summary>
    Option,

    /// <summary>The destination is not absolute, is the source, or cannot hold the format.</summary>
    Destination,

    /// <summary>The image has no such snapshot.</summary>
    Snapshot,

    /// <summary>The image depends on another that was not inspected, or that qemu does not follow.</summary>
    BackingFile,

    /// <summary>The image would become smaller, and nobody allowed that.</summary>
    Shrink,

    /// <summary>The command that is put before external programs is not there.</summary>
    ElevationCommand,
}

/// <summary>qemu-img was not started, because it would not do what is wanted, or more than that.</summary>
/// <param name="problem">What is wrong.</param>
/// <param name="message">What was found, and what to do.</param>
public sealed class QemuRequestException(QemuRequestProblem problem, string message) : ImageUtilsException(message)
{
    /// <summary>What is wrong.</summary>
    public QemuRequestProblem Problem => problem;

    /// <inheritdoc/>
    public override string ErrorId => problem switch
    {
        QemuRequestProblem.Option => "QemuOptionRefused",
        QemuRequestProblem.Destination => "DestinationUnusable",
        QemuRequestProblem.Snapshot => "SnapshotNotFound",
        QemuRequestProblem.BackingFile => "BackingFileNotInspected",
        QemuRequestProblem.Shrink => "ShrinkNotAllowed",
        _ => "ElevationCommandNotFound",
    };
}

/// <summary>An encrypted image was to become one that is not encrypted, and nobody allowed that.</summary>
/// <param name="path">The source.</param>
public sealed class DecryptionNotAllowedException(string path) : ImageUtilsException(
    $"'{Printable.Text(path)}' is encrypted, and the destination would not be: whoever can read it could read the "
    + "data. Give the destination a passphrase, or allow the decryption (-AllowDecrypt).")
{
    /// <summary>The source.</summary>
    public string Path => path;

    /// <inheritdoc/>
    public override string ErrorId => "DecryptionNotAllowed";
}

/// <summary>What is wrong with a passphrase.</summary>
public enum PassphraseProblem
{
    /// <summary>None was given, and one is needed.</summary>
    Missing,

    /// <summary>It opens no key slot.</summary>
    Wrong,

    /// <summary>It is empty, no UTF-8, or has a NUL character: other programs would read another one.</summary>
    Unusable,

    /// <summary>One was given for an image that is not encrypted.</summary>
    NotNeeded,
}

/// <summary>A passphrase is missing, wrong or unusable. It is never part of the message.</summary>
/// <param name="problem">What is wrong.</param>
/// <param name="path">The image.</param>
/// <param name="message">What to do.</param>
public sealed class PassphraseException(PassphraseProblem problem, string path, string message)
    : ImageUtilsException(message)
{
    /// <summary>What is wrong.</summary>
    public PassphraseProblem Problem => problem;

    /// <summary>The image.</summary>
    public string Path => path;

    /// <inheritdoc/>
    public override string ErrorId => $"Passphrase{problem}";
}

/// <summary>A cipher such as <c>aes-xts-plain64</c> has another shape, or is not one of qemu's.</summary>
/// <param name="message">What was found, and what is possible.</param>
public sealed class CipherSpecException(string message) : ImageUtilsException(message)
{
    /// <inheritdoc/>
    public override string ErrorId => "CipherSpecInvalid";
}

/// <summary>A control group is not one that processes can be put under.</summary>
/// <param name="path">The group's directory.</param>
/// <param name="message">What is wrong, and what to do.</param>
public sealed class CgroupException(string path, string message) : ImageUtilsException(message)
{
    /// <summary>The group's directory.</summary>
    public string Path => path;

    /// <inheritdoc/>
    public override string ErrorId => "CgroupUnusable";
}
