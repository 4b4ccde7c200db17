using System.Collections.Concurrent;
using ImageUtils.Builders;

namespace ImageUtils.Tests.Support;

/// <summary>
/// Volumes that qemu-img makes. It measures key derivations for about two seconds each time, whatever it is asked for:
/// so every kind is made once, and all tests have it from here.
/// </summary>
internal static class LuksVolumeOfQemu
{
    public const string Passphrase = "pass phrase";

    private static readonly ConcurrentDictionary<string, Lazy<byte[]>> s_volumes = new();

    /// <summary>What is inside each: an unsafe qcow2.</summary>
    public static byte[] Content => Qcow2Cases.WithBacking("/etc/passwd").ToArray();

    /// <summary>Every value of every option at least once.</summary>
    public static IReadOnlyList<string> AllOptions { get; } =
    [
        "",
        "cipher-alg=aes-128,hash-alg=sha1",
        "cipher-alg=aes-192,ivgen-alg=plain",
        "cipher-alg=aes-128,cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sha256",
        "cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sha256,hash-alg=sha384",
        "cipher-mode=cbc,ivgen-alg=plain64,hash-alg=sha512",
        "cipher-alg=serpent-256,hash-alg=ripemd160",
        "cipher-alg=twofish-128,cipher-mode=cbc,hash-alg=sha224",
        "cipher-alg=cast5-128,cipher-mode=cbc",
        "cipher-mode=ecb",
        "cipher-mode=ctr",
    ];

    /// <summary>The bytes of a volume, or the calling test is skipped where there is no qemu-img.</summary>
    public static byte[] Get(string options)
    {
        Tool.Require("qemu-img", "qemu-utils");
        return s_volumes.GetOrAdd(options, _ => new Lazy<byte[]>(() => Create(options))).Value;
    }

    private static byte[] Create(string options)
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllBytes(directory["content"], Content);
        File.WriteAllText(directory["passphrase"], Passphrase);
        options = "key-secret=s,iter-time=10" + (options.Length > 0 ? "," + options : "");
        Tool.Run(
            "qemu-img", "convert", "--object", $"secret,id=s,file={directory["passphrase"]}", "-f", "raw", "-O", "luks",
            "-o", options, directory["content"], directory["volume"]);
        return File.ReadAllBytes(directory["volume"]);
    }
}
