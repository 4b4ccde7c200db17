namespace ImageUtils.Qemu;

/// <summary>What <c>qemu-img check</c> found.</summary>
public enum QemuCheckOutcome
{
    /// <summary>Nothing.</summary>
    Clean,

    /// <summary>Space that belongs to nothing: a waste, and no danger.</summary>
    Leaks,

    /// <summary>Metadata that is wrong: data may be lost.</summary>
    Corrupt,

    /// <summary>The check could not be finished.</summary>
    Incomplete,

    /// <summary>The format has nothing that could be checked.</summary>
    NotSupported,
}

/// <summary>What <c>qemu-img check</c> says of an image.</summary>
/// <remarks>QEMU, qapi/block-core.json, <c>ImageCheck</c>.</remarks>
/// <param name="Outcome">What was found.</param>
/// <param name="CorruptionCount">How many entries are wrong.</param>
/// <param name="LeakCount">How many clusters are leaked.</param>
/// <param name="CheckErrorCount">How many times the check itself failed.</param>
/// <param name="ImageEndOffset">Where the highest cluster in use ends, in bytes; null where it was not said.</param>
public sealed record QemuCheckResult(
    QemuCheckOutcome Outcome, long CorruptionCount, long LeakCount, long CheckErrorCount, long? ImageEndOffset);

/// <summary>What <c>qemu-img compare</c> says of two images.</summary>
/// <param name="AreIdentical">
/// Whether a guest reads the same from both; where one is longer, zeros from there on.
/// </param>
/// <param name="FirstDifferenceOffset">Where a guest first reads another byte: of the 512-byte sector or a larger piece
/// of that, in bytes; null where there is none, or qemu-img did not say.</param>
/// <param name="SizesDiffer">Whether the virtual sizes differ.</param>
public sealed record QemuComparison(bool AreIdentical, long? FirstDifferenceOffset, bool SizesDiffer);

/// <summary>What <c>qemu-img measure</c> says of a conversion.</summary>
/// <param name="RequiredLength">The file that it needs, in bytes: the length, or a little more.</param>
/// <param name="FullyAllocatedLength">The file that it would need if all the guest's space were written.</param>
public sealed record QemuMeasurement(long RequiredLength, long FullyAllocatedLength);
