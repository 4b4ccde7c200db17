namespace ImageUtils.Qemu;

/// <summary>How a run of qemu-img is started, whatever it does.</summary>
public record QemuRunOptions
{
    /// <summary>What it may take.</summary>
    public virtual ProcessLimits Limits { get; init; } = ProcessLimits.Default;

    /// <summary>
    /// A command that gives the rights that are needed, put before everything that is started, such as <c>sudo</c> and
    /// <c>-n</c>. Files that are made then belong to the other user.
    /// </summary>
    public IReadOnlyList<string> ElevationCommand { get; init; } = [];

    /// <summary>
    /// The absolute path of an existing control group's directory (cgroup v2). qemu-img is under it from its first
    /// instruction on. Null: where this process is.
    /// </summary>
    public string? CgroupPath { get; init; }
}
