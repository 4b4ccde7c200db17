namespace ImageUtils.Errors;

/// <summary>What is wrong with what says how to reach a cloud.</summary>
public enum CloudConfigurationProblem
{
    /// <summary>There is no cloud of that name, or none at all.</summary>
    CloudNotFound,

    /// <summary>There are several clouds and none was chosen.</summary>
    NoCloudChosen,

    /// <summary>A file is not what it should be.</summary>
    Malformed,

    /// <summary>A setting that is needed is missing.</summary>
    SettingMissing,

    /// <summary>A setting has a value that it cannot have.</summary>
    InvalidValue,

    /// <summary>A way to authenticate that is not supported.</summary>
    UnsupportedMethod,
}

/// <summary>clouds.yaml, the environment and the parameters do not say how to reach a cloud.</summary>
/// <param name="problem">What is wrong.</param>
/// <param name="origin">The cloud, the file or the setting. Never a value.</param>
/// <param name="message">What to do about it. Never with a value that may be a secret.</param>
public sealed class CloudConfigurationException(CloudConfigurationProblem problem, string origin, string message)
    : ImageUtilsException(message)
{
    /// <summary>What is wrong.</summary>
    public CloudConfigurationProblem Problem => problem;

    /// <summary>The cloud, the file or the setting.</summary>
    public string Origin => origin;

    /// <inheritdoc/>
    public override string ErrorId => problem switch
    {
        CloudConfigurationProblem.CloudNotFound => "CloudNotFound",
        CloudConfigurationProblem.NoCloudChosen => "NoCloudChosen",
        CloudConfigurationProblem.Malformed => "CloudFileMalformed",
        CloudConfigurationProblem.SettingMissing => "CloudSettingMissing",
        CloudConfigurationProblem.InvalidValue => "CloudSettingInvalid",
        _ => "CloudAuthTypeNotSupported",
    };
}
