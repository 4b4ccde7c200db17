using System.Security.Cryptography;

namespace ImageUtils.Signatures;

/// <summary>How an encoded message of EMSA-PSS was found to be.</summary>
internal enum PssVerdict
{
    /// <summary>It is the hash's, with the longest salt.</summary>
    Valid,

    /// <summary>It is the hash's, but its salt is shorter than it could be.</summary>
    OtherSalt,

    /// <summary>It is not the hash's.</summary>
    Invalid,
}

/// <summary>EMSA-PSS with MGF1 over the same hash (RFC 8017, sections 9.1 and B.2.1).</summary>
/// <remarks>
/// .NET knows only salts as long as the hash. Image signatures have the longest that the key has room for (cursive:
/// <c>PSS.MAX_LENGTH</c>, for signing and for verifying), so that the padding string PS is always empty.
/// <code>
/// offset            length             field
/// 0                 emLen - hLen - 1   maskedDB: the block below, XORed with MGF1(H)
/// emLen - hLen - 1  hLen               H, the hash of eight zero bytes, the image's hash and the salt
/// emLen - 1         1                  0xbc
/// DB: PS (zeros), 0x01, salt. The leftmost 8 * emLen - emBits bits of maskedDB are zero.
/// </code>
/// </remarks>
internal static class PssEncoding
{
    private const byte Separator = 0x01;
    private const byte Trailer = 0xbc;
    private const int ZerosBeforeHash = 8;

    /// <summary>The longest salt, in bytes; negative where the key is too small for the hash.</summary>
    internal static int MaximumSaltLength(int modulusBits, int hashLength) =>
        EncodedLength(modulusBits) - hashLength - 2;

    /// <summary>The length of an encoded message in bytes. It can be one less than the modulus's.</summary>
    internal static int EncodedLength(int modulusBits) => (modulusBits - 1 + 7) / 8;

    /// <summary>Encodes a hash with a fresh salt of the longest kind.</summary>
    internal static byte[] Encode(ReadOnlySpan<byte> imageHash, int modulusBits, SignatureHashMethod method)
    {
        var salt = RandomNumberGenerator.GetBytes(MaximumSaltLength(modulusBits, imageHash.Length));
        var encoded = new byte[EncodedLength(modulusBits)];
        var hash = HashWithSalt(imageHash, salt, method);
        var block = encoded.AsSpan(0, encoded.Length - hash.Length - 1);
        block[^(salt.Length + 1)] = Separator;
        salt.CopyTo(block[^salt.Length..]);
        Mask(block, hash, method);
        block[0] &= FirstByteMask(encoded.Length, modulusBits);
        hash.CopyTo(encoded, block.Length);
        encoded[^1] = Trailer;
        return encoded;
    }

    internal static PssVerdict Check(
        ReadOnlySpan<byte> encoded, ReadOnlySpan<byte> imageHash, int modulusBits, SignatureHashMethod method)
    {
        var blockLength = encoded.Length - imageHash.Length - 1;
        if (encoded.Length != EncodedLength(modulusBits) || blockLength < 1 || encoded[^1] != Trailer)
        {
            return PssVerdict.Invalid;
        }

        var block = encoded[..blockLength].ToArray();
        var hash = encoded.Slice(blockLength, imageHash.Length);
        var mask = FirstByteMask(encoded.Length, modulusBits);
        if ((block[0] & ~mask) != 0)
        {
            return PssVerdict.Invalid;
        }

        Mask(block, hash, method);
        block[0] &= mask;
        var separator = block.AsSpan().IndexOfAnyExcept((byte)0);
        if (separator < 0 || block[separator] != Separator
            || !HashWithSalt(imageHash, block.AsSpan(separator + 1), method).AsSpan().SequenceEqual(hash))
        {
            return PssVerdict.Invalid;
        }

        return separator == 0 ? PssVerdict.Valid : PssVerdict.OtherSalt;
    }

    private static byte FirstByteMask(int encodedLength, int modulusBits) =>
        (byte)(0xff >> ((8 * encodedLength) - (modulusBits - 1)));

    private static byte[] HashWithSalt(
        ReadOnlySpan<byte> imageHash, ReadOnlySpan<byte> salt, SignatureHashMethod method) =>
        SignatureHash.HashData(method, [.. new byte[ZerosBeforeHash], .. imageHash, .. salt]);

    // MGF1: the hashes of the seed and a number, one after the other.
    private static void Mask(Span<byte> block, ReadOnlySpan<byte> seed, SignatureHashMethod method)
    {
        for (var (at, number) = (0, 0); at < block.Length; at += seed.Length, number++)
        {
            var piece = SignatureHash.HashData(
                method,
                [.. seed, (byte)(number >> 24), (byte)(number >> 16), (byte)(number >> 8), (byte)number]);
            for (var index = 0; index < piece.Length && at + index < block.Length; index++)
            {
                block[at + index] ^= piece[index];
            }
        }
    }
}
