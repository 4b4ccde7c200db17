using ImageUtils.Safety;

namespace ImageUtils.Inspection;

/// <summary>What an inspection is told beside the bytes.</summary>
public sealed record InspectionOptions
{
    /// <summary>The strict policy, no passphrase, no name.</summary>
    public static InspectionOptions Default { get; } = new();

    /// <summary>What is allowed.</summary>
    public SafetyPolicy Policy { get; init; } = SafetyPolicy.Default;

    /// <summary>Opens an encrypted volume, so that what is inside is inspected as well. UTF-8 bytes.</summary>
    public ReadOnlyMemory<byte>? Passphrase { get; init; }

    /// <summary>
    /// The file's path: relative references resolve against its directory, and its extension matters because qemu
    /// takes any name ending in <c>.dmg</c> for that format.
    /// </summary>
    public string? Path { get; init; }
}
