using System.Security.Cryptography;
using ImageUtils.Encryption;
using ImageUtils.Errors;
using ImageUtils.Inspection;

namespace ImageUtils.Formats.Luks;

/// <summary>
/// Tries a passphrase on each key slot, in the order of their key material, so that a stream will do.
/// </summary>
internal sealed class LuksUnlocker(InspectionContext context, LuksVolume volume)
{
    private readonly long _limit = context.Policy.MaximumLuksIterations;
    private UInt128 _spent;
    private string? _unsupported;

    /// <summary>The volume's cipher with its key, or why there is none.</summary>
    /// <exception cref="TruncatedImageException">The file ends before the key material does.</exception>
    internal async ValueTask<(SectorCipher? Cipher, string? Problem)> TryUnlockAsync(
        ReadOnlyMemory<byte> passphrase, CancellationToken cancellationToken)
    {
        if (volume.Slots.Count == 0)
        {
            return (null, "The LUKS volume has no active key slot: no passphrase opens it.");
        }

        if (volume.Slots.Select(FindTooExpensive).FirstOrDefault(problem => problem is not null) is { } tooExpensive)
        {
            return (null, tooExpensive);
        }

        var tried = 0;
        foreach (var slot in volume.Slots)
        {
            if (FindUnsupported(slot) is { } problem)
            {
                _unsupported ??= problem;
                continue;
            }

            var cost = slot.Kdf.Cost + (ulong)slot.Digest!.Iterations;
            if (tried > 0 && _spent + cost > (UInt128)_limit)
            {
                return (null, $"The passphrase does not open the first {tried} of {volume.Slots.Count} LUKS key "
                    + "slots, and "
                    + $"the policy's {_limit} iterations are spent: raise MaximumLuksIterations to try the others.");
            }

            _spent += cost;
            tried++;
            if (await TrySlotAsync(slot, passphrase, cancellationToken).ConfigureAwait(false) is { } cipher)
            {
                return (cipher, null);
            }
        }

        return (null, $"The passphrase does not open the LUKS volume: {tried} of {volume.Slots.Count} key slots were "
            + "tried."
            + (_unsupported is null ? "" : $" {_unsupported}"));
    }

    private async ValueTask<SectorCipher?> TrySlotAsync(
        LuksSlot slot, ReadOnlyMemory<byte> passphrase, CancellationToken cancellationToken)
    {
        context.Reader.Grant(slot.AreaLength);
        var material = await context.ReadWholeAsync(
            slot.Offset, slot.AreaLength, $"key material of LUKS key slot {slot.Name}", cancellationToken)
            .ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        return TryDecrypt(slot, passphrase.Span, material.Span);
    }

    private SectorCipher? TryDecrypt(LuksSlot slot, ReadOnlySpan<byte> passphrase, ReadOnlySpan<byte> material)
    {
        Span<byte> areaKey = stackalloc byte[LuksSafetyChecks.MaximumKeyLength];
        areaKey = areaKey[..slot.AreaKeyLength];
        try
        {
            if (!TryDerive(slot.Kdf, passphrase, areaKey))
            {
                _unsupported ??= $"LUKS key slot {slot.Name} needs {slot.Kdf.Iterations} passes of {slot.Kdf.Type} "
                    + $"over {slot.Kdf.MemoryKib} KiB by {slot.Kdf.Lanes} threads, which libargon2 refused: not enough "
                    + "memory, or numbers that are not possible.";
                return null;
            }

            using var areaCipher = SectorCipher.TryCreate(slot.AreaCipher, areaKey, SectorCipher.CountedLength)!;
            using var merger = new AntiForensicMerger(
                slot.KeyLength, slot.Stripes, HashName.TryParse(slot.SplitHash)!.Value);
            Merge(areaCipher, merger, material);
            return IsRightKey(merger.Key, slot.Digest!)
                ? SectorCipher.TryCreate(volume.Segment.Cipher, merger.Key, volume.Segment.SectorSize)
                : null;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(areaKey);
        }
    }

    private static void Merge(SectorCipher cipher, AntiForensicMerger merger, ReadOnlySpan<byte> material)
    {
        Span<byte> buffer = stackalloc byte[8 * SectorCipher.CountedLength];
        for (var at = 0; at < material.Length; at += buffer.Length)
        {
            var piece = buffer[..Math.Min(buffer.Length, material.Length - at)];
            material.Slice(at, piece.Length).CopyTo(piece);
            cipher.Decrypt(piece, (ulong)(at / SectorCipher.CountedLength));
            merger.Add(piece);
        }

        CryptographicOperations.ZeroMemory(buffer);
    }

