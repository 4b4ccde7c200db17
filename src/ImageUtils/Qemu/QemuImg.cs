using System.Collections.Concurrent;
using System.ComponentModel;
using ImageUtils.Errors;
using ImageUtils.Inspection;

namespace ImageUtils.Qemu;

/// <summary>
/// qemu-img, if it is installed. This is the only place that starts it, and it takes nothing but a
/// <see cref="VettedImage"/>.
/// </summary>
public sealed partial class QemuImg
{
    /// <summary>The environment variable that names the program.</summary>
    public const string PathVariable = "IMAGEUTILS_QEMU_IMG";

    // 128 and the signal's number, as .NET reports it.
    private const int KilledByKill = 128 + 9;
    private const int KilledByCpuLimit = 128 + 24;

    // What the C library, its loader, GLib, qemu's threads and others say when memory is refused to them.
    private static readonly string[] s_memoryMessages =
    [
        "cannot allocate memory", "failed to map segment", "failed to allocate",
        "qemu_thread_create: resource temporarily unavailable", "memory exhausted", "out of memory",
    ];

    private static readonly ConcurrentDictionary<(string Path, DateTime Written), QemuImgVersion> s_versions = new();

    private QemuImg(string path) => Path = path;

    /// <summary>The program's absolute path.</summary>
    public string Path { get; }

    /// <summary>
    /// Finds the program: where <paramref name="path"/> says, else where <see cref="PathVariable"/> says, else in the
    /// directories of PATH, and on Windows where its installer puts it.
    /// </summary>
    /// <exception cref="QemuImgNotFoundException">It is not there.</exception>
    public static QemuImg Find(string? path = null)
    {
        var named = string.IsNullOrEmpty(path) ? Environment.GetEnvironmentVariable(PathVariable) : path;
        if (!string.IsNullOrEmpty(named))
        {
            var full = System.IO.Path.GetFullPath(named);
            return LimitedProcess.IsExecutable(full)
                ? new QemuImg(full)
                : throw new QemuImgNotFoundException(
                    $"'{Printable.Text(full)}', which "
                    + $"{(string.IsNullOrEmpty(path) ? $"the environment variable {PathVariable}" : "the caller")} "
                    + "names as qemu-img, is missing or is no program.");
        }

        if (!OperatingSystem.IsWindows())
        {
            return LimitedProcess.FindInPath("qemu-img") is { } found
                ? new QemuImg(found)
                : throw new QemuImgNotFoundException("qemu-img is in no directory of PATH.");
        }

        var installed = System.IO.Path.Combine(
            Environment.GetFolderPath(Environment.SpecialFolder.ProgramFiles), "qemu", "qemu-img.exe");
        return LimitedProcess.FindInPath("qemu-img.exe") is { } onPath
            ? new QemuImg(onPath)
            : LimitedProcess.IsExecutable(installed)
                ? new QemuImg(installed)
                : throw new QemuImgNotFoundException(
                    $"qemu-img.exe is in no directory of PATH, and not at {installed}.");
    }

    /// <summary>Asks for the version. The answer is kept until the program file changes.</summary>
    /// <exception cref="QemuOutputException">The program is something else.</exception>
    /// <exception cref="QemuImgFailedException">It failed.</exception>
    public async Task<QemuImgVersion> GetVersionAsync(CancellationToken cancellationToken = default)
    {
        var file = new FileInfo(Path);
        var key = (Path, (file.ResolveLinkTarget(returnFinalTarget: true) ?? file).LastWriteTimeUtc);
        if (s_versions.TryGetValue(key, out var known))
        {
            return known;
        }

        var output = await RunAsync(["--version"], "qemu-img --version", ProcessLimits.Default, cancellationToken)
            .ConfigureAwait(false);
        return s_versions.GetOrAdd(key, QemuImgVersion.Parse(output, Path));
    }

    /// <summary>Runs <c>qemu-img info</c> on an image that the native inspector has passed.</summary>
    /// <returns>
    /// What qemu-img says. <see cref="QemuImageInfo.Format"/> is the inspector's: qemu-img calls optical discs and
    /// partitioned disks raw.
    /// </returns>
    /// <exception cref="QemuImgLimitExceededException">It took more than it may.</exception>
    /// <exception cref="QemuImgTimedOutException">It took longer than it may.</exception>
    /// <exception cref="QemuImgFailedException">It ended with an error.</exception>
    /// <exception cref="QemuOutputException">It ended well, but what it said is not understood.</exception>
    public async Task<QemuImageInfo> InfoAsync(
        VettedImage image, QemuInfoOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(image);
        options ??= QemuInfoOptions.Default;
        if (options.BackingChain && image.BackingChain is null)
        {
            throw new ArgumentException(
                "The images below were not inspected: use VettedImage.VetChainAsync.", nameof(image));
        }

        var output = await RunAsync(
            GetInfoArguments(image, options), $"'qemu-img info' of '{Printable.Text(image.Path)}'",
            options.Limits, cancellationToken).ConfigureAwait(false);
        var infos = QemuInfoJsonParser.Parse(output);
        VettedImage[] images = options.BackingChain ? [image, .. image.BackingChain!] : [image];
        if (infos.Count != images.Length
            || infos.Zip(images).Any(pair => pair.First.FormatName != pair.Second.DriverName))
        {
            throw new QemuOutputException(
                $"'qemu-img info' should describe {string.Join(", ", images.Select(each => each.DriverName))}, but "
                + $"describes {string.Join(", ", infos.Select(info => Printable.Text(info.FormatName)))}. "
                + "Did the file change meanwhile?");
        }

        var described = infos.Zip(
            images, (info, vetted) => info with { Format = vetted.Format, Engine = InfoEngine.Qemu }).ToList();
        return described[0] with { BackingChain = described[1..] };
    }

