using ImageUtils.Inspection;
using ImageUtils.Safety;

namespace ImageUtils.Errors;

/// <summary>An image failed a safety check, and is not handed to anything else.</summary>
public sealed class ImageUnsafeException : ImageUtilsException
{
    /// <summary>Makes the error for an image and the checks that it failed.</summary>
    public ImageUnsafeException(string path, IReadOnlyList<SafetyCheckResult> failures)
        : base(
            $"'{Printable.Text(path)}' is not safe, and was not handed on. "
            + $"{string.Join(" ", failures.Select(failure => $"{failure.Name}: {failure.Message}"))}")
    {
        Path = path;
        Failures = failures;
    }

    /// <summary>The image.</summary>
    public string Path { get; }

    /// <summary>The checks that it failed.</summary>
    public IReadOnlyList<SafetyCheckResult> Failures { get; }

    /// <inheritdoc/>
    public override string ErrorId => "ImageIsUnsafe";
}
