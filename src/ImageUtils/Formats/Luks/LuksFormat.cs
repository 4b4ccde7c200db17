using System.Buffers.Binary;
using ImageUtils.Encryption;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Luks;

/// <summary>
/// Encrypted volumes, LUKS versions 1 and 2. At most 256 KiB are read without a passphrase; with one, the key material
/// of each slot that is tried, and what an inspection of the content reads.
/// </summary>
internal sealed class LuksFormat : IImageFormat
{
    private const int VersionEnd = 8;

    public ImageFormat Format => ImageFormat.Luks;

    public ReadOnlySpan<byte> FirstBytes => "L"u8;

    public IReadOnlyList<SafetyCheck> Checks => LuksSafetyChecks.Declared;

    public async ValueTask<bool> ProbeAsync(ForwardReader reader, CancellationToken cancellationToken)
    {
        var bytes = await reader.ReadAsync(0, LuksHeader.Magic.Length, cancellationToken).ConfigureAwait(false);
        return bytes.Span.SequenceEqual(LuksHeader.Magic);
    }

    public async ValueTask InspectAsync(InspectionContext context, CancellationToken cancellationToken)
    {
        context.Image.IsEncrypted = true;
        var start = await context.ReadWholeAsync(0, VersionEnd, "LUKS header", cancellationToken).ConfigureAwait(false);
        int version = BinaryPrimitives.ReadUInt16BigEndian(start.Span[6..]);
        context.Image.FormatVersion = version.ToString();
        context.Judge(CheckNames.Version, LuksSafetyChecks.FindUnsupportedVersion(version));
        switch (version)
        {
            case 1:
                await InspectVersion1Async(context, cancellationToken).ConfigureAwait(false);
                break;
            case 2:
                await InspectVersion2Async(context, cancellationToken).ConfigureAwait(false);
                break;
            default:
                context.Abandon(Checks.Select(check => check.Name), "The version is unknown.");
                break;
        }
    }

    private static async ValueTask InspectVersion1Async(InspectionContext context, CancellationToken cancellationToken)
    {
        var bytes = await context.ReadWholeAsync(0, LuksHeader.Length, "LUKS header", cancellationToken)
            .ConfigureAwait(false);
        var header = LuksHeader.Parse(bytes.Span);
        context.Image.Details = LuksDetails.Of(header);
        context.Skip(CheckNames.Checksum, "Version 1 has no checksum.");
        if (LuksSafetyChecks.FindImpossible(header) is { } impossible)
        {
            throw new ImageFormatException(CheckNames.Tables, impossible);
        }

        context.Pass(CheckNames.Tables);
        await InspectVolumeAsync(context, LuksVolume.Of(header), cancellationToken).ConfigureAwait(false);
    }

    private static async ValueTask InspectVersion2Async(InspectionContext context, CancellationToken cancellationToken)
    {
        var metadata = await Luks2Reader.ReadAsync(context, cancellationToken).ConfigureAwait(false);
        context.Pass(CheckNames.Tables);
        if (metadata.Segment is { } segment)
        {
            await InspectVolumeAsync(context, new LuksVolume(metadata.Slots, segment), cancellationToken)
                .ConfigureAwait(false);
            return;
        }

        const string Reason = "The LUKS2 volume does not have one encrypted segment, for example because it is being "
            + "re-encrypted: finish that first.";
        if (context.Options.Passphrase is null)
        {
            context.Skip(CheckNames.Passphrase, Reason);
        }
        else
        {
            context.Fail(CheckNames.Passphrase, Reason);
        }

        context.Skip(CheckNames.InnerSafety, Reason);
        context.Skip(CheckNames.Truncated, Reason);
    }

    private static async ValueTask InspectVolumeAsync(
        InspectionContext context, LuksVolume volume, CancellationToken cancellationToken)
    {
        if (context.Options.Passphrase is { } passphrase)
        {
            await InspectContentAsync(context, volume, passphrase, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            const string Reason = "No passphrase was given, so what is inside was not looked at.";
            context.Skip(CheckNames.Passphrase, Reason);
            context.Skip(CheckNames.InnerSafety, Reason);
        }

        var segment = volume.Segment;
        var length = await context.Reader.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        context.Image.VirtualSize = segment.Size ?? (length >= segment.Offset ? length - segment.Offset : null);
        context.Judge(CheckNames.Truncated, LuksSafetyChecks.FindCut(length, segment));
    }

    private static async ValueTask InspectContentAsync(
        InspectionContext context,
        LuksVolume volume,
        ReadOnlyMemory<byte> passphrase,
        CancellationToken cancellationToken)
    {
        var (cipher, problem) = await new LuksUnlocker(context, volume)
            .TryUnlockAsync(passphrase, cancellationToken).ConfigureAwait(false);
        context.Judge(CheckNames.Passphrase, problem);
        if (cipher is null)
        {
            context.Skip(CheckNames.InnerSafety, "The volume could not be opened.");
            return;
        }

        using (cipher)
        {
            // Over a stream the content's first bytes cannot be read again later, so they are kept.
            var content = new DecryptingSource(
                context.Reader.Source, cipher, volume.Segment.Offset, volume.Segment.FirstSector, volume.Segment.Size);
            using var cached = await HeadCache.CreateAsync(content, ForwardReader.HeadLength, cancellationToken)
                .ConfigureAwait(false);
            var inner = await InspectionRun.InspectInnerAsync(cached, context, cancellationToken).ConfigureAwait(false);
            context.Image.InnerImage = inner;
            var failed = string.Join(", ", inner.Failures.Select(check => check.Name));
            context.Judge(
                CheckNames.InnerSafety,
                failed.Length == 0
                    ? null
                    : $"The {inner.Format.ToName()} image inside the LUKS volume fails: {failed}.");
            foreach (var check in inner.Checks)
            {
                context.AddInner(check);
            }
        }
    }
}
