namespace ImageUtils.Mapping;

/// <summary>Where the bytes of a guest range come from.</summary>
public enum ExtentKind
{
    /// <summary>This image says nothing: the parent's bytes show through; without a parent, zeros.</summary>
    Hole,

    /// <summary>Zeros, whatever a parent has.</summary>
    Zero,

    /// <summary>Bytes that lie in a file as they are.</summary>
    Stored,

    /// <summary>Part of a unit that lies compressed in a file.</summary>
    Compressed,
}
