using ImageUtils.Inspection;

namespace ImageUtils.Errors;

/// <summary>A change of format was asked for, and the configuration forbids any.</summary>
/// <param name="path">The source.</param>
/// <param name="from">Its format.</param>
/// <param name="to">What it was to become.</param>
public sealed class ConversionDisabledException(string path, ImageFormat from, ImageFormat to) : ImageUtilsException(
    $"'{Printable.Text(path)}' is {from.ToName()} and was not converted to {to.ToName()}: ConversionDisabled is set in "
    + "the configuration. Get-ImageUtilsConfiguration says where.")
{
    /// <inheritdoc/>
    public override string ErrorId => "ConversionDisabled";
}

/// <summary>What came out of a conversion is not what it should be; it was not kept.</summary>
/// <param name="path">The destination.</param>
/// <param name="message">What is wrong with it.</param>
public sealed class ConversionResultException(string path, string message) : ImageUtilsException(
    $"The conversion to '{Printable.Text(path)}' was undone: {message}")
{
    /// <summary>The destination.</summary>
    public string Path => path;

    /// <inheritdoc/>
    public override string ErrorId => "ConversionResultRefused";
}

/// <summary>The data that was read back is not what was written; the new image was not kept.</summary>
/// <param name="path">The destination.</param>
public sealed class VerificationFailedException(string path) : ImageUtilsException(
    $"What '{Printable.Text(path)}' holds is not what was read from the source. The new image was not kept. Check the "
    + "disk and the memory of this machine, and try again.")
{
    /// <summary>The destination.</summary>
    public string Path => path;

    /// <inheritdoc/>
    public override string ErrorId => "VerificationFailed";
}

/// <summary>The source changed while it was being converted; the new image was not kept.</summary>
/// <param name="path">The source.</param>
public sealed class SourceChangedException(string path) : ImageUtilsException(
    $"'{Printable.Text(path)}' was written to while it was being converted. The new image was not kept. Stop what uses "
    + "it, and try again.")
{
    /// <summary>The source.</summary>
    public string Path => path;

    /// <inheritdoc/>
    public override string ErrorId => "SourceChanged";
}
