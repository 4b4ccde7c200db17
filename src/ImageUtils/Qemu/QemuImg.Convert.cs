using System.Globalization;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;

namespace ImageUtils.Qemu;

/// <content><c>qemu-img convert</c>.</content>
public sealed partial class QemuImg
{
    // qemu measures how long a key derivation takes, and on a busy machine sometimes in vain, before anything is
    // written (crypto/pbkdf.c). Asked again, it mostly succeeds.
    private const string VainMeasurement = "Unable to get accurate CPU usage";
    private const int MostMeasurements = 6;

    private const int MostListedSnapshots = 20;

    private const string WrongPassphrase = "Invalid password, cannot unlock any keyslot";

    /// <summary>Converts an image that the native inspector has passed, and flushes what was written.</summary>
    /// <remarks>
    /// What was half written when this fails or is cancelled is the caller's to remove, once this has returned: then no
    /// process is left that writes it, and no file with a passphrase. What is in an encrypted volume was looked at only
    /// if the source was inspected with its passphrase: inspect the output.
    /// </remarks>
    /// <param name="source">
    /// The image; from <see cref="VettedImage.VetChainAsync"/> where it has backing files. They are merged into the
    /// destination.
    /// </param>
    /// <param name="options">How.</param>
    /// <param name="progress">Is told percents, from 0 to 100, on a thread of the pool.</param>
    /// <param name="cancellationToken">Kills qemu-img with all that it started, and waits for that.</param>
    /// <exception cref="DecryptionNotAllowedException">It is encrypted, and the destination would not be.</exception>
    /// <exception cref="PassphraseException">A passphrase is missing, wrong or unusable.</exception>
    /// <exception cref="QemuRequestException">This is not to be asked of qemu-img.</exception>
    /// <exception cref="CgroupException">It cannot be put under the control group.</exception>
    /// <exception cref="QemuImgNoSpaceException">The destination's file system is full.</exception>
    /// <exception cref="QemuImgLimitExceededException">It took more than it may.</exception>
    /// <exception cref="QemuImgTimedOutException">It took longer than it may.</exception>
    /// <exception cref="QemuImgFailedException">It ended with an error.</exception>
    public async Task ConvertAsync(
        VettedImage source,
        QemuConvertOptions options,
        IProgress<double>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(options);
        ThrowIfUnusableDestination(source, options);
        using var secrets = new SecretFiles();
        var arguments = GetConvertArguments(source, options, progress is not null, secrets);
        var what = $"'qemu-img convert' of '{Printable.Text(source.Path)}' to "
            + $"'{Printable.Text(options.DestinationPath)}'";
        var outcome = await RunMeasuringAsync(arguments, options, progress, cancellationToken).ConfigureAwait(false);
        ThrowIfFailed(outcome, what, options, source, options.DestinationPath);
    }

    internal static List<string> GetConvertArguments(
        VettedImage source, QemuConvertOptions options, bool withProgress, SecretFiles secrets)
    {
        var driver = QemuTargetArgument.ToDriver(options.DestinationFormat);
        var isDevice = QemuImageArgument.IsDevice(options.DestinationPath);
        var (sourceArguments, sourceName) = GetSource(source, options, secrets);
        var target = GetTarget(options, secrets);
        var cache = options.DestinationCache
            ?? (isDevice && Posix.CanOpenDirectly(options.DestinationPath)
                ? QemuCacheMode.None
                : QemuCacheMode.Writeback);
        List<string> arguments =
        [
            "convert", .. secrets.Arguments, .. sourceArguments, "-O", driver, "-t", ToArgument(cache),
            .. target.IsEmpty ? [] : new[] { "-o", target.ToString() },
        ];
        AddIf(withProgress, "-p");
        AddIf(options.Compress, "-c");
        AddIf(options.OutOfOrder, "-W");

        // A raw device is opened, not made: should it have gone meanwhile, no file takes its place. It may be too
        // small, which qemu-img then says before it writes.
        AddIf(isDevice && driver == "raw", "-n");
        AddIf(options.FullyAllocated, "-S", "0");
        AddIf(options.SourceCache is not null, "-T", ToArgument(options.SourceCache.GetValueOrDefault()));
        AddIf(options.BandwidthLimit is not null, "-r", ToText(options.BandwidthLimit));
        AddIf(options.Coroutines is not null, "-m", ToText(options.Coroutines));
        arguments.AddRange([sourceName, options.DestinationPath]);
        return arguments;

        void AddIf(bool isWanted, params string[] what) => arguments.AddRange(isWanted ? what : []);
    }

    // What comes before the names, and the source's name itself.
    private static (List<string> Arguments, string Name) GetSource(
        VettedImage source, QemuConvertOptions options, SecretFiles secrets)
    {
        QemuImageArgument.ThrowIfUnvettedBelow(source);
        QemuImageArgument.ThrowIfNotNeeded(source, options.SourcePassphrase);
        var arguments = new List<string>();
        string name;
        if (QemuImageArgument.AnyIsEncrypted(source))
        {
            if (options.Encryption is null && !options.AllowDecrypt)
            {
                throw new DecryptionNotAllowedException(source.Path);
            }

            name = QemuImageArgument.ToOptions(source, options.SourcePassphrase, secrets);
            arguments.Add("--image-opts");
        }
        else
        {
            name = source.Path;
            arguments.AddRange(["-f", source.DriverName]);
        }

        if (FindSnapshot(source, options) is { } snapshot)
        {
            var one = new QemuOptionList().Add("snapshot.id", snapshot.Id).Add("snapshot.name", snapshot.Name);
            arguments.AddRange(["-l", one.ToString()]);
        }

        return (arguments, name);
    }

