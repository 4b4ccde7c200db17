using ImageUtils.Safety;

namespace ImageUtils.Formats.Iso;

/// <summary>What an optical disc's descriptors may claim.</summary>
internal static class IsoSafetyChecks
{
    internal static IReadOnlyList<SafetyCheck> Declared { get; } =
    [
        new(CheckNames.Tables, "The primary volume descriptor is there, and its numbers are possible and agree."),
        new(CheckNames.Truncated, "The file holds the whole volume."),
    ];

    internal static string? FindImpossible(PrimaryVolumeDescriptor descriptor, long hostOffset)
    {
        if (descriptor.Disagreement is { } disagreement)
        {
            return $"The ISO 9660 primary volume descriptor's {disagreement.Name} at byte "
                + $"{hostOffset + disagreement.Offset} is not the same in both byte orders: a reader of one would see "
                + "another disc than a reader of the other.";
        }

        return descriptor.BlockSize is 512 or 1024 or 2048
            ? null
            : $"The ISO 9660 primary volume descriptor's logical block size at byte {hostOffset + 128} is "
                + $"{descriptor.BlockSize}; 512, 1024 and 2048 are possible.";
    }

    internal static string? FindCut(long volumeSize, long fileLength) =>
        volumeSize > fileLength
            ? $"The ISO 9660 volume has {volumeSize} bytes (byte {VolumeDescriptors.Offset + 80}), but the file has "
                + $"only {fileLength}: it is cut short."
            : null;

    internal static string? FindCut(UdfAnchor anchor, int blockSize, long fileLength)
    {
        var end = anchor.EndBlock(blockSize) * blockSize;
        return end > fileLength
            ? $"The UDF volume's descriptor sequences end at byte {end}, but the file has only {fileLength} bytes: "
                + "it is cut short."
            : null;
    }
}
