using ImageUtils.Errors;
using ImageUtils.Formats;
using ImageUtils.Formats.Wrappers;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;
using ImageUtils.Qemu;
using ImageUtils.Safety;

namespace ImageUtils.Conversion;

/// <summary>
/// Opens images for reading: inspected, required to be safe and to be what they are claimed to be, and everything they
/// are based on the same way, through the policy's gates.
/// </summary>
public static class ImageOpener
{
    /// <summary>The longest chain of parents or backing files that is followed.</summary>
    public const int MaximumChainLength = VettedImage.MaximumChainLength;

    // A VMDK of 2 TiB in pieces of 2 GiB has 1,024.
    private const int MaximumDataFiles = 4096;

    /// <summary>Opens an image.</summary>
    /// <param name="path">A file or block device.</param>
    /// <param name="options">What is allowed and claimed.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="ImageFileException">It cannot be read.</exception>
    /// <exception cref="ImageUnsafeException">It, or something that it is based on, failed a check.</exception>
    /// <exception cref="ImageFormatMismatchException">It is not what it is claimed to be.</exception>
    /// <exception cref="UnsupportedImageException">It is not read natively.</exception>
    /// <exception cref="ImageFormatException">A table is malformed.</exception>
    public static async ValueTask<OpenedImage> OpenAsync(
        string path, OpenOptions? options = null, CancellationToken cancellationToken = default)
    {
        var opening = new Opening(options ?? OpenOptions.Default);
        try
        {
            var full = path.Contains('\0', StringComparison.Ordinal) ? path : Path.GetFullPath(path);
            var (file, inspection, map) = await opening.OpenTopAsync(full, cancellationToken).ConfigureAwait(false);
            return new OpenedImage(
                full, file, inspection, map, [.. opening.BasedOn.Skip(1)], opening.Depths, opening.Opened)
            {
                UnpackedBytes = opening.UnpackedBytes,
            };
        }
        catch
        {
            opening.Dispose();
            throw;
        }
    }

    /// <summary>Inspects an image as <see cref="OpenAsync"/> does, and throws as it does.</summary>
    internal static async ValueTask<ImageInspection> VetAsync(
        FileByteSource file, OpenOptions options, CancellationToken cancellationToken)
    {
        var inspection = await ImageInspector
            .InspectFileAsync(file, options.Inspection, options.KnownRaw, cancellationToken).ConfigureAwait(false);

        var failures = inspection.Failures.Where(failure => !IsResolvedByReading(failure, inspection.Format)).ToList();
        if (failures.Count > 0)
        {
            throw new ImageUnsafeException(file.Path, failures);
        }

        return options.ClaimedFormat == ImageFormat.Unknown || options.ClaimedFormat.Accepts(inspection.Format)
            ? inspection
            : throw new ImageFormatMismatchException(file.Path, options.ClaimedFormat, inspection.Format);
    }

    /// <summary>
    /// Whether a check failed for something that the native readers set right, though others may not: a VHDX's log is
    /// replayed in memory, and where a change of a VHD's size or parent was cut off the footer's copy is what counts.
    /// </summary>
    internal static bool IsResolvedByReading(SafetyCheckResult failure, ImageFormat format) =>
        (failure.Name == CheckNames.LogPending && format == ImageFormat.Vhdx)
        || (failure.Name == CheckNames.ChangePending && format == ImageFormat.Vhd);

    /// <summary>The reader of what was found; partitioned disks and optical discs are raw.</summary>
    internal static IReadableFormat? FindReader(ImageFormat format) =>
        (format.ToQemuName() == "raw"
            ? FormatRegistry.Raw
            : FormatRegistry.All.FirstOrDefault(one => one.Format == format)) as IReadableFormat;

    private sealed class Opening(OpenOptions options) : IDisposable
    {
        private readonly List<string> _basedOn = [];

        internal List<IDisposable> Opened { get; } = [];

        internal long UnpackedBytes { get; private set; }

        internal IReadOnlyList<string> BasedOn => _basedOn;

        internal Dictionary<IByteSource, int> Depths { get; } = new(ReferenceEqualityComparer.Instance);

