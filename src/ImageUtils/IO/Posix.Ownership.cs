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

    [LibraryImport("libc", EntryPoint = "geteuid")]
    internal static partial uint GetEffectiveUser();
}
