using System.Runtime.InteropServices;
using System.Security;
using System.Security.Cryptography;
using System.Text;

namespace ImageUtils.PowerShell.Binding;

/// <summary>A passphrase's bytes in UTF-8, outside of managed strings, zeroed when it is disposed of.</summary>
internal sealed class Passphrase : IDisposable
{
    private readonly byte[] _bytes;

    internal Passphrase(SecureString secret)
    {
        var pointer = Marshal.SecureStringToGlobalAllocUnicode(secret);
        try
        {
            unsafe
            {
                var characters = new ReadOnlySpan<char>((void*)pointer, secret.Length);
                _bytes = new byte[Encoding.UTF8.GetByteCount(characters)];
                Encoding.UTF8.GetBytes(characters, _bytes);
            }
        }
        finally
        {
            Marshal.ZeroFreeGlobalAllocUnicode(pointer);
        }
    }

    internal ReadOnlyMemory<byte> Bytes => _bytes;

    public void Dispose() => CryptographicOperations.ZeroMemory(_bytes);
}
