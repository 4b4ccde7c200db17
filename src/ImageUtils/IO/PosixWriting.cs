using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ImageUtils.IO;

/// <summary>
/// The Linux calls for writing that .NET has no name for: open(2), linkat(2), fallocate(2), ioctl_ficlonerange(2),
/// and the block device requests of linux/fs.h. Constants are those of x86-64 and arm64.
/// </summary>
internal static partial class PosixWriting
{
    internal const int OpenReadWrite = 0x2;
    internal const int OpenCreate = 0x40;
    internal const int OpenExclusive = 0x80;
    internal const int OpenNoFollow = 0x20000;
    internal const int OpenCloseOnExec = 0x80000;

    internal const int ErrorIo = 5;
    internal const int ErrorTryAgain = 11;
    internal const int ErrorAccess = 13;
    internal const int ErrorBusy = 16;
    internal const int ErrorExists = 17;
    internal const int ErrorNotADirectory = 20;
    internal const int ErrorIsADirectory = 21;
    internal const int ErrorInvalid = 22;
    internal const int ErrorFileTooLarge = 27;
    internal const int ErrorNoSpace = 28;
    internal const int ErrorReadOnly = 30;
    internal const int ErrorNoCall = 38;
    internal const int ErrorNotSupported = 95;
    internal const int ErrorQuota = 122;

    internal const int KeepSize = 0x1;
    internal const int PunchHole = 0x2;

    private const int AtCurrentDirectory = -100;
    private const int AtSymlinkFollow = 0x400;
    private const uint RenameNoReplace = 1;
    private const int LockExclusive = 2;
    private const int LockNonBlocking = 4;
    private const int LockNone = 8;
    private const int SetOpenFileLock = 37;
    private const short WriteLock = 1;
    private const short NoLock = 2;
    private const uint CloneRange = 0x4020940D;
    private const uint BlockZeroOut = 0x127F;

    // O_DIRECT, and O_DIRECTORY in O_TMPFILE, differ between the architectures.
    internal static int OpenDirect { get; } =
        RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x10000 : 0x4000;

    private static int OpenTemporary { get; } =
        RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x404000 : 0x410000;

    /// <summary>Opens a file; a negative result is in errno.</summary>
    internal static SafeFileHandle Open(string path, int flags, int mode, out int error)
    {
        var descriptor = OpenFile(path, flags | OpenCloseOnExec, mode);
        error = descriptor < 0 ? Marshal.GetLastPInvokeError() : 0;
        return new SafeFileHandle(descriptor, ownsHandle: true);
    }

    /// <summary>Makes a file without a name in a directory: it is gone when its last descriptor is.</summary>
    internal static SafeFileHandle OpenUnnamed(string directory, int mode, out int error) =>
        Open(directory, OpenTemporary | OpenReadWrite, mode, out error);

    /// <summary>Gives a file without a name one that is not taken.</summary>
    /// <returns>0, or errno.</returns>
    internal static int Link(SafeFileHandle handle, string path) =>
        ToError(LinkAt(
            AtCurrentDirectory, $"/proc/self/fd/{handle.DangerousGetHandle()}", AtCurrentDirectory, path,
            AtSymlinkFollow));

    /// <summary>Gives a file a second name that is not taken.</summary>
    /// <returns>0, or errno.</returns>
    internal static int Link(string existing, string path) =>
        ToError(LinkAt(AtCurrentDirectory, existing, AtCurrentDirectory, path, 0));

    /// <summary>Gives a file another name that is not taken, in one step.</summary>
    /// <returns>0, or errno; <see cref="ErrorInvalid"/> or <see cref="ErrorNoCall"/> where it cannot do that.</returns>
    internal static int RenameToNew(string path, string newPath)
    {
        try
        {
            return ToError(RenameAt(AtCurrentDirectory, path, AtCurrentDirectory, newPath, RenameNoReplace));
        }
        catch (EntryPointNotFoundException)
        {
            return ErrorNoCall;
        }
    }

    /// <summary>Writes as much as goes in one call.</summary>
    /// <returns>How many bytes, or the negative errno.</returns>
    internal static unsafe nint WriteAt(SafeFileHandle handle, ReadOnlySpan<byte> data, long offset)
    {
        fixed (byte* start = data)
        {
            var written = PositionedWrite(handle, start, (nuint)data.Length, offset);
            return written >= 0 ? written : -Marshal.GetLastPInvokeError();
        }
    }

    /// <summary>Changes a file's length.</summary>
    /// <returns>0, or errno.</returns>
    internal static int SetLength(SafeFileHandle handle, long length) => ToError(Truncate(handle, length));

    /// <summary>Reserves or punches a range.</summary>
    /// <returns>0, or errno.</returns>
    internal static int Allocate(SafeFileHandle handle, int mode, long offset, long length) =>
        ToError(FileAllocate(handle, mode, offset, length));

