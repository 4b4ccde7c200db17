namespace ImageUtils.Safety;

/// <summary>A check that a format declares.</summary>
/// <param name="Name">One of <see cref="CheckNames"/>.</param>
/// <param name="Description">What it makes sure of, or for a null check why there is nothing to check.</param>
public sealed record SafetyCheck(string Name, string Description);

/// <summary>How a check ended.</summary>
public enum CheckVerdict
{
    /// <summary>The image passed.</summary>
    Passed,

    /// <summary>The image failed, and is not safe.</summary>
    Failed,

    /// <summary>The image failed, but the policy says that this check is not fatal.</summary>
    Allowed,

    /// <summary>The check has nothing to look at in this image, or was not asked for.</summary>
    Skipped,
}

/// <summary>One check's verdict on one image.</summary>
/// <param name="Name">The check's name.</param>
/// <param name="Verdict">How it ended.</param>
/// <param name="Message">Why; empty where there is nothing to say.</param>
public sealed record SafetyCheckResult(string Name, CheckVerdict Verdict, string Message)
{
    /// <summary>Whether the image is unsafe because of this.</summary>
    public bool IsFailure => Verdict == CheckVerdict.Failed;

    /// <inheritdoc/>
    public override string ToString() =>
        Message.Length == 0 ? $"{Name}: {Verdict}" : $"{Name}: {Verdict}, {Message}";
}