    // An absolute path begins with a slash (or a drive): neither an option nor a protocol such as json: or nbd:.
    internal static IReadOnlyList<string> GetInfoArguments(VettedImage image, QemuInfoOptions options) =>
    [
        "info", "--output=json", "-f", image.DriverName,
        .. options.ForceShare ? ["-U"] : Array.Empty<string>(),
        .. options.BackingChain ? ["--backing-chain"] : Array.Empty<string>(),
        image.Path,
    ];

    private async Task<string> RunAsync(
        IReadOnlyList<string> arguments, string what, ProcessLimits limits, CancellationToken cancellationToken)
    {
        var options = new QemuRunOptions { Limits = limits };
        var outcome = await StartAsync(arguments, options, null, cancellationToken).ConfigureAwait(false);
        return outcome is { End: ProcessEnd.Exited, ExitCode: 0 }
            ? outcome.Output
            : throw ToError(outcome, what, limits);
    }

    private async Task<ProcessOutcome> StartAsync(
        IReadOnlyList<string> arguments,
        QemuRunOptions options,
        IProgress<double>? progress,
        CancellationToken cancellationToken)
    {
        // The system would end the argument there, and qemu-img would get another one.
        if (arguments.FirstOrDefault(one => one.Contains('\0', StringComparison.Ordinal)) is { } cut)
        {
            throw new QemuRequestException(
                QemuRequestProblem.Option, $"'{Printable.Text(cut)}' has a NUL character, and cannot be an argument.");
        }

        var placement = new ProcessPlacement(options.ElevationCommand, options.CgroupPath);
        Action<ReadOnlySpan<byte>>? outputSeen = progress is null ? null : new QemuProgress(progress).Read;
        try
        {
            var outcome = await LimitedProcess
                .RunAsync(Path, arguments, options.Limits, cancellationToken, placement, outputSeen)
                .ConfigureAwait(false);
            return options.CgroupPath is not null
                && outcome is { End: ProcessEnd.Exited, ExitCode: ProcessPlacement.JoinFailed }
                ? throw placement.ToJoinError(outcome.Error)
                : outcome;
        }
        catch (Win32Exception exception)
        {
            throw new QemuImgFailedException(
                $"'{Path}' cannot be started: {exception.Message}. Is it qemu-img, built for this machine?",
                null, "", exception);
        }
    }

    private static QemuImgFailedException ToError(ProcessOutcome outcome, string what, ProcessLimits limits)
    {
        var error = outcome.Error.Trim();
        var said = error.Length == 0
            ? "It said nothing."
            : $"It said: {Printable.Text(error.ReplaceLineEndings(" "))}";
        int? exitCode = outcome.End == ProcessEnd.Exited ? outcome.ExitCode : null;
        return outcome switch
        {
            { End: ProcessEnd.TimedOut } => new QemuImgTimedOutException(
                $"{what} was killed after {limits.WallTime!.Value.TotalSeconds:0.###} seconds. {said} If the storage "
                + "is slow, allow more time; otherwise the image may be made to keep it busy.", error),
            { End: ProcessEnd.OutputTooLong } => new QemuImgLimitExceededException(
                $"{what} was killed because it printed more than {limits.OutputLength} bytes. {said}", exitCode, error),
            { ExitCode: KilledByCpuLimit } => new QemuImgLimitExceededException(
                $"{what} took more than {limits.CpuTime?.TotalSeconds:0.###} seconds of processor time, and was ended. "
                + $"{said} The image may be made to keep it busy.", exitCode, error),
            { ExitCode: KilledByKill } => new QemuImgLimitExceededException(
                $"{what} was killed from elsewhere, most likely because memory or processor time ran out. {said}",
                exitCode, error),
            _ when limits.AddressSpace is { } most && s_memoryMessages.Any(
                message => error.Contains(message, StringComparison.OrdinalIgnoreCase)) =>
                new QemuImgLimitExceededException(
                    $"{what} wanted more memory than the {most} bytes that it may have. {said}", exitCode, error),
            { ExitCode: > 128 and < 128 + 65 } => new QemuImgFailedException(
                $"{what} crashed (signal {outcome.ExitCode - 128}). {said} The image may be made to do that.",
                exitCode, error),
            _ => new QemuImgFailedException($"{what} ended with exit code {exitCode}. {said}", exitCode, error),
        };
    }
}
