namespace ImageUtils.Conversion;

/// <summary>How much of an image's space is taken up before data comes; qemu's names.</summary>
public enum PreallocationMode
{
    /// <summary>None.</summary>
    Off,

    /// <summary>Tables are complete, and every unit has its place; the places are holes of the file.</summary>
    Metadata,

    /// <summary>As <see cref="Metadata"/>, and the file system reserves the space.</summary>
    Falloc,

    /// <summary>As <see cref="Metadata"/>, and zeros are written everywhere.</summary>
    Full,
}
