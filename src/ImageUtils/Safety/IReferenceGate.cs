namespace ImageUtils.Safety;

/// <summary>Decides whether a file named inside an image may be opened.</summary>
public interface IReferenceGate
{
    /// <summary>Decides on one reference.</summary>
    /// <param name="reference">The name as written in the image.</param>
    /// <param name="referrerPath">The image's own path, or <see langword="null"/> where it has none (a stream).</param>
    GateDecision Decide(string reference, string? referrerPath);
}

/// <summary>A gate's answer.</summary>
/// <param name="Path">The absolute path to open, symbolic links resolved; <see langword="null"/> where denied.</param>
/// <param name="Reason">Why it was denied; empty where allowed.</param>
public readonly record struct GateDecision(string? Path, string Reason)
{
    /// <summary>Whether the file may be opened.</summary>
    public bool IsAllowed => Path is not null;
}
