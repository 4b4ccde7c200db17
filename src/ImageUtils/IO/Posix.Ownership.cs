using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ImageUtils.IO;

/// <content>Whose a file is.</content>
internal static partial class Posix
{
    /// <summary>Whose a file is, and who may do what with it (the lower 12 bits of its mode).</summary>
    internal readonly record struct Ownership(uint Owner, UnixFileMode Mode);

    internal static unsafe Ownership GetOwnership(SafeFileHandle handle)
    {
        Statx status;
        if (StatxByDescriptor(handle, "", AtEmptyPath, StatxBasicStats, &status) != 0)
        {
            throw new IOException(
                $"statx failed: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}.");
        }

        return new Ownership(status.Owner, (UnixFileMode)(status.Mode & 0xFFF));
    }

    [LibraryImport("libc", EntryPoint = "geteuid")]
    internal static partial uint GetEffectiveUser();
}
