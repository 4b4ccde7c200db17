using System.Globalization;
using System.Text.Json;
using ImageUtils.Errors;
using ImageUtils.Inspection;

namespace ImageUtils.Qemu;

/// <content><c>qemu-img create</c>, <c>resize</c>, <c>check</c>, <c>compare</c> and <c>measure</c>.</content>
public sealed partial class QemuImg
{
    // Exit codes: QEMU, docs/tools/qemu-img.rst.
    private const int ImagesDiffer = 1;
    private const int CheckIncomplete = 1;
    private const int CheckFoundCorruption = 2;
    private const int CheckFoundLeaks = 3;
    private const int CheckNotSupported = 63;

    private const string MismatchStart = "Content mismatch at offset ";

    /// <summary>Makes an empty image. An existing file is left as it is, and is an error.</summary>
    /// <param name="path">The absolute path; or an existing block device.</param>
    /// <param name="format">What it is to be.</param>
    /// <param name="virtualSize">How much the guest has, in bytes.</param>
    /// <param name="formatOptions">As <see cref="QemuConvertOptions.FormatOptions"/>.</param>
    /// <param name="encryption">How it is encrypted; null: not at all.</param>
    /// <param name="options">How qemu-img is started.</param>
    /// <param name="cancellationToken">Kills qemu-img; what it made is the caller's to remove.</param>
    /// <exception cref="QemuRequestException">This is not to be asked of qemu-img.</exception>
    /// <exception cref="PassphraseException">A passphrase is missing or unusable.</exception>
    /// <exception cref="QemuImgFailedException">It ended with an error.</exception>
    public async Task CreateAsync(
        string path,
        ImageFormat format,
        long virtualSize,
        IReadOnlyDictionary<string, string>? formatOptions = null,
        LuksTarget? encryption = null,
        QemuRunOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentOutOfRangeException.ThrowIfNegative(virtualSize);
        ThrowIfNoPlace(path);
        if (System.IO.Path.Exists(path) && !QemuImageArgument.IsDevice(path))
        {
            throw ToUnusable(path, "exists. Remove it, or name another file.");
        }

        options ??= new();
        using var secrets = new SecretFiles();
        var driver = QemuTargetArgument.ToDriver(format);
        formatOptions ??= new Dictionary<string, string>();
        var target = QemuTargetArgument.ToOptions(path, format, formatOptions, encryption, secrets);
        IReadOnlyList<string> arguments =
        [
            "create", "-q", .. secrets.Arguments, "-f", driver,
            .. target.IsEmpty ? [] : new[] { "-o", target.ToString() }, path, ToText(virtualSize),
        ];
        var outcome = await RunMeasuringAsync(arguments, options, null, cancellationToken).ConfigureAwait(false);
        ThrowIfFailed(outcome, $"'qemu-img create' of '{Printable.Text(path)}'", options, null, path);
    }

    /// <summary>Changes an image's virtual size. What was known of the image is out of date afterwards.</summary>
    /// <remarks>What is added reads as zeros; in a LUKS volume as noise, for nobody encrypted it.</remarks>
    /// <param name="image">The image; with its chain where it has one.</param>
    /// <param name="virtualSize">How much the guest has then, in bytes.</param>
    /// <param name="shrink">Whether it may become smaller: the guest's data behind the new end is lost.</param>
    /// <param name="passphrase">What opens it; null where it is not encrypted.</param>
    /// <param name="options">How qemu-img is started.</param>
    /// <param name="cancellationToken">Kills qemu-img, which may leave the image damaged.</param>
    /// <exception cref="QemuRequestException">It would shrink, or is based on what was not inspected.</exception>
    /// <exception cref="PassphraseException">A passphrase is missing, wrong or unusable.</exception>
    /// <exception cref="QemuImgFailedException">It ended with an error; some formats cannot.</exception>
    public async Task ResizeAsync(
        VettedImage image,
        long virtualSize,
        bool shrink = false,
        ReadOnlyMemory<byte>? passphrase = null,
        QemuRunOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentOutOfRangeException.ThrowIfNegative(virtualSize);
        if (!shrink && image.Inspection.VirtualSize > virtualSize)
        {
            throw new QemuRequestException(
                QemuRequestProblem.Shrink,
                $"'{Printable.Text(image.Path)}' has {image.Inspection.VirtualSize} bytes, and would have "
                + $"{virtualSize}: data behind that would be lost. Shrink the file systems first, and allow it then.");
        }

        options ??= new();
        using var secrets = new SecretFiles();
        var (access, name) = GetAccess(image, passphrase, secrets);
        string[] allowed = shrink ? ["--shrink"] : [];
        var outcome = await StartAsync(
            ["resize", "-q", .. secrets.Arguments, .. access, .. allowed, name, ToText(virtualSize)],
            options, null, cancellationToken).ConfigureAwait(false);
        ThrowIfFailed(outcome, $"'qemu-img resize' of '{Printable.Text(image.Path)}'", options, image, image.Path);
    }