    private static bool IsRightKey(ReadOnlySpan<byte> key, LuksDigest digest)
    {
        Span<byte> computed = stackalloc byte[LuksSafetyChecks.MaximumDigestLength];
        computed = computed[..digest.Digest.Length];
        Rfc2898DeriveBytes.Pbkdf2(
            key, digest.Salt.Span, computed, (int)digest.Iterations, HashName.TryParse(digest.Hash)!.Value);
        return CryptographicOperations.FixedTimeEquals(computed, digest.Digest.Span);
    }

    private static bool TryDerive(LuksKdf kdf, ReadOnlySpan<byte> passphrase, Span<byte> key)
    {
        if (kdf.Type != "pbkdf2")
        {
            return Argon2.TryDerive(
                kdf.Type == "argon2id", (uint)kdf.Iterations, (uint)kdf.MemoryKib, (uint)kdf.Lanes,
                passphrase, kdf.Salt.Span, key);
        }

        Rfc2898DeriveBytes.Pbkdf2(
            passphrase, kdf.Salt.Span, key, (int)kdf.Iterations, HashName.TryParse(kdf.Hash)!.Value);
        return true;
    }

    private string? FindTooExpensive(LuksSlot slot)
    {
        if (slot.Kdf.Iterations > int.MaxValue || slot.Kdf.Cost > (UInt128)Math.Max(0, _limit))
        {
            return $"LUKS key slot {slot.Name} demands "
                + (slot.Kdf.Type == "pbkdf2"
                    ? $"{slot.Kdf.Iterations} PBKDF2 iterations"
                    : $"{slot.Kdf.Iterations} passes over {slot.Kdf.MemoryKib} KiB")
                + $"; the policy's limit is {_limit}. Nothing was tried.";
        }

        if (slot.Kdf.MemoryKib > Argon2.MaximumMemoryKib || slot.Kdf.Lanes > Argon2.MaximumLanes)
        {
            return $"LUKS key slot {slot.Name} demands {slot.Kdf.MemoryKib} KiB of memory and {slot.Kdf.Lanes} "
                + "threads; "
                + $"{Argon2.MaximumMemoryKib} and {Argon2.MaximumLanes} are the most that is accepted. Nothing was "
                + "tried.";
        }

        return slot.Digest is { } digest && (digest.Iterations > int.MaxValue || digest.Iterations > _limit)
            ? $"The LUKS volume key's digest demands {digest.Iterations} PBKDF2 iterations; the policy's limit is "
                + $"{_limit}. Nothing was tried."
            : null;
    }

    private string? FindUnsupported(LuksSlot slot)
    {
        var where = $"LUKS key slot {slot.Name}";
        if (slot.Digest is not { } digest)
        {
            return $"{where} has no digest that tells whether it opens the data.";
        }

        if (slot.Kdf.Type is "argon2i" or "argon2id")
        {
            if (!Argon2.IsAvailable)
            {
                return $"{where} needs {slot.Kdf.Type}: install libargon2 (Debian package libargon2-1).";
            }
        }
        else if (slot.Kdf.Type != "pbkdf2" || HashName.TryParse(slot.Kdf.Hash) is null)
        {
            return $"{where} derives its key with {Printable.Text(slot.Kdf.Type)} and {Printable.Text(slot.Kdf.Hash)}, "
                + "which is not supported.";
        }

        foreach (var hash in new[] { slot.SplitHash, digest.Hash })
        {
            if (HashName.TryParse(hash) is null)
            {
                return $"{where} needs the hash {Printable.Text(hash)}, which is not supported.";
            }
        }

        return FindUnsupported(slot.AreaCipher, slot.AreaKeyLength)
            ?? FindUnsupported(volume.Segment.Cipher, slot.KeyLength);
    }

    private static string? FindUnsupported(SectorCipherName name, int keyLength)
    {
        using var cipher = SectorCipher.TryCreate(name, new byte[keyLength], SectorCipher.CountedLength);
        return cipher is null
            ? $"The cipher {Printable.Text(name.ToString())} with {keyLength} bytes of key is not supported."
            : null;
    }
}
