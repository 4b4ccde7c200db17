namespace ImageUtils.Qemu;

/// <summary>How an image that is written is encrypted: as a LUKS volume (version 1), or within a qcow2.</summary>
public sealed record LuksTarget
{
    /// <summary>What will open it: UTF-8, not empty, without a NUL character.</summary>
    public required ReadOnlyMemory<byte> Passphrase { get; init; }

    /// <summary>The cipher; null: qemu's default, AES-256 in XTS mode with plain64.</summary>
    public CipherSpec? Cipher { get; init; }

    /// <summary>The hash of the key derivation, such as <c>sha256</c>; null: qemu's default, which is that.</summary>
    public string? HashAlgorithm { get; init; }

    /// <summary>How long a key derivation is to take, to the millisecond; null: qemu's default, 2 s.</summary>
    public TimeSpan? IterationTime { get; init; }
}
