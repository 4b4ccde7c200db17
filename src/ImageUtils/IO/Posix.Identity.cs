using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ImageUtils.IO;

/// <summary>Which file a name leads to, and what may be done with it.</summary>
internal static partial class Posix
{
    private const int AtCurrentDirectory = -100;
    private const int OpenReadWrite = 0x2;
    private const int AccessWriteAndSearch = 0x2 | 0x1;

    /// <summary>
    /// What makes two names the same file: the file system and the inode, or of a device its numbers, whatever the
    /// node is called.
    /// </summary>
    internal readonly record struct FileIdentity(FileType Type, ulong Device, ulong Inode);

    /// <summary>Follows symbolic links; null where there is no such file, or it cannot be reached.</summary>
    internal static unsafe FileIdentity? FindIdentity(string path)
    {
        IdentityStatx status;
        if (StatxByPath(AtCurrentDirectory, path, 0, StatxBasicStats, &status) != 0)
        {
            return null;
        }

        var type = (FileType)(status.Mode & 0xF000);
        return type is FileType.BlockDevice or FileType.CharacterDevice
            ? new FileIdentity(type, ((ulong)status.NodeMajor << 32) | status.NodeMinor, 0)
            : new FileIdentity(type, ((ulong)status.DeviceMajor << 32) | status.DeviceMinor, status.Inode);
    }

    /// <summary>Whether this user can make files in a directory, as far as its mode says.</summary>
    internal static bool CanMakeFilesIn(string directory) =>
        Directory.Exists(directory) && Access(directory, AccessWriteAndSearch) == 0;

    /// <summary>Whether a device can be opened past the page cache (O_DIRECT).</summary>
    internal static bool CanOpenDirectly(string path)
    {
        // The value differs between architectures (asm/fcntl.h); these are the two that are built for.
        var direct = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x10000 : 0x4000;
        using var handle = new SafeFileHandle(
            Open(path, OpenReadWrite | OpenNonBlocking | OpenCloseOnExec | direct, 0), ownsHandle: true);
        return !handle.IsInvalid;
    }

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int StatxByPath(
        int directory, string path, int flags, uint mask, IdentityStatx* status);

    [LibraryImport("libc", EntryPoint = "access", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Access(string path, int mode);

    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct IdentityStatx
    {
        [FieldOffset(28)]
        public ushort Mode;

        [FieldOffset(32)]
        public ulong Inode;

        [FieldOffset(128)]
        public uint NodeMajor;

        [FieldOffset(132)]
        public uint NodeMinor;

        [FieldOffset(136)]
        public uint DeviceMajor;

        [FieldOffset(140)]
        public uint DeviceMinor;
    }
}