    /// <summary>Checks an image's metadata, and repairs nothing.</summary>
    /// <param name="image">The image; with its chain where it has one.</param>
    /// <param name="passphrase">What opens it; null where it is not encrypted.</param>
    /// <param name="options">How qemu-img is started.</param>
    /// <param name="cancellationToken">Kills qemu-img.</param>
    /// <exception cref="QemuRequestException">It is based on what was not inspected.</exception>
    /// <exception cref="PassphraseException">A passphrase is missing, wrong or unusable.</exception>
    /// <exception cref="QemuImgFailedException">It did not get as far as checking.</exception>
    /// <exception cref="QemuOutputException">What it said is not understood.</exception>
    public async Task<QemuCheckResult> CheckAsync(
        VettedImage image,
        ReadOnlyMemory<byte>? passphrase = null,
        QemuRunOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(image);
        options ??= new();
        using var secrets = new SecretFiles();
        var (access, name) = GetAccess(image, passphrase, secrets);
        var outcome = await StartAsync(
            ["check", "--output=json", .. secrets.Arguments, .. access, name], options, null, cancellationToken)
            .ConfigureAwait(false);
        if (outcome is { End: ProcessEnd.Exited, ExitCode: CheckNotSupported })
        {
            return new QemuCheckResult(QemuCheckOutcome.NotSupported, 0, 0, 0, null);
        }

        // Where it fails before it checks, it ends with 1 as well, but describes nothing.
        if (outcome.End != ProcessEnd.Exited || outcome.ExitCode is < 0 or > CheckFoundLeaks
            || outcome is { ExitCode: CheckIncomplete, Output.Length: 0 })
        {
            ThrowIfFailed(outcome, $"'qemu-img check' of '{Printable.Text(image.Path)}'", options, image, null);
        }

        using var json = ParseJson(outcome.Output, "check");
        return new QemuCheckResult(
            outcome.ExitCode switch
            {
                0 => QemuCheckOutcome.Clean,
                CheckFoundCorruption => QemuCheckOutcome.Corrupt,
                CheckFoundLeaks => QemuCheckOutcome.Leaks,
                _ => QemuCheckOutcome.Incomplete,
            },
            FindNumber(json, "corruptions") ?? 0, FindNumber(json, "leaks") ?? 0,
            FindNumber(json, "check-errors") ?? 0, FindNumber(json, "image-end-offset"));
    }

