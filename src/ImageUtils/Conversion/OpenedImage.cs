using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;

namespace ImageUtils.Conversion;

/// <summary>An image that passed inspection and is open for reading, with all that it is based on.</summary>
public sealed class OpenedImage : IDisposable
{
    private readonly List<IDisposable> _opened;

    internal OpenedImage(
        string path,
        FileByteSource file,
        ImageInspection inspection,
        ImageMap map,
        IReadOnlyList<string> basedOn,
        List<IDisposable> opened)
    {
        Path = path;
        File = file;
        Inspection = inspection;
        Map = map;
        BasedOn = basedOn;
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

    /// <summary>Closes the files.</summary>
    public void Dispose()
    {
        foreach (var one in _opened)
        {
            one.Dispose();
        }
    }
}