        public void Dispose()
        {
            foreach (var one in Opened)
            {
                one.Dispose();
            }
        }

        internal async ValueTask<(FileByteSource File, ImageInspection Inspection, ImageMap Map)> OpenTopAsync(
            string path, CancellationToken cancellationToken)
        {
            var file = Open(path, 0);
            var wrapper = await FindWrapperAsync(file, cancellationToken).ConfigureAwait(false);
            var image = wrapper == ImageFormat.Unknown
                ? file
                : await UnpackAsync(file, wrapper, cancellationToken).ConfigureAwait(false);
            var inspection = await VetAsync(image, options, cancellationToken).ConfigureAwait(false);
            var map = await OpenMapAsync(image, inspection, options.Snapshot, cancellationToken).ConfigureAwait(false);
            ThrowIfTooLarge(image, map);
            return (image, inspection, map);
        }

        // A snapshot's disk, or one whose size is in a log, is not the one that the inspector saw.
        private void ThrowIfTooLarge(FileByteSource file, ImageMap map)
        {
            var policy = options.Inspection.Policy;
            if (!policy.NonFatalChecks.Contains(CheckNames.Expansion, StringComparer.OrdinalIgnoreCase)
                && PolicyChecks.FindExpansion(policy, map.VirtualSize, file.Length) is { } problem)
            {
                throw Unsafe(file.Path, CheckNames.Expansion, problem);
            }
        }

        private async ValueTask<ImageFormat> FindWrapperAsync(
            FileByteSource file, CancellationToken cancellationToken)
        {
            // Whoever says that it is raw, or is a wrapper, means the file as it is.
            if (options.KnownRaw || file.Length == 0 || WrappedImage.CanUnpack(options.ClaimedFormat))
            {
                return ImageFormat.Unknown;
            }

            var outer = await ImageInspector.InspectFileAsync(file, options.Inspection, false, cancellationToken)
                .ConfigureAwait(false);

            // How large the disk is, is seen once it is unpacked, and held against the limits then.
            return WrappedImage.CanUnpack(outer.Format)
                && outer.Failures.All(failure => failure.Name == CheckNames.Expansion)
                    ? outer.Format
                    : ImageFormat.Unknown;
        }

        private async ValueTask<FileByteSource> UnpackAsync(
            FileByteSource file, ImageFormat wrapper, CancellationToken cancellationToken)
        {
            var temporary = UnnamedFile.Create(options.TemporaryDirectory ?? Path.GetTempPath());
            Opened.Add(temporary);
            UnpackedBytes = await WrappedImage.UnpackAsync(
                file, wrapper, temporary.Sink, options.MaximumUnpackedSize, cancellationToken).ConfigureAwait(false);
            return Open(temporary.ReadablePath, 0);
        }

        internal async ValueTask<OpenedParent?> TryOpenParentAsync(
            string path,
            ImageFormat statedFormat,
            int depth,
            Func<ImageInspection, bool> isParent,
            CancellationToken cancellationToken)
        {
            using (var file = FileByteSource.Open(path))
            {
                if (!isParent(await VetParentAsync(file, statedFormat, cancellationToken).ConfigureAwait(false)))
                {
                    return null;
                }
            }

            return await OpenParentAsync(path, statedFormat, depth, cancellationToken).ConfigureAwait(false);
        }

        internal async ValueTask<OpenedParent> OpenParentAsync(
            string path, ImageFormat statedFormat, int depth, CancellationToken cancellationToken)
        {
            var file = Enter(path, MaximumChainLength, depth);
            var inspection = await VetParentAsync(file, statedFormat, cancellationToken).ConfigureAwait(false);
            var map = await OpenMapAsync(
                file, inspection, null, cancellationToken, isGuessed: statedFormat == ImageFormat.Unknown)
                .ConfigureAwait(false);
            return new OpenedParent(map, inspection, path);
        }

        private ValueTask<ImageInspection> VetParentAsync(
            FileByteSource file, ImageFormat statedFormat, CancellationToken cancellationToken) =>
            VetAsync(
                file,
                options with
                {
                    ClaimedFormat = statedFormat,
                    KnownRaw = statedFormat == ImageFormat.Raw,

                    // What is below is not the volume that the passphrase opens.
                    Inspection = options.Inspection with { Passphrase = null },
                },
                cancellationToken);

