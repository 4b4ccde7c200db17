namespace ImageUtils.Errors;

/// <summary>What is wrong with the configuration.</summary>
public enum ConfigurationProblem
{
    /// <summary>A file is not the JSON object that it should be.</summary>
    Malformed,

    /// <summary>A setting has a value that it cannot have, in a file, in the environment or from a caller.</summary>
    InvalidValue,

    /// <summary>A file, or the directory that it is in, can be changed by somebody else.</summary>
    Unsafe,

    /// <summary>A file is there and cannot be read.</summary>
    CannotRead,

    /// <summary>A file cannot be written.</summary>
    CannotWrite,
}

/// <summary>The configuration cannot be read, trusted or written. It is never passed over in silence.</summary>
/// <param name="problem">What is wrong.</param>
/// <param name="origin">The file, the environment variable, or the setting's name.</param>
/// <param name="message">What to do about it.</param>
/// <param name="innerException">What the operating system or the JSON reader said.</param>
public sealed class ConfigurationException(
    ConfigurationProblem problem, string origin, string message, Exception? innerException = null)
    : ImageUtilsException(message, innerException)
{
    /// <summary>What is wrong.</summary>
    public ConfigurationProblem Problem => problem;

    /// <summary>The file, the environment variable, or the setting's name.</summary>
    public string Origin => origin;

    /// <inheritdoc/>
    public override string ErrorId => problem switch
    {
        ConfigurationProblem.Malformed => "ConfigurationFileMalformed",
        ConfigurationProblem.InvalidValue => "ConfigurationValueInvalid",
        ConfigurationProblem.Unsafe => "ConfigurationFileUnsafe",
        ConfigurationProblem.CannotRead => "ConfigurationFileCannotBeRead",
        _ => "ConfigurationFileCannotBeWritten",
    };
}