    /// <summary>Shares a range of one file with another.</summary>
    /// <returns>0, or errno.</returns>
    internal static unsafe int Clone(
        SafeFileHandle source, long sourceOffset, SafeFileHandle target, long offset, long length)
    {
        // struct file_clone_range: s64 src_fd; u64 src_offset, src_length, dest_offset.
        var arguments = stackalloc long[] { source.DangerousGetHandle(), sourceOffset, length, offset };
        return ToError(Control(target, CloneRange, arguments));
    }

    /// <summary>Makes a range of a block device read as zeros.</summary>
    /// <returns>0, or errno.</returns>
    internal static unsafe int ZeroOut(SafeFileHandle device, long offset, long length)
    {
        var arguments = stackalloc long[] { offset, length };
        return ToError(Control(device, BlockZeroOut, arguments));
    }

    /// <summary>
    /// Gives a file the permissions of another, and its owner and group as far as this user may. Where there is no other
    /// file, all stays as it is.
    /// </summary>
    internal static void TakePermissions(SafeFileHandle handle, string path)
    {
        if (Posix.FindOwnership(path) is not { } ownership)
        {
            return;
        }

        // Only root may give files away; what may not be changed stays with who writes it. A group that is not the
        // other file's must not get what that one's was allowed.
        var permissions = (int)ownership.Mode & 0x1FF;
        if (ChangeOwner(handle, ownership.Owner, ownership.Group) != 0
            && ChangeOwner(handle, uint.MaxValue, ownership.Group) != 0)
        {
            permissions &= ~0x38;
        }

        _ = ChangeMode(handle, permissions);
    }

    /// <summary>Locks a file against others that lock it; does not wait.</summary>
    internal static bool TryLock(SafeFileHandle handle) => FileLock(handle, LockExclusive | LockNonBlocking) == 0;

    /// <summary>
    /// Ends the locks of a file before it is closed: closing does not, while a process that is just being started still
    /// has the descriptor that it was born with.
    /// </summary>
    internal static unsafe void Unlock(SafeFileHandle handle)
    {
        _ = FileLock(handle, LockNone);
        var range = new FileRangeLock { Type = NoLock };
        _ = FileControl(handle, SetOpenFileLock, &range);
    }

    /// <summary>
    /// Locks a range of a file for this open file alone (F_OFD_SETLK of fcntl(2)); does not wait. It ends with the file's
    /// last descriptor.
    /// </summary>
    /// <returns>0, or errno.</returns>
    internal static unsafe int LockRange(SafeFileHandle handle, long offset, long length)
    {
        var range = new FileRangeLock { Type = WriteLock, Start = offset, Length = length };
        return ToError(FileControl(handle, SetOpenFileLock, &range));
    }

    /// <summary>Brings a directory's entries to the disk.</summary>
    /// <returns>0, or errno.</returns>
    internal static int FlushDirectory(string path)
    {
        using var handle = Open(path, 0, 0, out var error);
        return error != 0 ? error : ToError(Synchronize(handle));
    }

    private static int ToError(int result) => result == 0 ? 0 : Marshal.GetLastPInvokeError();

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFile(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "linkat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LinkAt(int oldDirectory, string oldPath, int newDirectory, string newPath, int flags);

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameAt(int oldDirectory, string oldPath, int newDirectory, string newPath, uint flags);

    [LibraryImport("libc", EntryPoint = "pwrite", SetLastError = true)]
    private static unsafe partial nint PositionedWrite(
        SafeFileHandle descriptor, byte* buffer, nuint count, long offset);

    [LibraryImport("libc", EntryPoint = "ftruncate", SetLastError = true)]
    private static partial int Truncate(SafeFileHandle descriptor, long length);

    [LibraryImport("libc", EntryPoint = "fchown", SetLastError = true)]
    private static partial int ChangeOwner(SafeFileHandle descriptor, uint user, uint group);

    [LibraryImport("libc", EntryPoint = "fchmod", SetLastError = true)]
    private static partial int ChangeMode(SafeFileHandle descriptor, int mode);

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    private static partial int FileAllocate(SafeFileHandle descriptor, int mode, long offset, long length);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static unsafe partial int Control(SafeFileHandle descriptor, nuint request, long* arguments);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int FileLock(SafeFileHandle descriptor, int operation);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static unsafe partial int FileControl(SafeFileHandle descriptor, int operation, FileRangeLock* range);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Synchronize(SafeFileHandle descriptor);

    // struct flock: short l_type, l_whence (0: from the start); off_t l_start, l_len; pid_t l_pid, 0 for these locks.
    [StructLayout(LayoutKind.Explicit, Size = 32)]
    private struct FileRangeLock
    {
        [FieldOffset(0)]
        public short Type;

        [FieldOffset(8)]
        public long Start;

        [FieldOffset(16)]
        public long Length;
    }
}
