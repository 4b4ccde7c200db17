namespace ImageUtils.Space;

/// <summary>What the room is for.</summary>
public enum SpaceKind
{
    /// <summary>What is to be written.</summary>
    Destination,

    /// <summary>Files that are gone once the work is done.</summary>
    Temporary,

    /// <summary>A volume that is to hold an image.</summary>
    Volume,
}

/// <summary>Whether there is room for something.</summary>
public sealed record ImageSpaceReport
{
    /// <summary>The image that the room is for; null where only a number of bytes was given.</summary>
    public string? Image { get; init; }

    /// <summary>What the room is for.</summary>
    public required SpaceKind Kind { get; init; }

    /// <summary>The directory, file or block device; null for a volume.</summary>
    public string? Directory { get; init; }

    /// <summary>The file system's type, such as <c>ext4</c>; <c>block device</c>; null where it is not known.</summary>
    public string? FileSystem { get; init; }

    /// <summary>Where the file system is mounted; null where that is not known.</summary>
    public string? MountPoint { get; init; }

    /// <summary>What is mounted there, such as <c>/dev/sda1</c>; null where that is not known.</summary>
    public string? Device { get; init; }

    /// <summary>
    /// Bytes that ordinary users can still have: what a file system reserves for root is not for images. A block
    /// device's or volume's is its length.
    /// </summary>
    public required long AvailableBytes { get; init; }

    /// <summary>Bytes that are needed here. A volume's are the image's virtual size.</summary>
    public required long RequiredBytes { get; init; }

    /// <summary>Bytes that are needed on this file system altogether, with what is planned before and beside.</summary>
    public required long TotalRequiredBytes { get; init; }

    /// <summary>
    /// Whether it is enough. A file system must keep a byte, as Cinder wants it (<c>check_available_space</c>); a block
    /// device and a volume may be filled.
    /// </summary>
    public required bool IsEnough { get; init; }

    /// <summary>What is missing, for people; empty where it is enough.</summary>
    public string Message { get; init; } = "";

    /// <summary>The file system for people, such as <c>/srv (ext4 on /dev/sdb1)</c>.</summary>
    internal string FileSystemText => (FileSystem, MountPoint) switch
    {
        (SpaceCheck.BlockDevice, _) => "the block device",
        (null, _) or (_, null) => "its file system",
        _ => $"the file system {MountPoint} ({FileSystem} on {Device})",
    };
}
