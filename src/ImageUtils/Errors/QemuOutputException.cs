namespace ImageUtils.Errors;

/// <summary>Text that should be the output of <c>qemu-img info</c> is not.</summary>
/// <param name="message">Names what was found and what was expected.</param>
/// <param name="innerException">What the JSON reader said.</param>
public sealed class QemuOutputException(string message, Exception? innerException = null)
    : ImageUtilsException(message, innerException)
{
    /// <inheritdoc/>
    public override string ErrorId => "QemuOutputNotUnderstood";
}
