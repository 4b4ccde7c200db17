namespace ImageUtils.Errors;

/// <summary>An image is sound, but of a kind that is not read natively (encrypted, for one).</summary>
/// <param name="message">Names what is not read, and the way round it.</param>
public sealed class UnsupportedImageException(string message) : ImageUtilsException(message)
{
    /// <inheritdoc/>
    public override string ErrorId => "ImageNotSupported";
}

/// <summary>An option that the target format does not have, or a value that it cannot have.</summary>
/// <param name="option">The option's name, such as <c>ClusterSize</c>.</param>
/// <param name="message">Names the option, the value and what is allowed.</param>
public sealed class ImageOptionException(string option, string message) : ImageUtilsException(message)
{
    /// <summary>The option's name.</summary>
    public string Option => option;

    /// <inheritdoc/>
    public override string ErrorId => "InvalidImageOption";
}
