using ImageUtils.Conversion;
using ImageUtils.Formats;
using ImageUtils.Formats.Vhd;
using ImageUtils.Formats.Vhdx;
using ImageUtils.Inspection;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;
using ImageUtils.VhdChains;

namespace ImageUtils.Tests.VhdChains;

/// <summary>Disks of chains, with data of which it is known what the leaf reads as.</summary>
internal sealed class ChainFiles : IDisposable
{
    private static readonly IWritableFormat s_vhd = new VhdFormat();
    private static readonly IWritableFormat s_vhdx = new VhdxFormat();

    private readonly TemporaryDirectory _directory = new();

    public string Path => _directory.Path;

    public string this[string name] => _directory[name];

    public void Dispose() => _directory.Dispose();

    /// <summary>Makes a disk.</summary>
    /// <param name="name">The file, below the directory.</param>
    /// <param name="size">The disk's size in bytes.</param>
    /// <param name="parent">The parent's file; it is there, and its id is taken. Null: a base.</param>
    /// <param name="writtenName">How the disk names its parent; relative to it by itself.</param>
    /// <param name="change">Changes the writer's options.</param>
    /// <param name="pieces">What the disk itself has.</param>
    public string Make(
        string name,
        long size = 4 << 20,
        string? parent = null,
        string? writtenName = null,
        Func<WriterOptions, WriterOptions>? change = null,
        params (long Offset, byte[] Data)[] pieces)
    {
        var path = _directory[name];
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        var parentPath = parent is null ? null : _directory[parent];
        var options = new WriterOptions
        {
            VirtualSize = size,
            BackingFile = parentPath is null
                ? null
                : writtenName ?? System.IO.Path.GetRelativePath(System.IO.Path.GetDirectoryName(path)!, parentPath),
            ParentId = parentPath is null ? null : IdOf(parentPath),
        };
        var format = IsVhdx(name) ? s_vhdx : s_vhd;
        var sink = new SparseMemory();
        var writer = format.CreateWriter(change?.Invoke(options) ?? options);
        writer.BeginAsync(sink, default).AsTask().GetAwaiter().GetResult();
        foreach (var (offset, data) in pieces.OrderBy(piece => piece.Offset))
        {
            writer.WriteAsync(offset, data, default).AsTask().GetAwaiter().GetResult();
        }

        writer.FinishAsync(default).AsTask().GetAwaiter().GetResult();
        sink.Save(path);
        return path;
    }

    /// <summary>A file of these bytes.</summary>
    public string Put(string name, byte[] bytes)
    {
        File.WriteAllBytes(_directory[name], bytes);
        return _directory[name];
    }

    /// <summary>Changes bytes of a file.</summary>
    public void Patch(string name, long offset, params byte[] bytes)
    {
        using var file = File.OpenWrite(_directory[name]);
        file.Position = offset;
        file.Write(bytes);
    }

    public static bool IsVhdx(string name) => name.EndsWith('x');

    public static Guid? IdOf(string path) =>
        VhdIdentity.Of(ImageInspector.InspectFileAsync(path).AsTask().GetAwaiter().GetResult());

    /// <summary>What a guest sees who uses the leaf.</summary>
    public static byte[] Read(string path, params string[] allowed)
    {
        using var image = ImageOpener.OpenAsync(path, Allowing(allowed)).AsTask().GetAwaiter().GetResult();
        return NativeImage.Read(image.Map);
    }

    public static OpenOptions Allowing(params string[] directories) => new()
    {
        Inspection = new InspectionOptions
        {
            Policy = new SafetyPolicy { BackingFileDirectories = directories },
        },
    };
}
