using System.Text.Json;
using ImageUtils.Builders;
using ImageUtils.Formats;
using ImageUtils.Inspection;
using Medallion.Shell;

namespace ImageUtils.Benchmarks;

/// <summary>
/// Our verdict on every image of the corpus beside that of oslo.utils, run over the same files: makes
/// docs/formats/verdicts.md, and docs/formats/checks.md beside it. Every difference must have a reason here; one that
/// has none is an error.
/// </summary>
internal static class VerdictTable
{
    // Why we fail what oslo.utils passes, by the check that fails.
    private static readonly Dictionary<string, string> s_checkReasons = new()
    {
        ["backing_file"] = "oslo.utils asks this of qcow2 only",
        ["data_file"] = "oslo.utils asks this of qcow2 only",
        ["parent"] = "oslo.utils does not look for parents",
        ["checksum"] = "oslo.utils verifies no checksum",
        ["change_pending"] = "oslo.utils does not hold the footer against its copy and the file",
        ["log_pending"] = "oslo.utils does not look at the log",
        ["extents"] = "oslo.utils looks only for a slash in extent names",
        ["truncated"] = "oslo.utils does not hold the header against the file",
        ["tables"] = "oslo.utils does not look at tables",
        ["version"] = "oslo.utils does not look at this format's version",
        ["descriptor"] = "oslo.utils reads less of the descriptor",
        ["footer"] = "oslo.utils reads less of the footer",
        ["unknown_features"] = "oslo.utils does not look at this format's features",
        ["mbr"] = "oslo.utils reads less of the boot record",
        ["banned"] = "oslo.utils does not know the format; qemu would open it",
        ["ambiguous"] = "oslo.utils knows fewer formats, so sees one only",
        ["passphrase"] = "oslo.utils was given no passphrase",
    };

    // The checks that oslo.utils' inspectors declare (oslo_utils/imageutils/format_inspector.py).
    private static readonly Dictionary<ImageFormat, string[]> s_osloChecks = new()
    {
        [ImageFormat.Qcow] = ["backing_file", "unknown_features"],
        [ImageFormat.Qcow2] = ["backing_file", "data_file", "unknown_features"],
        [ImageFormat.Qed] = ["banned"],
        [ImageFormat.Vmdk] = ["descriptor", "footer"],
        [ImageFormat.Gpt] = ["mbr"],
        [ImageFormat.Mbr] = ["mbr"],
        [ImageFormat.Luks] = ["version", "passphrase", "inner_safety"],
        [ImageFormat.Raw] = ["null"],
    };

