namespace ImageUtils.Errors;

/// <summary>An image has no internal snapshot of that id or name.</summary>
/// <param name="snapshot">The id or name that was asked for.</param>
/// <param name="message">Lists those that there are.</param>
public sealed class SnapshotNotFoundException(string snapshot, string message) : ImageUtilsException(message)
{
    /// <summary>The id or name that was asked for.</summary>
    public string Snapshot => snapshot;

    /// <inheritdoc/>
    public override string ErrorId => "SnapshotNotFound";
}
