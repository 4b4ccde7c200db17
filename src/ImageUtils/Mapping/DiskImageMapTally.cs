using ImageUtils.Conversion;

namespace ImageUtils.Mapping;

/// <summary>Adds up the extents of a disk as they come.</summary>
/// <param name="image">The image.</param>
/// <param name="start">Where on the guest's disk the extents begin, in bytes.</param>
/// <param name="length">How long they are altogether, in bytes.</param>
public sealed class DiskImageMapTally(OpenedImage image, long start, long length)
{
    private readonly Dictionary<string, DiskImageMapFile> _files = new(StringComparer.Ordinal);
    private DiskImageExtent? _lastAllocated;
    private long _data;
    private long _compressed;
    private long _compressedHost;
    private long _zero;
    private long _hole;
    private long _extents;
    private long _fragments;

    /// <summary>Takes the next extent.</summary>
    public void Add(DiskImageExtent extent)
    {
        ArgumentNullException.ThrowIfNull(extent);
        _extents++;
        switch (extent.Kind)
        {
            case DiskExtentKind.Data:
                _data += extent.Length;
                break;
            case DiskExtentKind.Compressed:
                _compressed += extent.Length;
                _compressedHost += extent.HostLength!.Value;
                break;
            case DiskExtentKind.Zero:
                _zero += extent.Length;
                break;
            default:
                _hole += extent.Length;
                break;
        }

        if (!extent.IsAllocated)
        {
            return;
        }

        if (_lastAllocated is null || !(extent.Follows(_lastAllocated) || IsAsFarApart(_lastAllocated, extent)))
        {
            _fragments++;
        }

        _lastAllocated = extent;
        var file = _files.GetValueOrDefault(extent.File!)
            ?? new DiskImageMapFile(extent.File!, extent.Depth, 0, 0);
        _files[extent.File!] = file with
        {
            GuestBytes = file.GuestBytes + extent.Length,
            HostBytes = file.HostBytes + extent.HostLength!.Value,
        };
    }

    /// <summary>What it adds up to.</summary>
    public DiskImageMapSummary ToSummary() => new()
    {
        Path = image.Path,
        Format = image.Format,
        VirtualSize = image.Map.VirtualSize,
        Start = start,
        Length = length,
        DataBytes = _data,
        CompressedBytes = _compressed,
        CompressedHostBytes = _compressedHost,
        ZeroBytes = _zero,
        HoleBytes = _hole,
        ExtentCount = _extents,
        FragmentCount = _fragments,
        Files = [.. _files.Values.OrderBy(file => file.Depth).ThenBy(file => file.Path, StringComparer.Ordinal)],
    };

    private static bool IsAsFarApart(DiskImageExtent first, DiskImageExtent second) =>
        ReferenceEquals(first.File, second.File)
        && second.HostOffset - first.HostOffset == second.Start - first.Start;
}
