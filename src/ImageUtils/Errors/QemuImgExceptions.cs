using ImageUtils.Inspection;

namespace ImageUtils.Errors;

/// <summary>There is no qemu-img to run.</summary>
public sealed class QemuImgNotFoundException : ImageUtilsException
{
    private const string Advice = "Install it (Debian and Ubuntu: qemu-utils; Fedora and RHEL: qemu-img; Windows: "
        + "QEMU for Windows), or name the program with -Path or in the environment variable IMAGEUTILS_QEMU_IMG.";

    /// <summary>Makes the error.</summary>
    /// <param name="where">Where it was looked for, such as <c>'qemu-img' is in no directory of PATH.</c></param>
    public QemuImgNotFoundException(string where)
        : base($"{where} {Advice}")
    {
    }

    /// <inheritdoc/>
    public override string ErrorId => "QemuImgNotFound";
}

/// <summary>qemu has no driver for an image's format.</summary>
public sealed class QemuDriverMissingException : ImageUtilsException
{
    /// <summary>Makes the error for an image of a format.</summary>
    public QemuDriverMissingException(string path, ImageFormat format)
        : base($"'{Printable.Text(path)}' is {format.ToName()}, for which qemu has no driver. If it wraps an image, "
            + "unpack it first.")
    {
        Path = path;
        Format = format;
    }

    /// <summary>The image.</summary>
    public string Path { get; }

    /// <summary>Its format.</summary>
    public ImageFormat Format { get; }

    /// <inheritdoc/>
    public override string ErrorId => "QemuHasNoDriver";
}

/// <summary>qemu-img ran, or should have, and ended with an error.</summary>
/// <param name="message">What it was asked, how it ended, and what it said.</param>
/// <param name="exitCode">How it ended; 128 and the signal where it was killed; null where it did not start.</param>
/// <param name="standardError">What it said, the beginning of it.</param>
/// <param name="innerException">Why it could not be started.</param>
public class QemuImgFailedException(
    string message, int? exitCode, string standardError, Exception? innerException = null)
    : ImageUtilsException(message, innerException)
{
    /// <summary>How it ended; 128 and the signal where it was killed; null where it did not start.</summary>
    public int? ExitCode => exitCode;

    /// <summary>What it said on its error stream, the beginning of it.</summary>
    public string StandardError => standardError;

    /// <inheritdoc/>
    public override string ErrorId => "QemuImgFailed";
}

/// <summary>qemu-img took more processor time or memory, or said more, than it may.</summary>
/// <inheritdoc cref="QemuImgFailedException"/>
public sealed class QemuImgLimitExceededException(string message, int? exitCode, string standardError)
    : QemuImgFailedException(message, exitCode, standardError)
{
    /// <inheritdoc/>
    public override string ErrorId => "QemuImgLimitExceeded";
}

/// <summary>qemu-img was still running when its time was over, and was killed.</summary>
/// <inheritdoc cref="QemuImgFailedException"/>
public sealed class QemuImgTimedOutException(string message, string standardError)
    : QemuImgFailedException(message, null, standardError)
{
    /// <inheritdoc/>
    public override string ErrorId => "QemuImgTimedOut";
}

/// <summary>qemu-img ended because the file system of its destination is full.</summary>
/// <inheritdoc cref="QemuImgFailedException"/>
public sealed class QemuImgNoSpaceException(string message, int? exitCode, string standardError)
    : QemuImgFailedException(message, exitCode, standardError)
{
    /// <inheritdoc/>
    public override string ErrorId => "NoSpaceLeft";
}
