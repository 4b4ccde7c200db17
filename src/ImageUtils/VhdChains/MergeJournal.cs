using System.Security.Cryptography;
using System.Text;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;

namespace ImageUtils.VhdChains;

/// <summary>
/// Says that disks have been merged, completely and on the disk, and are to be removed: a small file beside the leaf, in
/// place before the first is removed and taken away after the last, so that an interruption in between is finished later.
/// </summary>
internal sealed class MergeJournal
{
    private const string Magic = "ImageUtils merge journal 1";
    private const int MaximumLength = 1 << 20;

    private readonly string _path;

    private MergeJournal(string path, string target, IReadOnlyList<(string Path, Guid Id)> merged)
    {
        _path = path;
        Target = target;
        Merged = merged;
    }

    /// <summary>The disk that has all data now.</summary>
    internal string Target { get; }

    /// <summary>The disks that were merged into it, topmost first.</summary>
    internal IReadOnlyList<(string Path, Guid Id)> Merged { get; }

    /// <summary>Where a leaf's journal is.</summary>
    internal static string PathOf(string leaf) => System.IO.Path.Join(
        System.IO.Path.GetDirectoryName(leaf), $".{System.IO.Path.GetFileName(leaf)}.imageutils-merge");

    /// <summary>Reads a leaf's journal, if there is one that is whole and this user's own.</summary>
    internal static MergeJournal? TryLoad(string leaf)
    {
        var path = PathOf(leaf);
        try
        {
            using var file = FileByteSource.Open(path);
            if (file.Length is > MaximumLength or < SHA256.HashSizeInBytes
                || (OperatingSystem.IsLinux() && !Posix.IsOwnFile(file.Handle)))
            {
                return null;
            }

            var bytes = new byte[file.Length];
            var body = bytes.Length - SHA256.HashSizeInBytes;
            if (RandomAccess.Read(file.Handle, bytes, 0) != bytes.Length
                || !SHA256.HashData(bytes.AsSpan(0, body)).AsSpan().SequenceEqual(bytes.AsSpan(body)))
            {
                return null;
            }

            using var reader = new BinaryReader(new MemoryStream(bytes, 0, body));
            if (reader.ReadString() != Magic)
            {
                return null;
            }

            var target = reader.ReadString();
            var merged = new List<(string, Guid)>();
            for (var count = reader.ReadInt32(); count > 0; count--)
            {
                merged.Add((reader.ReadString(), new Guid(reader.ReadBytes(16))));
            }

            return new MergeJournal(path, target, merged);
        }
        catch (Exception exception) when (exception is ImageFileException or IOException or ArgumentException)
        {
            return null;
        }
    }

    /// <summary>Stores what is to be removed. The target is complete and flushed.</summary>
    /// <exception cref="ImageWriteException">It cannot be written.</exception>
    internal static async ValueTask<MergeJournal> StoreAsync(
        string leaf, string target, IReadOnlyList<(string Path, Guid Id)> merged)
    {
        var path = PathOf(leaf);
        using var memory = new MemoryStream();
        using (var writer = new BinaryWriter(memory, Encoding.UTF8, leaveOpen: true))
        {
            writer.Write(Magic);
            writer.Write(target);
            writer.Write(merged.Count);
            foreach (var (merging, id) in merged)
            {
                writer.Write(merging);
                writer.Write(id.ToByteArray());
            }
        }

        memory.Write(SHA256.HashData(memory.GetBuffer().AsSpan(0, (int)memory.Length)));

        // One of before is of no use as long as the leaf is there, and a file that replaces none needs no other name first,
        // under which a kill would leave it.
        File.Delete(path);
        using var destination = Destination.Create(path, overwrite: false, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await destination.Sink.WriteAsync(0, memory.ToArray(), CancellationToken.None).ConfigureAwait(false);
        await destination.Sink.FlushAsync(CancellationToken.None).ConfigureAwait(false);
        destination.Commit();
        return new MergeJournal(path, target, merged);
    }

    /// <summary>
    /// Removes the merged disks, topmost first, so that whoever finds the leaf can read it; then the journal. A file that
    /// is another disk by now stays.
    /// </summary>
    /// <exception cref="ImageWriteException">One cannot be removed.</exception>
    internal async ValueTask FinishAsync(CancellationToken cancellationToken)
    {
        foreach (var (path, id) in Merged)
        {
            if (await IsStillAsync(path, id, cancellationToken).ConfigureAwait(false))
            {
                Remove(path);
            }
        }

        Remove(_path);
    }

    private static async ValueTask<bool> IsStillAsync(string path, Guid id, CancellationToken cancellationToken)
    {
        try
        {
            var found = await ImageInspector.InspectFileAsync(path, InspectionOptions.Default, false, cancellationToken)
                .ConfigureAwait(false);
            return VhdIdentity.Of(found) == id;
        }
        catch (ImageFileException exception) when (exception.Problem == ImageFileProblem.NotFound)
        {
            return false;
        }
    }

    private static void Remove(string path)
    {
        try
        {
            File.Delete(path);
            if (OperatingSystem.IsLinux())
            {
                _ = PosixWriting.FlushDirectory(System.IO.Path.GetDirectoryName(path)!);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new ImageWriteException(
                ImageWriteProblem.WriteFailed, path,
                $"'{path}' has been merged, but cannot be removed: {exception.Message} Remove it; its data is safe below.");
        }
    }
}
