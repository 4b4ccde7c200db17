using System.Numerics;
using System.Security.Cryptography;

namespace ImageUtils.Signatures;

/// <summary>RSASP1 and RSAVP1 (RFC 8017, section 5.2), which .NET offers with paddings of its own only.</summary>
/// <remarks>
/// Big integers take a time that depends on their values. So what meets the private key is blinded: the message by a
/// random factor, the exponent by a random multiple of the group's order.
/// </remarks>
internal static class RsaPrimitives
{
    /// <summary>The largest modulus that is calculated with; it is OpenSSL's limit too.</summary>
    internal const int MaximumModulusBits = 16384;

    /// <summary>The largest public exponent, OpenSSL's limit for large keys.</summary>
    internal const int MaximumExponentBits = 64;

    private const int BlindingBytes = 16;

    /// <summary>The encoded message that was signed; null where the key cannot have made the number.</summary>
    /// <param name="signature">As long as the modulus.</param>
    /// <param name="key">The modulus and the public exponent.</param>
    /// <param name="length">How long the message is, in bytes.</param>
    internal static byte[]? Recover(ReadOnlySpan<byte> signature, in RSAParameters key, int length)
    {
        var modulus = Read(key.Modulus);
        var number = Read(signature);
        if (number >= modulus)
        {
            return null;
        }

        return Write(BigInteger.ModPow(number, Read(key.Exponent), modulus), length);
    }

    /// <summary>Signs an encoded message.</summary>
    /// <returns>The signature, as long as the modulus.</returns>
    internal static byte[] Sign(ReadOnlySpan<byte> encoded, in RSAParameters key)
    {
        var modulus = Read(key.Modulus);
        var exponent = Read(key.Exponent);
        var order = (Read(key.P) - 1) * (Read(key.Q) - 1);
        var factor = (Read(RandomNumberGenerator.GetBytes(key.Modulus!.Length + BlindingBytes)) % (modulus - 2)) + 2;
        var blinded = Read(encoded) * BigInteger.ModPow(factor, exponent, modulus) % modulus;
        var signed = BigInteger.ModPow(blinded, Read(key.D) + (RandomMultiplier() * order), modulus);
        // factor ^ (k * order - 1) is its inverse.
        var inverse = BigInteger.ModPow(factor, (RandomMultiplier() * order) - 1, modulus);
        return Write(signed * inverse % modulus, key.Modulus.Length)
            ?? throw new CryptographicException("The RSA key is not consistent.");
    }

    internal static int BitsOf(ReadOnlySpan<byte> number) => (int)Read(number).GetBitLength();

    private static BigInteger RandomMultiplier() => Read(RandomNumberGenerator.GetBytes(BlindingBytes)) + 1;

    private static BigInteger Read(ReadOnlySpan<byte> bytes) => new(bytes, isUnsigned: true, isBigEndian: true);

    private static byte[]? Write(BigInteger number, int length)
    {
        var bytes = new byte[length];
        var needed = number.GetByteCount(isUnsigned: true);
        return needed <= length
            && number.TryWriteBytes(bytes.AsSpan(length - needed), out _, isUnsigned: true, isBigEndian: true)
            ? bytes
            : null;
    }
}
