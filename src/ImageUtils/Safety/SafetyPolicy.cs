namespace ImageUtils.Safety;

/// <summary>
/// What an inspection allows. The default allows nothing beyond a self-contained image. A policy is not changed once
/// it is in use; make another with <c>with</c>.
/// </summary>
public sealed record SafetyPolicy
{
    /// <summary>The strict default.</summary>
    public static SafetyPolicy Default { get; } = new();

    /// <summary>Directories below which a backing file or parent may lie. Empty: none is allowed.</summary>
    public IReadOnlyList<string> BackingFileDirectories { get; init; } = [];

    /// <summary>Directories below which an external data file or VMDK extent may lie. Empty: none is allowed.</summary>
    public IReadOnlyList<string> DataFileDirectories { get; init; } = [];

    /// <summary>VMDK createTypes that are allowed, in any case. Empty: no VMDK is.</summary>
    public IReadOnlyList<string> AllowedVmdkTypes { get; init; } = ["streamOptimized", "monolithicSparse"];

    /// <summary>Checks, by name, whose failure is reported as <see cref="CheckVerdict.Allowed"/>.</summary>
    public IReadOnlyList<string> NonFatalChecks { get; init; } = [];

    /// <summary>The formats that are allowed. Empty: all that are recognised.</summary>
    public IReadOnlyList<ImageFormat> AllowedFormats { get; init; } = [];

    /// <summary>The greatest virtual size in bytes; <see langword="null"/>: any.</summary>
    public long? MaximumVirtualSize { get; init; }

    /// <summary>The greatest ratio of virtual size to file size; <see langword="null"/>: any.</summary>
    public double? MaximumExpansionRatio { get; init; }

    /// <summary>Whether qcow2's extended L2 entries (incompatible feature bit 4) are allowed; oslo.utils refuses them.</summary>
    public bool AllowExtendedL2 { get; init; }

    /// <summary>
    /// The most PBKDF2 iterations that a LUKS key slot or digest may demand before its passphrase is not tried, the
    /// default of oslo.utils' inspector; the same bound, as memory times passes, holds for Argon2.
    /// </summary>
    public long MaximumLuksIterations { get; init; } = 12_000_000;

    /// <summary>The gate through which a backing file or parent named inside an image may be opened.</summary>
    public IReferenceGate BackingFileGate => DirectoryGate.For(BackingFileDirectories);

    /// <summary>The gate through which a data file or extent named inside an image may be opened.</summary>
    public IReferenceGate DataFileGate => DirectoryGate.For(DataFileDirectories);
}
