using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;

namespace ImageUtils.Conversion;

/// <summary>An image that passed inspection and is open for reading, with all that it is based on.</summary>
public sealed class OpenedImage : IDisposable
{
    private readonly IReadOnlyDictionary<IByteSource, int> _depths;
    private readonly List<IDisposable> _opened;

    internal OpenedImage(
        string path,
        FileByteSource file,
        ImageInspection inspection,
        ImageMap map,
        IReadOnlyList<string> basedOn,
        IReadOnlyDictionary<IByteSource, int> depths,
        List<IDisposable> opened)
    {
        Path = path;
        File = file;
        Inspection = inspection;
        Map = map;
        BasedOn = basedOn;
        _depths = depths;
        _opened = opened;
    }

    /// <summary>The image's absolute path.</summary>
    public string Path { get; }

    /// <summary>The image's own file.</summary>
    public FileByteSource File { get; }

    /// <summary>What the inspector found.</summary>
    public ImageInspection Inspection { get; }

    /// <summary>The format that is read.</summary>
    public ImageFormat Format => Inspection.Format;

    /// <summary>The guest's disk.</summary>
    public ImageMap Map { get; }

    /// <summary>The absolute paths of the files that the image is based on: parents, backing files, extents.</summary>
    public IReadOnlyList<string> BasedOn { get; }

    /// <summary>
    /// How many bytes the image had once it was unpacked into a temporary file; 0 where it was not compressed as a whole.
    /// </summary>
    public long UnpackedBytes { get; internal init; }

    /// <summary>How many images are below this one, one below the other.</summary>
    public int Depth => _depths.Values.Max();

    /// <summary>
    /// How far below this image a file is that an extent lies in: 0 for the image's own files, 1 for its parent's.
    /// </summary>
    /// <param name="source">An extent's source; null where it is none of the files.</param>
    public int? DepthOf(IByteSource? source) =>
        source is not null && _depths.TryGetValue(source, out var depth) ? depth : null;

    /// <summary>Closes the files.</summary>
    public void Dispose()
    {
        foreach (var one in _opened)
        {
            one.Dispose();
        }
    }
}
