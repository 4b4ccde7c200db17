namespace ImageUtils.Inspection;

/// <summary>An internal snapshot.</summary>
/// <param name="Id">Unique within the image.</param>
/// <param name="Name">The name that the user gave it.</param>
/// <param name="VmStateSize">The saved machine state, in bytes.</param>
/// <param name="Date">When it was taken.</param>
/// <param name="VmClock">How long the guest had been running.</param>
/// <param name="Icount">Instructions executed; <see langword="null"/> where it was not recorded.</param>
/// <param name="DiskSize">The virtual size at that time, in bytes; <see langword="null"/> where it was not recorded.</param>
public sealed record ImageSnapshot(
    string Id,
    string Name,
    long VmStateSize,
    DateTimeOffset Date,
    TimeSpan VmClock,
    long? Icount,
    long? DiskSize);
