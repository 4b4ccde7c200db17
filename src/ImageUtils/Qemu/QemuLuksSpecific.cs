using System.Globalization;
using ImageUtils.Formats.Luks;

namespace ImageUtils.Qemu;

/// <summary>Makes <see cref="LuksDetails"/> of what qemu-img says of a LUKS header.</summary>
/// <remarks>
/// QEMU, qapi/crypto.json, <c>QCryptoBlockInfoLUKS</c>; of a volume, and under <c>encrypt</c> of an encrypted qcow2.
/// qemu opens version 1 alone, in which PBKDF2 is the only key derivation. The master key's length follows from the
/// cipher's key, of which XTS has two.
/// </remarks>
internal static class QemuLuksSpecific
{
    /// <summary>Null where a field is missing or of another kind than expected.</summary>
    internal static LuksDetails? TryBuild(Dictionary<string, object?> data, List<string> notes)
    {
        var rest = new Dictionary<string, object?>(data);
        if (QemuFormatSpecific.TakeText(rest, "cipher-alg") is not { } cipher
            || QemuFormatSpecific.TakeText(rest, "cipher-mode") is not { } mode
            || QemuFormatSpecific.TakeText(rest, "ivgen-alg") is not { } ivGenerator
            || QemuFormatSpecific.TakeText(rest, "hash-alg") is not { } hash
            || QemuFormatSpecific.TakeText(rest, "uuid") is not { } uuid
            || !QemuFormatSpecific.TryTake<long?>(rest, "payload-offset", out var payloadOffset)
            || !QemuFormatSpecific.TryTake<long?>(rest, "master-key-iters", out var iterations)
            || !QemuFormatSpecific.TryTake<List<object?>>(rest, "slots", out var slots)
            || payloadOffset is null || iterations is null || slots is null
            || FindKeyBytes(cipher, mode) is not { } keyBytes
            || TryBuildSlots(slots) is not { } slotDetails)
        {
            return null;
        }

        var details = new LuksDetails
        {
            Version = 1,
            CipherAlgorithm = cipher,
            CipherMode = mode,
            IvGenerator = ivGenerator,
            IvHash = QemuFormatSpecific.TakeText(rest, "ivgen-hash-alg"),
            HashAlgorithm = hash,
            Uuid = uuid,
            MasterKeyBytes = keyBytes,
            MasterKeyIterations = iterations.Value,
            PayloadOffset = payloadOffset.Value,
            Slots = slotDetails,
        };
        QemuFormatSpecific.AddRest(notes, rest);
        return details;
    }

    private static long? FindKeyBytes(string cipher, string mode) =>
        int.TryParse(
            cipher.AsSpan(cipher.LastIndexOf('-') + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var bits)
            && bits % 8 == 0
                ? bits / 8L * (mode == "xts" ? 2 : 1)
                : null;

    private static List<LuksSlotDetails>? TryBuildSlots(List<object?> slots)
    {
        var details = new List<LuksSlotDetails>();
        foreach (var slot in slots)
        {
            if (slot is not Dictionary<string, object?> fields
                || !fields.TryGetValue("active", out var active) || active is not bool isActive
                || !fields.TryGetValue("key-offset", out var offset) || offset is not long keyOffset
                || !QemuFormatSpecific.TryTake<long?>(new(fields), "stripes", out var stripes)
                || !QemuFormatSpecific.TryTake<long?>(new(fields), "iters", out var iterations))
            {
                return null;
            }

            details.Add(new LuksSlotDetails(details.Count, isActive, keyOffset, stripes, "pbkdf2", iterations));
        }

        return details;
    }
}
