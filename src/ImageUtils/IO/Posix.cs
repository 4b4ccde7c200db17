using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ImageUtils.IO;

/// <summary>
/// The few Linux calls that .NET has no name for. Structures and constants are those of the x86-64 and arm64
/// system call interface (statx(2), open(2), lseek(2)).
/// </summary>
internal static partial class Posix
{
    internal const int OpenReadOnly = 0x0;
    internal const int OpenNonBlocking = 0x800;
    internal const int OpenCloseOnExec = 0x80000;

    internal const int ErrorPermission = 1;
    internal const int ErrorNotFound = 2;
    internal const int ErrorInterrupted = 4;
    internal const int ErrorNoDevice = 6;
    internal const int ErrorAccess = 13;
    internal const int ErrorNotADirectory = 20;
    internal const int ErrorNameTooLong = 36;
    internal const int ErrorLoop = 40;

    private const int ErrorNoSuchData = 6;
    private const int SeekData = 3;
    private const int SeekHole = 4;
    private const int AtEmptyPath = 0x1000;
    private const uint StatxBasicStats = 0x7ff;
    private const int SeekEnd = 2;

    internal enum FileType : ushort
    {
        Fifo = 0x1000,
        CharacterDevice = 0x2000,
        Directory = 0x4000,
        BlockDevice = 0x6000,
        Regular = 0x8000,
        Socket = 0xC000,
    }

    /// <summary>What kind of file it is, its length and what it takes up on disk, both in bytes.</summary>
    internal readonly record struct FileStatus(FileType Type, long Length, long AllocatedBytes);

    /// <summary>Opens a file for reading without ever waiting for a writer; a negative result is in errno.</summary>
    internal static SafeFileHandle OpenForReading(string path, out int error)
    {
        var descriptor = Open(path, OpenReadOnly | OpenNonBlocking | OpenCloseOnExec, 0);
        error = descriptor < 0 ? Marshal.GetLastPInvokeError() : 0;
        return new SafeFileHandle(descriptor, ownsHandle: true);
    }

    internal static FileStatus GetStatus(SafeFileHandle handle)
    {
        var status = GetStatx(handle);
        return new FileStatus((FileType)(status.Mode & 0xF000), (long)status.Size, (long)status.Blocks * 512);
    }

    private static unsafe Statx GetStatx(SafeFileHandle handle)
    {
        Statx status;
        if (StatxByDescriptor(handle, "", AtEmptyPath, StatxBasicStats, &status) != 0)
        {
            throw new IOException(
                $"statx failed: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}.");
        }

        return status;
    }

    internal static long GetDeviceLength(SafeFileHandle handle)
    {
        var length = Seek(handle, 0, SeekEnd);
        return length >= 0
            ? length
            : throw new IOException(
                $"lseek failed: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}.");
    }

    /// <summary>Finds the next range of a file that is no hole, from an offset to an end.</summary>
    internal static (long Start, long End) FindData(SafeFileHandle handle, long offset, long end)
    {
        var start = Seek(handle, offset, SeekData);
        if (start < 0)
        {
            // No data up to the file's end; or a file system that cannot say, where all may be data.
            return Marshal.GetLastPInvokeError() == ErrorNoSuchData ? (end, end) : (offset, end);
        }

        if (start >= end)
        {
            return (end, end);
        }

        var hole = Seek(handle, start, SeekHole);
        return (start, hole < 0 ? end : Math.Min(hole, end));
    }

    internal static unsafe int ReadAt(SafeFileHandle handle, Span<byte> buffer, long offset)
    {
        fixed (byte* start = buffer)
        {
            return checked((int)PositionedRead(handle, start, (nuint)buffer.Length, offset));
        }
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int StatxByDescriptor(
        SafeFileHandle descriptor, string path, int flags, uint mask, Statx* status);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    private static partial long Seek(SafeFileHandle descriptor, long offset, int whence);

    [LibraryImport("libc", EntryPoint = "pread", SetLastError = true)]
    private static unsafe partial nint PositionedRead(
        SafeFileHandle descriptor, byte* buffer, nuint count, long offset);

    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Statx
    {
        [FieldOffset(16)]
        public uint Links;

        [FieldOffset(20)]
        public uint Owner;

        [FieldOffset(24)]
        public uint Group;

        [FieldOffset(28)]
        public ushort Mode;

        [FieldOffset(40)]
        public ulong Size;

        [FieldOffset(48)]
        public ulong Blocks;
    }
}
