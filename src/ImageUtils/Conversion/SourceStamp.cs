using ImageUtils.Errors;

namespace ImageUtils.Conversion;

/// <summary>When a source's files were last written, to see whether that happened meanwhile.</summary>
internal sealed class SourceStamp
{
    private readonly List<(string Path, long Length, DateTime Written)> _files;

    private SourceStamp(List<(string Path, long Length, DateTime Written)> files) => _files = files;

    internal static SourceStamp Of(OpenedImage source) =>
        new([.. new[] { source.Path }.Concat(source.BasedOn).Select(Look)]);

    internal static SourceStamp OfFile(string path) => new([Look(path)]);

    /// <summary>A file that was written to, replaced or removed; null where none was.</summary>
    internal string? FindChanged() =>
        _files.Where(file => Look(file.Path) != file).Select(file => file.Path).FirstOrDefault();

    /// <exception cref="SourceChangedException">A file was written to, replaced or removed.</exception>
    internal void ThrowIfChanged()
    {
        if (FindChanged() is { } path)
        {
            throw new SourceChangedException(path);
        }
    }

    // A device has no such times; what is written to it cannot be seen this way.
    private static (string Path, long Length, DateTime Written) Look(string path)
    {
        var info = new FileInfo(path);
        return !info.Exists || (info.Attributes & FileAttributes.Device) != 0
            ? (path, info.Exists ? 0 : -1, default)
            : (path, info.Length, info.LastWriteTimeUtc);
    }
}
