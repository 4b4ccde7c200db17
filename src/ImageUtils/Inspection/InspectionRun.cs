using ImageUtils.Errors;
using ImageUtils.Formats;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.Inspection;

/// <summary>
/// Inspects one source: every format probes it, those that match inspect it, and their findings are joined. Over a
/// file each format runs to its end in turn; over a forward-only stream all wait for their bytes side by side.
/// </summary>
internal sealed class InspectionRun
{
    // A bootable disc carries a partition table for those who write it to a stick: it is a disc all the same. A fixed
    // VHD is the disk itself, partitions and all, with a footer behind it.
    private static readonly ImageFormat[] s_mayHavePartitions = [ImageFormat.Iso, ImageFormat.Vhd];

    private readonly IByteSource _source;
    private readonly InspectionOptions _options;
    private readonly int _depth;
    private readonly FormatRun[] _runs;
    private int _undecided;

    internal InspectionRun(IByteSource source, InspectionOptions options)
        : this(source, options, 0)
    {
    }

    private InspectionRun(IByteSource source, InspectionOptions options, int depth)
    {
        _source = source;
        _options = options;
        _depth = depth;
        _runs = new FormatRun[FormatRegistry.All.Count];
        _undecided = _runs.Length;
    }

    /// <summary>What is known so far of whether each format matches; null: not yet.</summary>
    internal bool? HasMatched(ImageFormat format) =>
        Array.Find(_runs, run => run?.Format.Format == format)?.Matched;

    /// <summary>The formats that match so far.</summary>
    internal IEnumerable<ImageFormat> Matches =>
        _runs.Where(run => run?.Matched == true).Select(run => run.Format.Format);

    /// <summary>Whether every format has been decided on.</summary>
    internal bool IsDecided => _undecided == 0;

    /// <summary>
    /// The checks that have failed so far. A partition table's do not count while the content may be, and may be
    /// accepted as, an optical disc or a fixed VHD.
    /// </summary>
    internal IEnumerable<SafetyCheckResult> FailuresUnder(ImageFormat claimed) => RunsThatCount(claimed)
        .SelectMany(run => run.Context!.Results)
        .Where(result => result.IsFailure);

    /// <summary>
    /// Describes as much as is known, where a check has failed and no more is read. What was not looked at is skipped.
    /// </summary>
    /// <param name="claimed">What the content is claimed to be.</param>
    /// <param name="length">The source's length in bytes.</param>
    internal ImageInspection? DescribeFailed(ImageFormat claimed, long length)
    {
        var run = RunsThatCount(claimed).FirstOrDefault(run => run.Context!.Results.Any(result => result.IsFailure));
        if (run is null)
        {
            return null;
        }

        var context = run.Context!;
        foreach (var check in run.Format.Checks.Where(check => !context.HasVerdict(check.Name)))
        {
            context.Skip(check.Name, "No more was read, for what has failed cannot be mended.");
        }

        var image = context.Image;
        image.FileSize = length;
        image.MatchedFormats = [.. Matches];
        image.Checks = [.. context.Results];
        return image;
    }

    /// <summary>Whether content may match a partition table too, and still be what is claimed.</summary>
    internal static bool MayHavePartitions(ImageFormat claimed) => Array.IndexOf(s_mayHavePartitions, claimed) >= 0;

    /// <summary>Inspects what is inside another image, forward from where its reader is.</summary>
    internal static async ValueTask<ImageInspection> InspectInnerAsync(
        IByteSource source, InspectionContext outer, CancellationToken cancellationToken)
    {
        var policy = outer.Policy;
        var options = outer.Options with
        {
            Passphrase = null,
            Policy = policy.AllowedFormats.Count == 0
                ? policy
                : policy with
                {
                    // Whoever allows encrypted volumes allows plain disks in them.
                    AllowedFormats = [.. policy.AllowedFormats, ImageFormat.Raw],
                },
        };
        var run = new InspectionRun(source, options, outer.Depth + 1);
        return await run.RunAsync(cancellationToken).ConfigureAwait(false);
    }

