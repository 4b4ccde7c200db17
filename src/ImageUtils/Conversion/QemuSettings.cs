using ImageUtils.Qemu;

namespace ImageUtils.Conversion;

/// <summary>How qemu-img is run by a conversion that needs it.</summary>
public sealed record QemuSettings
{
    /// <summary>No limits, no secrets, qemu-img from PATH.</summary>
    public static QemuSettings Default { get; } = new();

    /// <summary>The program; null: found as <see cref="QemuImg.Find"/> finds it.</summary>
    public string? Path { get; init; }

    /// <summary>What it may take.</summary>
    public ProcessLimits Limits { get; init; } = ProcessLimits.None;

    /// <summary>An existing cgroup v2 directory that it is put under; null: none.</summary>
    public string? CgroupPath { get; init; }

    /// <summary>A command, such as <c>sudo -n</c>, put before it; empty: none.</summary>
    public IReadOnlyList<string> ElevationCommand { get; init; } = [];

    /// <summary>What opens an encrypted source, in UTF-8.</summary>
    public ReadOnlyMemory<byte>? SourcePassphrase { get; init; }

    /// <summary>How the destination is encrypted; null: not.</summary>
    public LuksTarget? Encryption { get; init; }

    /// <summary>Whether an encrypted source may become a destination that is not encrypted.</summary>
    public bool AllowDecrypt { get; init; }

    /// <summary>Those that hold for whatever qemu-img is run for.</summary>
    internal QemuRunOptions RunOptions => new()
    {
        Limits = Limits,
        CgroupPath = CgroupPath,
        ElevationCommand = ElevationCommand,
    };
}
