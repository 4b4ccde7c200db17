using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ImageUtils.IO;

/// <content>Whose a file is.</content>
internal static partial class Posix
{
    /// <summary>Whose a file is, and who may do what with it (the lower 12 bits of its mode).</summary>
    internal readonly record struct Ownership(uint Owner, uint Group, UnixFileMode Mode);

    internal static Ownership GetOwnership(SafeFileHandle handle)
    {
        var status = GetStatx(handle);
        return new Ownership(status.Owner, status.Group, (UnixFileMode)(status.Mode & 0xFFF));
    }

    /// <summary>Follows symbolic links, and needs no right to read the file; null where it cannot be reached.</summary>
    internal static unsafe Ownership? FindOwnership(string path)
    {
        Statx status;
        return StatxByPath(AtCurrentDirectory, path, 0, StatxBasicStats, (IdentityStatx*)&status) == 0
            ? new Ownership(status.Owner, status.Group, (UnixFileMode)(status.Mode & 0xFFF))
            : null;
    }

    /// <summary>
    /// Whether a file is this user's own and has one name only. One that somebody else put there could be changed by him
    /// at any time, or be another name of a file that must not be written.
    /// </summary>
    internal static bool IsOwnFile(SafeFileHandle handle)
    {
        var status = GetStatx(handle);
        return (FileType)(status.Mode & 0xF000) == FileType.Regular && status.Owner == GetEffectiveUser()
            && status.Links == 1;
    }

    [LibraryImport("libc", EntryPoint = "geteuid")]
    internal static partial uint GetEffectiveUser();
}
