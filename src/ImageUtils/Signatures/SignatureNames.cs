using System.Security.Cryptography;

namespace ImageUtils.Signatures;

/// <summary>What Glance calls the hashes and keys of signatures, in both directions.</summary>
public static class SignatureNames
{
    // The last column is the curve's object identifier (SEC 2, section A.2).
    private static readonly (SignatureKeyType Type, string Name, string? CurveOid)[] s_keyTypes =
    [
        (SignatureKeyType.RsaPss, "RSA-PSS", null),
        (SignatureKeyType.Dsa, "DSA", null),
        (SignatureKeyType.EccSecp384R1, "ECC_SECP384R1", "1.3.132.0.34"),
        (SignatureKeyType.EccSecp521R1, "ECC_SECP521R1", "1.3.132.0.35"),
        (SignatureKeyType.EccSect409K1, "ECC_SECT409K1", "1.3.132.0.36"),
        (SignatureKeyType.EccSect409R1, "ECC_SECT409R1", "1.3.132.0.37"),
        (SignatureKeyType.EccSect571K1, "ECC_SECT571K1", "1.3.132.0.38"),
        (SignatureKeyType.EccSect571R1, "ECC_SECT571R1", "1.3.132.0.39"),
    ];

    private static readonly (SignatureHashMethod Method, string Name, int Length)[] s_hashMethods =
    [
        (SignatureHashMethod.Sha224, "SHA-224", 28),
        (SignatureHashMethod.Sha256, "SHA-256", SHA256.HashSizeInBytes),
        (SignatureHashMethod.Sha384, "SHA-384", SHA384.HashSizeInBytes),
        (SignatureHashMethod.Sha512, "SHA-512", SHA512.HashSizeInBytes),
    ];

    /// <summary>All names of key types.</summary>
    public static IReadOnlyList<string> KeyTypes { get; } = [.. s_keyTypes.Select(one => one.Name)];

    /// <summary>All names of hash methods.</summary>
    public static IReadOnlyList<string> HashMethods { get; } = [.. s_hashMethods.Select(one => one.Name)];

    /// <summary>The name of a key type, such as <c>RSA-PSS</c>.</summary>
    public static string ToName(SignatureKeyType type) => Array.Find(s_keyTypes, one => one.Type == type).Name;

    /// <summary>The name of a hash method, such as <c>SHA-256</c>.</summary>
    public static string ToName(SignatureHashMethod method) =>
        Array.Find(s_hashMethods, one => one.Method == method).Name;

    /// <summary>Reads the name of a key type, exactly as Glance has it.</summary>
    public static bool TryParse(string? name, out SignatureKeyType type)
    {
        var index = Array.FindIndex(s_keyTypes, one => one.Name == name);
        type = index < 0 ? default : s_keyTypes[index].Type;
        return index >= 0;
    }

    /// <summary>Reads the name of a hash method, exactly as Glance has it.</summary>
    public static bool TryParse(string? name, out SignatureHashMethod method)
    {
        var index = Array.FindIndex(s_hashMethods, one => one.Name == name);
        method = index < 0 ? default : s_hashMethods[index].Method;
        return index >= 0;
    }

    internal static int LengthOf(SignatureHashMethod method) =>
        Array.Find(s_hashMethods, one => one.Method == method).Length;

    /// <summary>The key type of a curve; null for one that images are not signed with.</summary>
    internal static SignatureKeyType? OfCurve(string? oid)
    {
        var index = oid is null ? -1 : Array.FindIndex(s_keyTypes, one => one.CurveOid == oid);
        return index < 0 ? null : s_keyTypes[index].Type;
    }
}
