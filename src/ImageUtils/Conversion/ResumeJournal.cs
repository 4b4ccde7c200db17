using System.Security.Cryptography;
using System.Text;
using ImageUtils.Errors;
using ImageUtils.IO;

namespace ImageUtils.Conversion;

/// <summary>
/// What an interrupted conversion needs to go on: a small file beside the partial one, written whole and renamed, with
/// a fingerprint of source and options and a checksum of its own.
/// </summary>
/// <param name="path">The journal's path.</param>
/// <param name="fingerprint">Stands for source and options.</param>
internal sealed class ResumeJournal(string path, byte[] fingerprint)
{
    private const string Magic = "ImageUtils conversion journal 1";

    // The tables of the largest disks.
    private const long MaximumLength = 1L << 30;

    private static readonly FileStreamOptions s_newFile = MakeNewFile();

    private string NextPath => path + ".new";

    internal static string PathOf(string destination) => System.IO.Path.Join(
        System.IO.Path.GetDirectoryName(destination), $".{System.IO.Path.GetFileName(destination)}.imageutils-journal");

    /// <summary>Hashes what must be the same for a conversion to go on.</summary>
    internal static byte[] FingerprintOf(OpenedImage source, ConversionRequest request, WriterOptions options)
    {
        var text = new StringBuilder();
        foreach (var file in new[] { source.Path }.Concat(source.BasedOn))
        {
            var info = new FileInfo(file);
            text.Append($"{file}\0{info.Length}\0{info.LastWriteTimeUtc.Ticks}\n");
        }

        text.Append($"{request.DestinationFormat}\0{request.Source.Snapshot}\0{Chunk.Size}\0{request.Verify}\n");
        text.Append($"{options}\n{typeof(ResumeJournal).Assembly.ManifestModule.ModuleVersionId}");
        return SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString()));
    }

    /// <summary>Reads what was stored, if it is whole and of the same conversion.</summary>
    internal ResumePoint? TryLoad()
    {
        try
        {
            if (ReadOwn() is not { Length: >= SHA256.HashSizeInBytes } bytes)
            {
                return null;
            }

            var body = bytes.AsSpan(0, bytes.Length - SHA256.HashSizeInBytes);
            if (!SHA256.HashData(body).AsSpan().SequenceEqual(bytes.AsSpan(body.Length)))
            {
                return null;
            }

            using var reader = new BinaryReader(new MemoryStream(bytes, 0, body.Length));
            if (reader.ReadString() != Magic
                || !reader.ReadBytes(fingerprint.Length).AsSpan().SequenceEqual(fingerprint))
            {
                return null;
            }

            var guestOffset = reader.ReadInt64();
            var fileLength = reader.ReadInt64();
            var digest = reader.ReadBytes(SHA256.HashSizeInBytes);
            return new ResumePoint(guestOffset, fileLength, digest, reader.ReadBytes(reader.ReadInt32()));
        }
        catch (Exception exception) when (exception is IOException or FormatException or ArgumentException)
        {
            return null;
        }
    }

    private static FileStreamOptions MakeNewFile()
    {
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            BufferSize = 0,
        };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        return options;
    }

    // Others could have made one up, or put something there whose reading never ends.
    private byte[]? ReadOwn()
    {
        try
        {
            using var file = FileByteSource.Open(path);
            if (file.Length > MaximumLength || (OperatingSystem.IsLinux() && !Posix.IsOwnFile(file.Handle)))
            {
                return null;
            }

            var bytes = new byte[file.Length];
            return RandomAccess.Read(file.Handle, bytes, 0) == bytes.Length ? bytes : null;
        }
        catch (ImageFileException)
        {
            return null;
        }
    }

    /// <summary>Stores how far the conversion is. All before it has been flushed.</summary>
    internal void Store(ResumePoint point)
    {
        using var memory = new MemoryStream();
        using (var writer = new BinaryWriter(memory, Encoding.UTF8, leaveOpen: true))
        {
            writer.Write(Magic);
            writer.Write(fingerprint);
            writer.Write(point.GuestOffset);
            writer.Write(point.FileLength);
            writer.Write(point.Digest);
            writer.Write(point.WriterState.Length);
            writer.Write(point.WriterState);
        }

        memory.Write(SHA256.HashData(memory.GetBuffer().AsSpan(0, (int)memory.Length)));
        try
        {
            // What is there is removed and not written to: it may be a link to something else.
            File.Delete(NextPath);
            using (var file = new FileStream(NextPath, s_newFile))
            {
                RandomAccess.Write(file.SafeFileHandle, memory.GetBuffer().AsSpan(0, (int)memory.Length), 0);
                RandomAccess.FlushToDisk(file.SafeFileHandle);
            }

            File.Move(NextPath, path, overwrite: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            TryDelete(NextPath);
            throw new ImageWriteException(
                ImageWriteProblem.WriteFailed, path, $"'{path}' cannot be written: {exception.Message}");
        }
    }

    /// <summary>Removes it: the conversion is complete, or begins anew.</summary>
    /// <exception cref="ImageWriteException">It cannot be removed.</exception>
    internal void Remove()
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // One that stays would have another conversion go on from what is no more.
            throw new ImageWriteException(
                ImageWriteProblem.WriteFailed, path,
                $"'{path}' cannot be removed: {exception.Message} Remove it, or leave -Resume out.");
        }

        // Is there where a process was killed while it stored.
        TryDelete(NextPath);
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It is never read.
        }
    }
}

/// <summary>How far a conversion is.</summary>
/// <param name="GuestOffset">All before it is in the partial file.</param>
/// <param name="FileLength">The partial file's length then, in bytes.</param>
/// <param name="Digest">The hash of the data so far.</param>
/// <param name="WriterState">What the writer stored.</param>
internal sealed record ResumePoint(long GuestOffset, long FileLength, byte[] Digest, byte[] WriterState);