    private static QemuOptionList GetTarget(QemuConvertOptions options, SecretFiles secrets)
    {
        if (options is { Compress: true, Encryption: not null })
        {
            throw new QemuRequestException(
                QemuRequestProblem.Option, "qemu cannot compress and encrypt at once. Leave out one of the two.");
        }

        return QemuTargetArgument.ToOptions(
            options.DestinationPath, options.DestinationFormat, options.FormatOptions, options.Encryption, secrets);
    }

    private static ImageSnapshot? FindSnapshot(VettedImage source, QemuConvertOptions options)
    {
        var (name, id) = (options.SnapshotName, options.SnapshotId);
        if (name is null && id is null)
        {
            return null;
        }

        var snapshots = source.Inspection.Snapshots;
        if (snapshots.FirstOrDefault(one => (name ?? one.Name) == one.Name && (id ?? one.Id) == one.Id) is { } found)
        {
            return found;
        }

        string?[] wanted =
        [
            name is null ? null : $"the name '{Printable.Text(name)}'",
            id is null ? null : $"the id '{Printable.Text(id)}'",
        ];
        var present = snapshots.Take(MostListedSnapshots)
            .Select(one => $"{Printable.Text(one.Id)} '{Printable.Text(one.Name)}'").DefaultIfEmpty("none");
        throw new QemuRequestException(
            QemuRequestProblem.Snapshot,
            $"'{Printable.Text(source.Path)}' has no snapshot with {string.Join(" and ", wanted.OfType<string>())}. "
            + $"It has: {string.Join(", ", present)}.");
    }

    private static void ThrowIfUnusableDestination(VettedImage source, QemuConvertOptions options)
    {
        var path = options.DestinationPath;
        ThrowIfNoPlace(path);
        if (!OperatingSystem.IsLinux() || Posix.FindIdentity(path) is not { } identity)
        {
            return;
        }

        if (source.BackingChain is { } chain && chain.Append(source).Any(IsDestination) || IsDestination(source))
        {
            throw ToUnusable(path, "is the source, or one that the source is based on. Name another file.");
        }

        if (identity.Type is not (Posix.FileType.Regular or Posix.FileType.BlockDevice))
        {
            throw ToUnusable(path, "is neither a regular file nor a block device.");
        }

        if (identity.Type == Posix.FileType.BlockDevice
            && QemuTargetArgument.ToDriver(options.DestinationFormat) is not ("raw" or "luks" or "qcow2"))
        {
            throw ToUnusable(
                path, $"is a block device, on which a {options.DestinationFormat.ToName()} would not know where it "
                + "ends. A device can be raw, luks or qcow2.");
        }

        bool IsDestination(VettedImage image) => Posix.FindIdentity(image.Path) == identity;
    }

    // Nothing is ever made under /dev: what is not there now is a device that has gone.
    private static void ThrowIfNoPlace(string path)
    {
        if (!System.IO.Path.IsPathFullyQualified(path) || System.IO.Path.EndsInDirectorySeparator(path))
        {
            throw ToUnusable(path, "is not the absolute path of a file.");
        }

        var full = System.IO.Path.GetFullPath(path);
        if (!OperatingSystem.IsWindows() && full.StartsWith("/dev/", StringComparison.Ordinal)
            && !full.StartsWith("/dev/shm/", StringComparison.Ordinal) && !File.Exists(full))
        {
            throw ToUnusable(path, "is a device that is not there, and no file is made in its place. Is it attached?");
        }
    }

    private static QemuRequestException ToUnusable(string path, string why) =>
        new(QemuRequestProblem.Destination, $"The destination '{Printable.Text(path)}' {why}");

    private async Task<ProcessOutcome> RunMeasuringAsync(
        IReadOnlyList<string> arguments,
        QemuRunOptions options,
        IProgress<double>? progress,
        CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            var outcome = await StartAsync(arguments, options, progress, cancellationToken).ConfigureAwait(false);
            if (attempt == MostMeasurements || outcome is { End: ProcessEnd.Exited, ExitCode: 0 }
                || !outcome.Error.Contains(VainMeasurement, StringComparison.Ordinal))
            {
                return outcome;
            }
        }
    }

    /// <exception cref="PassphraseException">qemu-img said that a passphrase opens nothing.</exception>
    /// <exception cref="QemuImgFailedException">It ended with another error.</exception>
    private static void ThrowIfFailed(
        ProcessOutcome outcome, string what, QemuRunOptions options, VettedImage? source, string? destination)
    {
        if (outcome is { End: ProcessEnd.Exited, ExitCode: 0 })
        {
            return;
        }

        if (source is not null && outcome.Error.Contains(WrongPassphrase, StringComparison.Ordinal))
        {
            throw new PassphraseException(
                PassphraseProblem.Wrong, source.Path,
                $"The passphrase opens no key slot of '{Printable.Text(source.Path)}'. Check it, its case, and whether "
                + "it ends with a line break.");
        }

        if (destination is not null && outcome is { End: ProcessEnd.Exited }
            && outcome.Error.Contains("No space left on device", StringComparison.Ordinal))
        {
            throw new QemuImgNoSpaceException(
                $"{what} ran out of space: the file system of '{Printable.Text(destination)}' is full. Make space "
                + "there, or choose another one; what was written so far is no image.",
                outcome.ExitCode, outcome.Error.Trim());
        }

        throw ToError(outcome, what, options.Limits);
    }

    private static string ToArgument(QemuCacheMode mode) => mode.ToString().ToLowerInvariant();

    private static string ToText(long? number) => number?.ToString(CultureInfo.InvariantCulture) ?? "";
}
