using ImageUtils.Errors;
using ImageUtils.Inspection;

namespace ImageUtils.Qemu;

/// <summary>The cipher of a LUKS volume that is to be made, in qemu's names.</summary>
/// <remarks>QEMU, qapi/crypto.json, <c>QCryptoBlockCreateOptionsLUKS</c>.</remarks>
public sealed record CipherSpec
{
    // What qemu's LUKS driver makes volumes with; DES and 3DES it refuses.
    private static readonly Dictionary<string, int[]> s_keySizesBits = new(StringComparer.Ordinal)
    {
        ["aes"] = [128, 192, 256],
        ["serpent"] = [128, 192, 256],
        ["twofish"] = [128, 192, 256],
        ["cast5"] = [128],
    };

    private static readonly string[] s_modes = ["xts", "cbc", "ctr", "ecb"];

    private static readonly string[] s_ivGenerators = ["plain64", "plain", "essiv"];

    private CipherSpec(string algorithm, string mode, string ivGenerator)
    {
        CipherAlgorithm = algorithm;
        CipherMode = mode;
        IvGenerator = ivGenerator;
    }

    /// <summary><c>cipher-alg</c>: the cipher and its key's length in bits, such as <c>aes-256</c>.</summary>
    public string CipherAlgorithm { get; }

    /// <summary><c>cipher-mode</c>, such as <c>xts</c>.</summary>
    public string CipherMode { get; }

    /// <summary><c>ivgen-alg</c>, such as <c>plain64</c>. <c>essiv</c> is with SHA-256, qemu's default.</summary>
    public string IvGenerator { get; }

    /// <summary>
    /// Reads dm-crypt's <c>cipher-mode-ivgen</c>, as Cinder's <c>decode_cipher</c> does: a key count
    /// (<c>aes:64-cbc-plain</c>) and options of the initial vector (<c>essiv:sha256</c>) are refused, because qemu
    /// would refuse them or mean something else.
    /// </summary>
    /// <param name="spec">Such as <c>aes-xts-plain64</c>, in any case.</param>
    /// <param name="keySizeBits">
    /// The key's length in bits. Where the cipher itself has keys of that length, that is what is meant, as in Cinder:
    /// 256 is <c>aes-256</c>. XTS has two keys, and where only their sum can be meant, as in cryptsetup, the cipher's
    /// is half: 512 is <c>aes-256</c> as well, and 384 is <c>aes-192</c>.
    /// </param>
    /// <exception cref="CipherSpecException">It has another shape, or qemu has no such cipher.</exception>
    public static CipherSpec Parse(string spec, int keySizeBits)
    {
        ArgumentNullException.ThrowIfNull(spec);
        var shown = $"The cipher '{Printable.Text(spec)}'";
        if (spec.Trim().ToLowerInvariant().Split('-') is not [var cipher, var mode, var ivGenerator])
        {
            throw new CipherSpecException(
                $"{shown} is not three names with hyphens between them: cipher, mode and IV generator, such as "
                + "'aes-xts-plain64'.");
        }

        if (cipher.Contains(':', StringComparison.Ordinal))
        {
            throw new CipherSpecException(
                $"{shown} has a number of keys ('{Printable.Text(cipher)}'), which qemu has not. Leave it out: "
                + $"'{Printable.Text(cipher[..cipher.IndexOf(':', StringComparison.Ordinal)])}'.");
        }

        if (ivGenerator.Contains(':', StringComparison.Ordinal))
        {
            throw new CipherSpecException(
                $"{shown} has an option of its IV generator ('{Printable.Text(ivGenerator)}'), which neither Cinder "
                + "nor qemu takes here. Leave it out: essiv is with sha256.");
        }

        if (!s_keySizesBits.TryGetValue(cipher, out var sizesBits))
        {
            throw ToUnknown(shown, "cipher", cipher, s_keySizesBits.Keys);
        }

        ThrowIfUnknown(shown, "mode", mode, s_modes);
        ThrowIfUnknown(shown, "IV generator", ivGenerator, s_ivGenerators);
        if (mode == "xts" && cipher == "cast5")
        {
            throw new CipherSpecException($"{shown}: XTS needs a cipher with blocks of 16 bytes, and cast5's have 8.");
        }

        int? bits = Array.Exists(sizesBits, size => size == keySizeBits)
            ? keySizeBits
            : mode == "xts" && Array.Exists(sizesBits, size => 2L * size == keySizeBits) ? keySizeBits / 2 : null;
        return bits is null
            ? throw new CipherSpecException(
                $"{shown} has no key of {keySizeBits} bits. Possible: "
                + $"{string.Join(", ", mode == "xts" ? sizesBits.Union(sizesBits.Select(s => 2 * s)) : sizesBits)}.")
            : new CipherSpec($"{cipher}-{bits}", mode, ivGenerator);
    }

    /// <summary>Such as <c>aes-256-xts-plain64</c>.</summary>
    public override string ToString() => $"{CipherAlgorithm}-{CipherMode}-{IvGenerator}";

    private static void ThrowIfUnknown(string shown, string what, string name, string[] known)
    {
        if (!known.Contains(name))
        {
            throw ToUnknown(shown, what, name, known);
        }
    }

    private static CipherSpecException ToUnknown(string shown, string what, string name, IEnumerable<string> known) =>
        new($"{shown}: the {what} '{Printable.Text(name)}' is none of qemu's. Use one of: {string.Join(", ", known)}.");
}
