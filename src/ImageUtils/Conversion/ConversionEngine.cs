namespace ImageUtils.Conversion;

/// <summary>What does a conversion.</summary>
public enum ConversionEngine
{
    /// <summary>This library where it reads the source and writes the target itself; else qemu-img.</summary>
    Auto,

    /// <summary>This library, or an error.</summary>
    Native,

    /// <summary>qemu-img.</summary>
    Qemu,
}
