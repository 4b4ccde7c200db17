namespace ImageUtils.Qemu;

/// <summary>What a run of qemu-img may take. Null: as much as it wants.</summary>
/// <remarks>
/// A hostile image can make qemu-img compute for hours or ask for all memory there is. Processor time and address space
/// are enforced by <c>prlimit</c> (Linux, util-linux) and not at all where there is none; the clock and the length
/// of the output everywhere.
/// </remarks>
public sealed record ProcessLimits
{
    /// <summary>What Nova, Cinder and Glance allow, and five minutes by the clock.</summary>
    public static ProcessLimits Default { get; } = new();

    /// <summary>Only the length of the output is limited: for work that takes as long as the image is large.</summary>
    public static ProcessLimits None { get; } = new() { CpuTime = null, AddressSpace = null, WallTime = null };

    /// <summary>Processor time, in whole seconds rounded up; 60 s.</summary>
    public TimeSpan? CpuTime
    {
        get;
        init => field = value is { } time && time <= TimeSpan.Zero ? throw ToInvalid(nameof(CpuTime)) : value;
    } = TimeSpan.FromSeconds(60);

    /// <summary>Address space, in bytes; 1 GiB.</summary>
    public long? AddressSpace
    {
        get;
        init => field = value <= 0 ? throw ToInvalid(nameof(AddressSpace)) : value;
    } = 1L << 30;

    /// <summary>Time by the clock, after which it is killed with all that it started; 5 minutes.</summary>
    public TimeSpan? WallTime
    {
        get;
        init => field = value is { } time && time <= TimeSpan.Zero ? throw ToInvalid(nameof(WallTime)) : value;
    } = TimeSpan.FromMinutes(5);

    /// <summary>The output that is read, in bytes; 16 MiB. One that says more is killed.</summary>
    public int OutputLength
    {
        get;
        init => field = value <= 0 ? throw ToInvalid(nameof(OutputLength)) : value;
    } = 16 * 1024 * 1024;

    private static ArgumentOutOfRangeException ToInvalid(string name) =>
        new(name, $"The limit {name} must be more than zero; null is no limit.");
}
