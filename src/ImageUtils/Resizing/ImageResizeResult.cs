namespace ImageUtils.Resizing;

/// <summary>How an image got its size.</summary>
public enum ResizeMethod
{
    /// <summary>It had it already.</summary>
    Unchanged,

    /// <summary>A few bytes of the file were written, or its length was set.</summary>
    InPlace,

    /// <summary>A new file of the same kind was written beside it, and took its name.</summary>
    Rewritten,

    /// <summary>qemu-img did it.</summary>
    Qemu,
}

/// <summary>An image that has the size that was asked for.</summary>
/// <param name="Path">Its absolute path.</param>
/// <param name="Format">Its format, which it keeps.</param>
/// <param name="OldSize">The size that a guest saw, in bytes.</param>
/// <param name="NewSize">The size that a guest sees now, in bytes.</param>
/// <param name="Method">How it got it.</param>
public sealed record ImageResizeResult(
    string Path, ImageFormat Format, long OldSize, long NewSize, ResizeMethod Method);