    internal static int Run(string reportDirectory)
    {
        PrintChecks(Path.Combine(reportDirectory, "checks.md"));
        var directory = Directory.CreateTempSubdirectory("imageutils-verdicts-").FullName;
        try
        {
            foreach (var image in Corpus.All)
            {
                File.WriteAllBytes(Path.Combine(directory, ToFileName(image.Name)), image.Bytes());
            }

            var oslo = RunOslo(directory);
            using var output = new StreamWriter(Path.Combine(reportDirectory, "verdicts.md")) { NewLine = "\n" };
            var unexplained = Print(output, directory, oslo);
            foreach (var name in unexplained)
            {
                Console.Error.WriteLine($"no reason for the difference: {name}");
            }

            return unexplained.Count == 0 ? 0 : 1;
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static void PrintChecks(string path)
    {
        using var output = new StreamWriter(path) { NewLine = "\n" };
        output.WriteLine("""
            # Checks

            Made by `dotnet run -c Release --project tests/Benchmarks -- verdicts docs/formats` from what the formats declare.
            [verdicts.md](verdicts.md) has the verdict on every image of the test corpus, beside that of oslo.utils.

            These hold for every format:

            | check | what it makes sure of |
            |---|---|
            | `ambiguous` | Exactly one format matches, and qemu would see no other. A disc (iso) with a GPT or MBR is one format. |
            | `format` | The policy allows the format. Skipped where the policy allows every format. |
            | `expansion` | Virtual size, and its ratio to the file, are within the policy's limits. Skipped without limits. |

            Each format declares its own. A check ends as Passed, Failed, Allowed (failed, and the policy does not mind) or
            Skipped (there was nothing to look at).

            | format | check | what it makes sure of | in oslo.utils |
            |---|---|---|---|
            """.ReplaceLineEndings("\n"));
        foreach (var format in FormatRegistry.All.Append(FormatRegistry.Raw))
        {
            foreach (var check in format.Checks)
            {
                var isKnown = s_osloChecks.GetValueOrDefault(format.Format, []).Contains(check.Name);
                output.WriteLine(
                    $"| {format.Format.ToName()} | `{check.Name}` | {check.Description} | {(isKnown ? "yes" : "")} |");
            }
        }
    }

    private static List<string> Print(
        TextWriter output, string directory, Dictionary<string, (string? Format, string[] Failures)> oslo)
    {
        var unexplained = new List<string>();
        var rows = new List<string>();
        int safe = 0, refused = 0, passedByOslo = 0;
        foreach (var image in Corpus.All)
        {
            var file = ToFileName(image.Name);
            var ours = ImageInspector.InspectFileAsync(Path.Combine(directory, file)).AsTask().GetAwaiter().GetResult();
            var failures = ours.Failures.Select(failure => failure.Name).Order().ToArray();
            var theirs = oslo[file];
            var isSafeToOslo = theirs.Failures.Length == 0;
            safe += failures.Length == 0 ? 1 : 0;
            refused += failures.Length > 0 ? 1 : 0;
            passedByOslo += failures.Length > 0 && isSafeToOslo ? 1 : 0;
            var reason = Explain(image.Name, ours.Format.ToName(), failures, theirs);
            if (reason is null)
            {
                unexplained.Add($"{image.Name}: ours {ours.Format.ToName()} [{string.Join(',', failures)}], "
                    + $"oslo {theirs.Format} [{string.Join(',', theirs.Failures)}]");
            }

            rows.Add($"| {image.Name} | {ours.Format.ToName()} | {Verdict(failures)} | {theirs.Format ?? "—"} "
                + $"| {Verdict(theirs.Failures)} | {reason} |");
        }

        output.WriteLine("# Verdicts, beside oslo.utils");
        output.WriteLine();
        output.WriteLine("Made by `dotnet run -c Release --project tests/Benchmarks -- verdicts docs/formats`, which "
            + "runs the format inspector of oslo.utils over the same files. A dash is an image of which oslo.utils says only "
            + "that it cannot tell, which its callers take for a refusal.");
        output.WriteLine();
        output.WriteLine($"Of {rows.Count} images, {safe} are safe and {refused} are refused; oslo.utils passes {passedByOslo} "
            + "of those that are refused here.");
        output.WriteLine();
        output.WriteLine("| image | ours | verdict | oslo.utils | verdict | why they differ |");
        output.WriteLine("|---|---|---|---|---|---|");
        rows.ForEach(output.WriteLine);
        return unexplained;
    }

    // Empty: no difference. Null: a difference without a reason.
    private static string? Explain(
        string name, string format, string[] failures, (string? Format, string[] Failures) oslo)
    {
        var reasons = new List<string>();
        if (VerdictReasons.Of(name) is { } own)
        {
            reasons.Add(own);
        }
        else
        {
            if (format != oslo.Format && oslo.Format is not null)
            {
                if (VerdictReasons.OfFormats(format, oslo.Format) is not { } reason)
                {
                    return null;
                }

                reasons.Add(reason);
            }

            if (failures.Length > 0 && oslo.Failures.Length == 0)
            {
                if (failures.Any(failure => !s_checkReasons.ContainsKey(failure)))
                {
                    return null;
                }

                reasons.AddRange(failures.Select(failure => s_checkReasons[failure]));
            }
            else if (failures.Length == 0 && oslo.Failures.Length > 0 && reasons.Count == 0)
            {
                return null;
            }
        }

        return string.Join("; ", reasons.Distinct());
    }

    private static string Verdict(string[] failures) =>
        failures.Length == 0 ? "safe" : string.Join(", ", failures.Select(failure =>
            failure.Length > 60 ? failure[..60] + "…" : failure)).Replace("|", "\\|", StringComparison.Ordinal)
            .Replace("\n", " ", StringComparison.Ordinal);

    private static Dictionary<string, (string? Format, string[] Failures)> RunOslo(string directory)
    {
        var result = Command.Run(
            Environment.GetEnvironmentVariable("OSLO_PYTHON") ?? "python3",
            Path.Combine(AppContext.BaseDirectory, "oslo_peer.py"), directory, "--verdicts").Result;
        return result.Success
            ? result.StandardOutput.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => JsonDocument.Parse(line).RootElement)
                .ToDictionary(
                    line => line.GetProperty("name").GetString()!,
                    line => (line.GetProperty("format").GetString(),
                        line.GetProperty("failures").EnumerateArray().Select(one => one.GetString()!).ToArray()))
            : throw new InvalidOperationException(
                $"oslo.utils cannot be run; set OSLO_PYTHON and PYTHONPATH.\n{result.StandardError}");
    }

    private static string ToFileName(string name) => name.Replace('/', '+');
}