        internal FileByteSource OpenDataFile(string path, int depth) => Enter(path, MaximumDataFiles, depth);

        private FileByteSource Open(string path, int depth)
        {
            var file = FileByteSource.Open(path);
            Opened.Add(file);
            Depths.Add(file, depth);
            return file;
        }

        private FileByteSource Enter(string path, int most, int depth)
        {
            if (_basedOn.Contains(path))
            {
                throw Unsafe(path, CheckNames.BackingFile, "It is in the chain of images already, which has no end.");
            }

            if (_basedOn.Count >= most)
            {
                throw Unsafe(path, CheckNames.BackingFile, $"The image is made of more than {most} files.");
            }

            // One that is missing is none of the files that the image is made of: another name may lead to it.
            var file = Open(path, depth);
            _basedOn.Add(path);
            return file;
        }

        private ValueTask<ImageMap> OpenMapAsync(
            FileByteSource file,
            ImageInspection inspection,
            string? snapshot,
            CancellationToken cancellationToken,
            bool isGuessed = false)
        {
            if (_basedOn.Count == 0)
            {
                _basedOn.Add(DirectoryGate.Resolve(file.Path));
            }

            var reader = FindReader(inspection.Format) ?? throw new UnsupportedImageException(
                $"{inspection.Format.ToName()} images are not read natively"
                + (inspection.Format.ToQemuName() is null ? "." : "; -Engine Qemu reads them through qemu-img."));
            if (snapshot is not null && inspection.Format != ImageFormat.Qcow2)
            {
                throw new ImageOptionException(
                    "Snapshot", $"A {inspection.Format.ToName()} image has no internal snapshots.");
            }

            return reader.OpenAsync(
                file, new Context(this, file, isGuessed) { Inspection = inspection, Snapshot = snapshot },
                cancellationToken);
        }

        private static ImageUnsafeException Unsafe(string path, string check, string message) =>
            new(path, [new SafetyCheckResult(check, CheckVerdict.Failed, message)]);

        private sealed class Context(Opening opening, FileByteSource file, bool isGuessed) : ReaderContext
        {
            private SafetyPolicy Policy => opening.Options.Inspection.Policy;

            private int Depth => opening.Depths[file];

            public override ValueTask<OpenedParent> OpenParentAsync(
                string reference, ImageFormat statedFormat, CancellationToken cancellationToken) =>
                opening.OpenParentAsync(
                    Pass(Policy.BackingFileGate, reference, CheckNames.BackingFile), statedFormat, Depth + 1,
                    cancellationToken);

            internal override ValueTask<OpenedParent?> TryOpenParentAsync(
                string reference,
                ImageFormat statedFormat,
                Func<ImageInspection, bool> isParent,
                CancellationToken cancellationToken) =>
                opening.TryOpenParentAsync(
                    Pass(Policy.BackingFileGate, reference, CheckNames.BackingFile), statedFormat, Depth + 1, isParent,
                    cancellationToken);

            public override ValueTask<IByteSource> OpenDataFileAsync(
                string reference, CancellationToken cancellationToken) =>
                ValueTask.FromResult<IByteSource>(
                    opening.OpenDataFile(Pass(Policy.DataFileGate, reference, CheckNames.DataFile), Depth));

            private string Pass(IReferenceGate gate, string reference, string check)
            {
                // A guest can write a header into a raw disk that has it taken for an image over somebody else's disk.
                if (isGuessed)
                {
                    throw Unsafe(
                        file.Path, check,
                        $"It names '{Printable.Text(reference)}', but the image above it does not say that it is "
                        + $"{Inspection.Format.ToName()}, and a raw disk can be made to look so. If it is, write that down "
                        + "with 'qemu-img rebase -u -b FILE -F FORMAT IMAGE'.");
                }

                var decision = gate.Decide(reference, file.Path);
                return decision.Path ?? throw Unsafe(
                    file.Path, check, $"'{Printable.Text(reference)}', which it names, is not allowed: {decision.Reason}.");
            }
        }

        private OpenOptions Options => options;
    }
}
