using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ImageUtils.IO;

/// <content>How much room a file system has (statvfs(3), as 64-bit glibc and musl lay it out).</content>
internal static partial class Posix
{
    // Opens nothing: a handle by which to ask, which needs no permission to read.
    private const int OpenPathOnly = 0x200000;

    /// <summary>What ordinary users can still have of a file system, in bytes, and which file system it is.</summary>
    internal readonly record struct FileSystemSpace(long AvailableBytes, ulong FileSystemId);

    /// <summary>Opens a file or directory only to ask about it; a negative result is in errno.</summary>
    internal static SafeFileHandle OpenForLooking(string path, out int error)
    {
        var descriptor = Open(path, OpenPathOnly | OpenCloseOnExec, 0);
        error = descriptor < 0 ? Marshal.GetLastPInvokeError() : 0;
        return new SafeFileHandle(descriptor, ownsHandle: true);
    }

    internal static unsafe FileSystemSpace GetSpace(SafeFileHandle handle)
    {
        Statvfs space;
        if (StatvfsByDescriptor(handle, &space) != 0)
        {
            throw new IOException(
                $"fstatvfs failed: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}.");
        }

        var available = (UInt128)space.AvailableBlocks * space.FragmentSize;
        return new FileSystemSpace(available > long.MaxValue ? long.MaxValue : (long)available, space.FileSystemId);
    }

    [LibraryImport("libc", EntryPoint = "fstatvfs", SetLastError = true)]
    private static unsafe partial int StatvfsByDescriptor(SafeFileHandle descriptor, Statvfs* space);

    [StructLayout(LayoutKind.Explicit, Size = 112)]
    private struct Statvfs
    {
        [FieldOffset(8)]
        public ulong FragmentSize;

        [FieldOffset(32)]
        public ulong AvailableBlocks;

        [FieldOffset(64)]
        public ulong FileSystemId;
    }
}
