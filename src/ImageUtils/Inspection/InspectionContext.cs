using System.Collections.Concurrent;
using ImageUtils.Errors;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.Inspection;

/// <summary>What a format is given to inspect one image with, and where it leaves what it found.</summary>
public sealed class InspectionContext
{
    // Most checks pass without a word: those verdicts are the same object for all images.
    private static readonly ConcurrentDictionary<string, SafetyCheckResult> s_passed = new(StringComparer.Ordinal);

    private readonly List<SafetyCheckResult> _results = new(12);

    internal InspectionContext(ForwardReader reader, InspectionOptions options, int depth)
    {
        Reader = reader;
        Options = options;
        Depth = depth;
    }

    /// <summary>Reads the image, forward.</summary>
    public ForwardReader Reader { get; }

    /// <summary>What the inspection was told.</summary>
    public InspectionOptions Options { get; }

    /// <summary>What is allowed.</summary>
    public SafetyPolicy Policy => Options.Policy;

    /// <summary>The description, to be filled in.</summary>
    public ImageInspection Image { get; } = new();

    /// <summary>How many images this one is inside of.</summary>
    internal int Depth { get; }

    internal IReadOnlyList<SafetyCheckResult> Results => _results;

    /// <summary>The image passed a check.</summary>
    public void Pass(string check, string message = "") => Add(check, CheckVerdict.Passed, message);

    /// <summary>The image failed a check; where the policy does not mind, the verdict says so.</summary>
    public void Fail(string check, string message) => Add(
        check,
        Policy.NonFatalChecks.Contains(check, StringComparer.OrdinalIgnoreCase)
            ? CheckVerdict.Allowed
            : CheckVerdict.Failed,
        message);

    /// <summary>The image failed a check, whatever the policy says of that check.</summary>
    internal void FailAlways(string check, string message) => Add(check, CheckVerdict.Failed, message);

    /// <summary>There was nothing to look at.</summary>
    public void Skip(string check, string message) => Add(check, CheckVerdict.Skipped, message);

    /// <summary>
    /// There was something to look at, but what has failed before hides it. Where the policy does not mind that failure,
    /// what is hidden must not pass with it, and fails.
    /// </summary>
    /// <param name="checks">Those that have no verdict yet are given one.</param>
    /// <param name="reason">What hides it.</param>
    public void Abandon(IEnumerable<string> checks, string reason)
    {
        var isRefused = _results.Exists(result => result.IsFailure);
        foreach (var check in checks.Where(check => !HasVerdict(check)))
        {
            if (isRefused)
            {
                Skip(check, reason);
            }
            else
            {
                Fail(check, reason);
            }
        }
    }

    /// <summary>Fails the check that a malformed structure belongs to, and abandons those without a verdict.</summary>
    /// <param name="checks">All that the format declares.</param>
    /// <param name="exception">What is malformed.</param>
    public void FailMalformed(IEnumerable<SafetyCheck> checks, ImageFormatException exception)
    {
        if (!HasVerdict(exception.Check))
        {
            Fail(exception.Check, exception.Message);
        }

        Abandon(checks.Select(check => check.Name), "The image is too malformed to look at this.");
        if (!_results.Exists(result => result.Verdict is CheckVerdict.Failed or CheckVerdict.Allowed))
        {
            throw new InvalidOperationException(
                $"'{exception.Check}' passed before its structure was found malformed.", exception);
        }
    }

    /// <summary>Passes where <paramref name="problem"/> is null, fails with it otherwise.</summary>
    public void Judge(string check, string? problem)
    {
        if (problem is null)
        {
            Pass(check);
        }
        else
        {
            Fail(check, problem);
        }
    }

    /// <summary>Judges a reference to another file by a gate.</summary>
    /// <param name="check">The check to give the verdict on.</param>
    /// <param name="what">What the reference is, such as <c>backing file</c>.</param>
    /// <param name="references">The names as written in the image; none passes.</param>
    /// <param name="gate">Decides on each.</param>
    public void JudgeReferences(string check, string what, IReadOnlyList<string> references, IReferenceGate gate)
    {
        foreach (var reference in references)
        {
            if (gate.Decide(reference, Options.Path) is { IsAllowed: false } denied)
            {
                Fail(check, $"The image names {what} '{Printable.Text(reference)}': {denied.Reason}.");
                return;
            }
        }

        Pass(check, references.Count == 0 ? "" : $"The image names {what} '{Printable.Text(references[0])}', which is allowed.");
    }

    /// <summary>Whether a verdict on the check is there.</summary>
    public bool HasVerdict(string check) => _results.Exists(result => result.Name == check);

    /// <summary>Reads a structure that must be there whole.</summary>
    /// <param name="offset">Where it lies, in bytes from the start of the file.</param>
    /// <param name="length">Its length in bytes.</param>
    /// <param name="what">Format and structure, for the message, such as <c>qcow2 header</c>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="TruncatedImageException">The data ends before the structure does.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> ReadWholeAsync(
        long offset, int length, string what, CancellationToken cancellationToken)
    {
        var bytes = await Reader.ReadAsync(offset, length, cancellationToken).ConfigureAwait(false);
        return bytes.Length == length
            ? bytes
            : throw new TruncatedImageException(
                $"The {what} should be {length} bytes at byte {offset}, but the file has only {bytes.Length} of them: "
                + "the file is cut short.");
    }

    internal void AddInner(SafetyCheckResult inner) =>
        _results.Add(inner with { Name = CheckNames.InnerPrefix + inner.Name });

    private void Add(string check, CheckVerdict verdict, string message)
    {
        if (HasVerdict(check))
        {
            throw new InvalidOperationException($"The check '{check}' has a verdict already.");
        }

        _results.Add(verdict == CheckVerdict.Passed && message.Length == 0
            ? s_passed.GetOrAdd(check, static name => new SafetyCheckResult(name, CheckVerdict.Passed, ""))
            : new SafetyCheckResult(check, verdict, message));
    }
}
