using System.Reflection;
using System.Runtime.InteropServices;

namespace ImageUtils.Encryption;

/// <summary>
/// Argon2 (RFC 9106) by the reference library, where it is installed: Debian's <c>libargon2-1</c>. It needs as much
/// memory as the parameters say, outside the managed heap, and runs to its end.
/// </summary>
internal static partial class Argon2
{
    /// <summary>
    /// The most memory that a derivation may take, in KiB: what cryptsetup itself asks for at most by default.
    /// </summary>
    internal const uint MaximumMemoryKib = 1024 * 1024;

    /// <summary>The most threads that a derivation may take; cryptsetup writes 4 at most.</summary>
    internal const uint MaximumLanes = 16;

    private const string Library = "libargon2.so.1";

    /// <summary>Whether the library is installed.</summary>
    internal static bool IsAvailable { get; } =
        NativeLibrary.TryLoad(Library, Assembly.GetExecutingAssembly(), null, out _);

    /// <summary>Derives a key.</summary>
    /// <param name="isId">Argon2id where true, Argon2i otherwise.</param>
    /// <param name="passes">How often the memory is gone over.</param>
    /// <param name="memoryKib">In KiB.</param>
    /// <param name="lanes">How many threads.</param>
    /// <param name="password">At least no bytes.</param>
    /// <param name="salt">8 bytes at least.</param>
    /// <param name="key">Filled.</param>
    /// <returns>Whether the library accepted the parameters and got the memory.</returns>
    internal static unsafe bool TryDerive(
        bool isId, uint passes, uint memoryKib, uint lanes,
        ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, Span<byte> key)
    {
        fixed (byte* passwordStart = password)
        fixed (byte* saltStart = salt)
        fixed (byte* keyStart = key)
        {
            var (passwordLength, saltLength) = ((nuint)password.Length, (nuint)salt.Length);
            var error = isId
                ? HashId(
                    passes, memoryKib, lanes, passwordStart, passwordLength, saltStart, saltLength,
                    keyStart, (nuint)key.Length)
                : HashI(
                    passes, memoryKib, lanes, passwordStart, passwordLength, saltStart, saltLength,
                    keyStart, (nuint)key.Length);
            return error == 0;
        }
    }

    [LibraryImport(Library, EntryPoint = "argon2id_hash_raw")]
    private static unsafe partial int HashId(
        uint passes, uint memoryKib, uint lanes, byte* password, nuint passwordLength, byte* salt, nuint saltLength,
        byte* hash, nuint hashLength);

    [LibraryImport(Library, EntryPoint = "argon2i_hash_raw")]
    private static unsafe partial int HashI(
        uint passes, uint memoryKib, uint lanes, byte* password, nuint passwordLength, byte* salt, nuint saltLength,
        byte* hash, nuint hashLength);
}
