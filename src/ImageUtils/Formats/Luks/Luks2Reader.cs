using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Luks;

/// <summary>
/// Reads both copies of the metadata of a LUKS volume, version 2, describes it and judges its checksums.
/// </summary>
internal static class Luks2Reader
{
    // What is read of one copy. cryptsetup writes 16 KiB unless it is told otherwise.
    private const int MaximumCopyRead = 64 * 1024;

    /// <exception cref="ImageFormatException">The metadata is malformed, or not there whole.</exception>
    internal static async ValueTask<Luks2Metadata> ReadAsync(
        InspectionContext context, CancellationToken cancellationToken)
    {
        var bytes = await context.ReadWholeAsync(0, Luks2Header.Length, "LUKS2 header", cancellationToken)
            .ConfigureAwait(false);
        var header = Luks2Header.Parse(bytes.Span);
        if (LuksSafetyChecks.FindImpossible(header) is { } impossible)
        {
            throw new ImageFormatException(CheckNames.Tables, impossible);
        }

        var length = (int)Math.Min(header.HeaderSize, MaximumCopyRead);
        var primary = await context.ReadWholeAsync(0, length, "LUKS2 metadata", cancellationToken)
            .ConfigureAwait(false);
        if (header.HeaderSize > MaximumCopyRead)
        {
            context.Skip(
                CheckNames.Checksum, $"A copy of the metadata has {header.HeaderSize} bytes, more than is read of it.");
        }
        else
        {
            await JudgeChecksumsAsync(context, header, primary, cancellationToken).ConfigureAwait(false);
        }

        var json = primary[Luks2Header.Length..];
        var end = json.Span.IndexOf((byte)0);
        if (end < 0)
        {
            throw new ImageFormatException(
                CheckNames.Tables,
                $"The LUKS2 metadata at byte {Luks2Header.Length} does not end within {json.Length} bytes.");
        }

        var metadata = Luks2Metadata.Parse(json[..end]);
        context.Image.Details = Describe(header, metadata);
        return LuksSafetyChecks.FindImpossible(metadata, (long)header.HeaderSize) is { } misplaced
            ? throw new ImageFormatException(CheckNames.Tables, misplaced)
            : metadata;
    }

    private static async ValueTask JudgeChecksumsAsync(
        InspectionContext context,
        Luks2Header header,
        ReadOnlyMemory<byte> primary,
        CancellationToken cancellationToken)
    {
        if (Luks2Header.FindBadChecksum(primary.Span, header.ChecksumAlgorithm) is { } problem)
        {
            context.Fail(CheckNames.Checksum, $"The LUKS2 header {problem}.");
            return;
        }

        var copy = await context.ReadWholeAsync(
            primary.Length, primary.Length, "second copy of the LUKS2 metadata", cancellationToken)
            .ConfigureAwait(false);
        var second = Luks2Header.Parse(copy.Span);
        var where = $"The second LUKS2 header at byte {primary.Length}";
        if (!second.IsSecondary)
        {
            context.Fail(CheckNames.Checksum, $"{where} is not there. Repair it with cryptsetup repair.");
        }
        else if (Luks2Header.FindBadChecksum(copy.Span, second.ChecksumAlgorithm) is { } difference)
        {
            context.Fail(CheckNames.Checksum, $"{where} {difference}.");
        }
        else
        {
            context.Judge(
                CheckNames.Checksum,
                second.SequenceId == header.SequenceId && second.HeaderSize == header.HeaderSize
                    && copy.Span[Luks2Header.Length..].SequenceEqual(primary.Span[Luks2Header.Length..])
                        ? null
                        : $"{where} is not a copy of the first: readers would see different volumes.");
        }
    }

    private static LuksDetails Describe(Luks2Header header, Luks2Metadata metadata)
    {
        var cipher = metadata.Segment?.Cipher ?? default;
        var keyLength = metadata.Slots.Count > 0 ? metadata.Slots[0].KeyLength : 0;
        return new LuksDetails
        {
            Version = header.Version,
            CipherAlgorithm = metadata.Segment is null ? "" : LuksDetails.NameCipher(cipher, keyLength),
            CipherMode = cipher.Mode ?? "",
            IvGenerator = cipher.Iv ?? "",
            IvHash = cipher.IvHash,
            HashAlgorithm = metadata.Digest?.Hash ?? "",
            Uuid = header.Uuid,
            MasterKeyBytes = keyLength,
            MasterKeyIterations = metadata.Digest?.Iterations ?? 0,
            PayloadOffset = metadata.Segment?.Offset ?? 0,
            SectorSize = metadata.Segment?.SectorSize ?? 0,
            Label = header.Label,
            Slots =
            [
                .. metadata.Slots.Select((slot, index) => new LuksSlotDetails(
                    int.TryParse(slot.Name, out var number) ? number : index,
                    IsActive: true,
                    slot.Offset,
                    slot.Stripes,
                    slot.Kdf.Type,
                    slot.Kdf.Iterations)),
            ],
        };
    }
}
