namespace ImageUtils.Errors;

/// <summary>The base of every error that this library raises on purpose. Its message says what to do next.</summary>
public abstract class ImageUtilsException : Exception
{
    /// <summary>Makes an error with a message for the admin.</summary>
    protected ImageUtilsException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }

    /// <summary>A short name that stays the same between versions, such as <c>FileNotFound</c>.</summary>
    public abstract string ErrorId { get; }
}
