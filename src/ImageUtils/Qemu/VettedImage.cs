using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.Safety;

namespace ImageUtils.Qemu;

/// <summary>
/// Proof that the native inspector has passed an image: qemu-img is started for nothing else. It pins the absolute
/// path and the driver, so that qemu neither looks for a protocol in the name nor guesses the format.
/// </summary>
/// <remarks>
/// It says what the file was when it was inspected. Where somebody else may replace or write the file meanwhile, the
/// proof is worth nothing; keep images that are being judged in a directory of your own.
/// </remarks>
public sealed class VettedImage
{
    /// <summary>The longest chain of backing files that is followed.</summary>
    public const int MaximumChainLength = 200;

    private VettedImage(string path, string driver, ImageInspection inspection)
    {
        Path = path;
        DriverName = driver;
        Inspection = inspection;
    }

    /// <summary>The file's absolute path.</summary>
    public string Path { get; }

    /// <summary>The format that was found.</summary>
    public ImageFormat Format => Inspection.Format;

    /// <summary>qemu's driver for it, for <c>-f</c>.</summary>
    public string DriverName { get; }

    /// <summary>All that was found.</summary>
    public ImageInspection Inspection { get; }

    /// <summary>
    /// The images below, nearest first, each passed as well; null where only the image itself was looked at.
    /// </summary>
    public IReadOnlyList<VettedImage>? BackingChain { get; private init; }

    /// <summary>Inspects an image.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">What is allowed; by default, nothing beyond a self-contained image.</param>
    /// <param name="knownRaw">The caller knows that the image is raw: nothing of what a guest wrote is read.</param>
    /// <param name="cancellationToken">Ends the inspection.</param>
    /// <exception cref="ImageUnsafeException">It failed a check.</exception>
    /// <exception cref="ImageFileException">The file cannot be read.</exception>
    /// <exception cref="QemuDriverMissingException">qemu has no driver for the format.</exception>
    public static async Task<VettedImage> VetAsync(
        string path,
        InspectionOptions? options = null,
        bool knownRaw = false,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(path);

        // A name with a NUL character has no full path; opening it says what is wrong.
        var full = path.Contains('\0', StringComparison.Ordinal) ? path : System.IO.Path.GetFullPath(path);
        var inspection = await ImageInspector.InspectFileAsync(full, options, knownRaw, cancellationToken)
            .ConfigureAwait(false);
        if (!inspection.IsSafe)
        {
            throw new ImageUnsafeException(full, [.. inspection.Failures]);
        }

        return inspection.Format.ToQemuName() is { } driver
            ? new VettedImage(full, driver, inspection)
            : throw new QemuDriverMissingException(full, inspection.Format);
    }

    /// <summary>
    /// Inspects an image and all that it is backed by. Each backing file must be allowed by the policy, must be of
    /// the format that is written beside its name, and that format must be written there: qemu would guess it.
    /// </summary>
    /// <inheritdoc cref="VetAsync"/>
    public static async Task<VettedImage> VetChainAsync(
        string path,
        InspectionOptions? options = null,
        bool knownRaw = false,
        CancellationToken cancellationToken = default)
    {
        options ??= InspectionOptions.Default;
        var top = await VetAsync(path, options, knownRaw, cancellationToken).ConfigureAwait(false);
        var chain = new List<VettedImage>();
        var seen = new HashSet<string>(StringComparer.Ordinal);

        // What is below is not the volume that the passphrase opens.
        options = options with { Passphrase = null };
        for (var image = top; image.Inspection.BackingFile is { Length: > 0 } backing; image = chain[^1])
        {
            if (chain.Count == MaximumChainLength)
            {
                throw ToUnsafe(image, $"The chain of backing files is longer than {MaximumChainLength}.");
            }

            chain.Add(await VetBackingAsync(image, backing, options, seen, cancellationToken).ConfigureAwait(false));
        }

        return new VettedImage(top.Path, top.DriverName, top.Inspection) { BackingChain = chain };
    }

    private static async Task<VettedImage> VetBackingAsync(
        VettedImage image,
        string backing,
        InspectionOptions options,
        HashSet<string> seen,
        CancellationToken cancellationToken)
    {
        // The name as qemu will open it, so that both go the same way through symbolic links and "..".
        var named = QemuImageInfo.Combine(image.Path, backing);
        var decision = options.Policy.BackingFileGate.Decide(named, image.Path);
        if (!decision.IsAllowed)
        {
            throw ToUnsafe(image, $"The backing file '{Printable.Text(backing)}' is not allowed: {decision.Reason}.");
        }

        if (!seen.Add(decision.Path!))
        {
            throw ToUnsafe(image, $"The backing file '{Printable.Text(backing)}' is in the chain already.");
        }

        var stated = image.Inspection.BackingFormat;
        if (!ImageFormatNames.TryParse(stated, out var format) || format.ToQemuName() is not { } driver)
        {
            throw ToUnsafe(
                image,
                $"The image names the backing file '{Printable.Text(backing)}' without its format, or with one that "
                + $"is unknown ('{Printable.Text(stated ?? "")}'): qemu would guess it. Write it down with "
                + "'qemu-img rebase -u -b FILE -F FORMAT IMAGE'.");
        }

        var inspection = await ImageInspector
            .InspectFileAsync(named, options, knownRaw: driver == "raw", cancellationToken).ConfigureAwait(false);
        if (!inspection.IsSafe)
        {
            throw new ImageUnsafeException(named, [.. inspection.Failures]);
        }

        return inspection.Format.ToQemuName() == driver
            ? new VettedImage(named, driver, inspection)
            : throw ToUnsafe(
                image,
                $"The backing file '{Printable.Text(backing)}' is {inspection.Format.ToName()}, "
                + $"but the image says that it is {driver}.");
    }

    private static ImageUnsafeException ToUnsafe(VettedImage image, string message) =>
        new(image.Path, [new SafetyCheckResult(CheckNames.BackingFile, CheckVerdict.Failed, message)]);
}