    internal async ValueTask<ImageInspection> RunAsync(CancellationToken cancellationToken)
    {
        var first = (_source as HeadCache)?.First;
        List<Task>? waiting = null;
        for (var index = 0; index < _runs.Length; index++)
        {
            var run = new FormatRun(FormatRegistry.All[index]);
            _runs[index] = run;
            if (first is { } value && run.Format.FirstBytes is { Length: > 0 } possible && !possible.Contains(value))
            {
                run.Matched = false;
                _undecided--;
                continue;
            }

            var work = ProbeAndInspectAsync(run, cancellationToken).AsTask();
            if (!work.IsCompletedSuccessfully)
            {
                (waiting ??= []).Add(work);
            }
        }

        if (waiting is not null)
        {
            await Task.WhenAll(waiting).ConfigureAwait(false);
        }

        var matched = Array.FindAll(_runs, run => run.Matched == true);
        FormatRun main;
        if (matched.Length > 0)
        {
            main = matched[0];
        }
        else
        {
            main = new FormatRun(FormatRegistry.Raw) { Matched = true };
            await InspectAsync(main, new ForwardReader(_source), cancellationToken).ConfigureAwait(false);
        }

        return await JoinAsync(main, matched, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Describes the source as raw without looking at a single byte of it.</summary>
    internal async ValueTask<ImageInspection> RunAsRawAsync(CancellationToken cancellationToken)
    {
        var run = new FormatRun(FormatRegistry.Raw) { Matched = true };
        await InspectAsync(run, new ForwardReader(_source), cancellationToken).ConfigureAwait(false);
        var context = run.Context!;
        context.Skip(CheckNames.Ambiguous, "The caller says that the image is raw, so its content was not looked at.");
        return await FinishAsync(context, [ImageFormat.Raw], cancellationToken).ConfigureAwait(false);
    }

    private IEnumerable<FormatRun> RunsThatCount(ImageFormat claimed) => _runs
        .Where(run => run?.Context is not null)
        .Where(run => !IsPartitionTable(run.Format.Format)
            || !Array.Exists(s_mayHavePartitions, format => HasMatched(format) != false
                && (claimed == ImageFormat.Unknown || claimed.Accepts(format))));

    private async ValueTask ProbeAndInspectAsync(FormatRun run, CancellationToken cancellationToken)
    {
        var reader = new ForwardReader(_source);
        try
        {
            run.Matched = await run.Format.ProbeAsync(reader, cancellationToken).ConfigureAwait(false);
        }
        catch (ImageFormatException)
        {
            // It looks enough like this format to lead the probe astray. The inspection says how.
            run.Matched = true;
        }

        _undecided--;
        if (run.Matched == true)
        {
            await InspectAsync(run, reader, cancellationToken).ConfigureAwait(false);
        }
    }

    private async ValueTask InspectAsync(FormatRun run, ForwardReader reader, CancellationToken cancellationToken)
    {
        var context = new InspectionContext(reader, _options, _depth);
        context.Image.Format = run.Format.Format;
        run.Context = context;
        try
        {
            await run.Format.InspectAsync(context, cancellationToken).ConfigureAwait(false);
        }
        catch (ImageFormatException exception)
        {
            context.FailMalformed(run.Format.Checks, exception);
        }

        if (run.Format.Checks.FirstOrDefault(check => !context.HasVerdict(check.Name)) is { } forgotten)
        {
            throw new InvalidOperationException(
                $"{run.Format.Format.ToName()} gave no verdict on its check '{forgotten.Name}'.");
        }
    }

    private async ValueTask<ImageInspection> JoinAsync(
        FormatRun main, FormatRun[] matched, CancellationToken cancellationToken)
    {
        var formats = matched.Length == 0 ? [main.Format.Format] : matched.Select(run => run.Format.Format).ToArray();
        var context = main.Context!;
        var partitioned = Array.Find(matched, run => run.Context!.Image
            is { Format: ImageFormat.Iso } or { Format: ImageFormat.Vhd, Subformat: "fixed" });
        if (partitioned is not null
            && Array.TrueForAll(matched, run => run == partitioned || IsPartitionTable(run.Format.Format)))
        {
            context = partitioned.Context!;
        }
        else
        {
            partitioned = null;
        }

        string? problem = null;
        if (formats.Length > 1 && partitioned is null)
        {
            problem = $"The content matches several formats: {string.Join(", ", formats.Select(f => f.ToName()))}. "
                + "One may be hidden in another.";
        }
        else if ((context.Image.Format.ToQemuName() is "raw" or null
                || context.Image is { Format: ImageFormat.Vhd, Subformat: "fixed" })
            && _options.Path?.EndsWith(".dmg", StringComparison.Ordinal) == true)
        {
            problem = $"The content is {context.Image.Format.ToName()}, but qemu takes any file whose name ends in "
                + "'.dmg' for a dmg. Rename the file.";
        }

        // A policy that does not mind several formats still minds what is wrong with those that are not described.
        var hidden = problem is null ? null : Array.Find(
            matched, run => run.Context != context && run.Context!.Results.Any(result => result.IsFailure));
        if (hidden is not null)
        {
            var failed = string.Join(
                ", ", hidden.Context!.Results.Where(result => result.IsFailure).Select(result => result.Name));
            context.FailAlways(CheckNames.Ambiguous, $"{problem} As {hidden.Format.Format.ToName()} it fails: {failed}.");
        }
        else
        {
            context.Judge(CheckNames.Ambiguous, problem);
        }

        return await FinishAsync(context, formats, cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask<ImageInspection> FinishAsync(
        InspectionContext context, IReadOnlyList<ImageFormat> formats, CancellationToken cancellationToken)
    {
        var image = context.Image;
        image.FileSize = await _source.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        image.MatchedFormats = formats;
        PolicyChecks.Run(context);
        image.Checks = [.. context.Results];
        return image;
    }

    private static bool IsPartitionTable(ImageFormat format) => format is ImageFormat.Gpt or ImageFormat.Mbr;

    private sealed class FormatRun(IImageFormat format)
    {
        public IImageFormat Format => format;

        public bool? Matched { get; set; }

        public InspectionContext? Context { get; set; }
    }
}