    /// <summary>Compares what a guest reads from two images.</summary>
    /// <param name="first">An image; with its chain where it has one.</param>
    /// <param name="second">Another.</param>
    /// <param name="firstPassphrase">What opens the first; null where it is not encrypted.</param>
    /// <param name="secondPassphrase">What opens the second.</param>
    /// <param name="options">How qemu-img is started; by default it may take as long as it wants.</param>
    /// <param name="progress">Is told percents, from 0 to 100, on a thread of the pool.</param>
    /// <param name="cancellationToken">Kills qemu-img.</param>
    /// <exception cref="QemuRequestException">One is based on what was not inspected.</exception>
    /// <exception cref="PassphraseException">A passphrase is missing, wrong or unusable.</exception>
    /// <exception cref="QemuImgFailedException">It ended with an error.</exception>
    public async Task<QemuComparison> CompareAsync(
        VettedImage first,
        VettedImage second,
        ReadOnlyMemory<byte>? firstPassphrase = null,
        ReadOnlyMemory<byte>? secondPassphrase = null,
        QemuRunOptions? options = null,
        IProgress<double>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        options ??= new() { Limits = ProcessLimits.None };
        using var secrets = new SecretFiles();
        string[] shown = progress is null ? [] : ["-p"];
        List<string> names;
        if (QemuImageArgument.AnyIsEncrypted(first, second))
        {
            ThrowIfUnfit(first, firstPassphrase);
            ThrowIfUnfit(second, secondPassphrase);
            string[] both =
            [
                QemuImageArgument.ToOptions(first, firstPassphrase, secrets),
                QemuImageArgument.ToOptions(second, secondPassphrase, secrets),
            ];
            names = [.. secrets.Arguments, "--image-opts", .. both];
        }
        else
        {
            ThrowIfUnfit(first, firstPassphrase);
            ThrowIfUnfit(second, secondPassphrase);
            names = ["-f", first.DriverName, "-F", second.DriverName, first.Path, second.Path];
        }

        var outcome = await StartAsync(["compare", .. shown, .. names], options, progress, cancellationToken)
            .ConfigureAwait(false);
        if (outcome is not { End: ProcessEnd.Exited, ExitCode: 0 or ImagesDiffer })
        {
            var what = $"'qemu-img compare' of '{Printable.Text(first.Path)}' and '{Printable.Text(second.Path)}'";
            ThrowIfFailed(outcome, what, options, FindUnopened(outcome, first, second), null);
        }

        var at = outcome.Output.IndexOf(MismatchStart, StringComparison.Ordinal);
        var digits = at < 0 ? "" : outcome.Output[(at + MismatchStart.Length)..].Split('!')[0];
        return new QemuComparison(
            outcome.ExitCode == 0,
            long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var offset) ? offset : null,
            outcome.Output.Contains("Image size mismatch", StringComparison.Ordinal));
    }

    /// <summary>Says how large the file of a conversion would be, without making it.</summary>
    /// <param name="source">The image; with its chain where it has one.</param>
    /// <param name="options">
    /// The conversion. The destination's path only names it in errors; compression is not foreseen.
    /// </param>
    /// <param name="cancellationToken">Kills qemu-img.</param>
    /// <exception cref="QemuImgFailedException">
    /// It ended with an error; raw, qcow2 and luks alone can be measured.
    /// </exception>
    /// <exception cref="QemuOutputException">What it said is not understood.</exception>
    /// <inheritdoc cref="ConvertAsync" path="/exception"/>
    public async Task<QemuMeasurement> MeasureAsync(
        VettedImage source, QemuConvertOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(options);
        using var secrets = new SecretFiles();
        var driver = QemuTargetArgument.ToDriver(options.DestinationFormat);
        var (access, name) = GetSource(source, options, secrets);
        var target = GetTarget(options, secrets);
        var outcome = await StartAsync(
            [
                "measure", "--output=json", .. secrets.Arguments, .. access, "-O", driver,
                .. target.IsEmpty ? [] : new[] { "-o", target.ToString() }, name,
            ],
            options, null, cancellationToken).ConfigureAwait(false);
        ThrowIfFailed(outcome, $"'qemu-img measure' of '{Printable.Text(source.Path)}'", options, source, null);
        using var json = ParseJson(outcome.Output, "measure");
        return FindNumber(json, "required") is { } required && FindNumber(json, "fully-allocated") is { } full
            ? new QemuMeasurement(required, full)
            : throw new QemuOutputException("The output of 'qemu-img measure' does not say how much is required.");
    }

    private static (IReadOnlyList<string> Arguments, string Name) GetAccess(
        VettedImage image, ReadOnlyMemory<byte>? passphrase, SecretFiles secrets)
    {
        ThrowIfUnfit(image, passphrase);
        return QemuImageArgument.AnyIsEncrypted(image)
            ? (["--image-opts"], QemuImageArgument.ToOptions(image, passphrase, secrets))
            : (["-f", image.DriverName], image.Path);
    }

    private static void ThrowIfUnfit(VettedImage image, ReadOnlyMemory<byte>? passphrase)
    {
        QemuImageArgument.ThrowIfUnvettedBelow(image);
        QemuImageArgument.ThrowIfNotNeeded(image, passphrase);
    }

    // qemu-img names the image that it could not open, by its options.
    private static VettedImage FindUnopened(ProcessOutcome outcome, VettedImage first, VettedImage second) =>
        first.Inspection.IsEncrypted
        && (!second.Inspection.IsEncrypted || outcome.Error.Contains("secret0", StringComparison.Ordinal))
            ? first
            : second;

    private static JsonDocument ParseJson(string output, string verb)
    {
        try
        {
            var json = JsonDocument.Parse(output);
            return json.RootElement.ValueKind == JsonValueKind.Object
                ? json
                : throw new QemuOutputException($"The output of 'qemu-img {verb}' is no JSON object.");
        }
        catch (JsonException exception)
        {
            throw new QemuOutputException(
                $"The output of 'qemu-img {verb}' is not JSON: {exception.Message}", exception);
        }
    }

    private static long? FindNumber(JsonDocument json, string name) =>
        json.RootElement.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number
        && value.TryGetInt64(out var number)
            ? number
            : null;
}
