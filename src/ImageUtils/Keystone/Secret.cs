using System.Security.Cryptography;
using System.Text;

namespace ImageUtils.Keystone;

/// <summary>
/// A password, a token or an application credential's secret. It prints as nothing that tells about it, and is zeroed
/// when it is disposed of.
/// </summary>
public sealed class Secret : IDisposable
{
    private readonly byte[] _bytes;

    /// <summary>Keeps a copy.</summary>
    /// <param name="utf8">The secret's bytes in UTF-8.</param>
    public Secret(ReadOnlySpan<byte> utf8) => _bytes = utf8.ToArray();

    /// <summary>Keeps a copy, of a secret that was in a string already: a file's or the environment's.</summary>
    public Secret(string text) => _bytes = Encoding.UTF8.GetBytes(text);

    /// <summary>The secret's bytes in UTF-8.</summary>
    internal ReadOnlySpan<byte> Utf8 => _bytes;

    /// <summary>Whether there is nothing in it.</summary>
    internal bool IsEmpty => _bytes.Length == 0;

    /// <summary>For a header, which is a string.</summary>
    internal string Reveal() => Encoding.UTF8.GetString(_bytes);

    /// <summary>A copy with a life of its own.</summary>
    internal Secret Copy() => new(_bytes);

    /// <inheritdoc/>
    public override string ToString() => "(secret)";

    /// <inheritdoc/>
    public void Dispose() => CryptographicOperations.ZeroMemory(_bytes);
}
