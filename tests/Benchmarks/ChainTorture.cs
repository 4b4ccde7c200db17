using System.Diagnostics;
using ImageUtils.Tests.VhdChains;

namespace ImageUtils.Benchmarks;

/// <summary>
/// Kills in-place merges of random chains at random moments. After each kill the leaf must read as before, or be gone with
/// the base reading as the leaf did; and the same command must finish the work.
/// </summary>
internal static class ChainTorture
{
    private const int Megabytes = 48;
    private static readonly string[] s_bases = ["dynamic", "fixed", "raw"];

    internal static int Run(ReadOnlySpan<string> arguments)
    {
        var count = 1000;
        if (arguments.Length > 0 && int.TryParse(arguments[0], out var number))
        {
            count = number;
            arguments = arguments[1..];
        }

        var options = new RaceOptions(arguments, ["--write"], "--directory", "--seed", "--imageutils");
        using var scratch = new ScratchDirectory(options["--directory"] ?? Path.GetTempPath());
        var front = options["--imageutils"] ?? PublishedFront.Publish(scratch["front"]);
        var seed = options.Number("--seed", Environment.TickCount);
        var random = new Random(seed);
        var outcomes = new SortedDictionary<string, int>(StringComparer.Ordinal);
        var losses = 0;
        var length = TimeSpan.FromMilliseconds(100);
        for (var index = 0; index < count; index++)
        {
            var depth = random.Next(2, 7);
            using var chain = new RandomChain(
                random.Next(), depth, s_bases[index % s_bases.Length], random.Next(2) == 0 ? 512 << 10 : 2 << 20, Megabytes);
            var completed = Kill(front, chain.Paths[0], length * random.NextDouble());
            var outcome = Judge(front, chain, completed is null);

            // Chains differ: a merge that was not killed says how long they take.
            length = completed is { } time ? time * 1.1 : length * 1.02;
            outcomes[outcome] = outcomes.GetValueOrDefault(outcome) + 1;
            if (outcome.StartsWith("LOSS", StringComparison.Ordinal))
            {
                losses++;
                Console.Error.WriteLine($"{index + 1}/{count} seed {seed}: {outcome}");
            }
            else if ((index + 1) % 50 == 0)
            {
                Console.Error.WriteLine($"{index + 1}/{count}: {losses} losses");
            }
        }

        ResultPage.Publish(
            "chains",
            $"{ResultPage.Machine()}; {count} chains of 2 to 6 disks of {Megabytes} MiB, seed {seed}, on "
            + $"{scratch.FileSystem}; {losses} losses:\n\n"
            + ResultPage.Table(
                ["what was found", "times"],
                outcomes.Select(pair => (string[])[pair.Key, $"{pair.Value}"])),
            options.Has("--write"));
        return losses == 0 ? 0 : 1;
    }

    // How long the merge took; null: it was killed.
    private static TimeSpan? Kill(string front, string leaf, TimeSpan moment)
    {
        var started = Stopwatch.GetTimestamp();
        using var process = Process.Start(new ProcessStartInfo(front, ["merge", leaf]))!;
        if (process.WaitForExit(moment))
        {
            return Stopwatch.GetElapsedTime(started);
        }

        process.Kill();
        process.WaitForExit();
        return null;
    }

    private static string Judge(string front, RandomChain chain, bool killed)
    {
        var leafIsThere = File.Exists(chain.Paths[0]);
        var readable = leafIsThere ? chain.Paths[0] : chain.Paths[^1];
        if (!chain.Read(readable).AsSpan().SequenceEqual(chain.Disks[0]))
        {
            return $"LOSS: '{readable}' is not what the leaf was";
        }

        if (!killed)
        {
            return "complete before the kill";
        }

        var (code, _, error) = Programs.TryRun(front, "merge", chain.Paths[0]);
        if (code != 0 && (leafIsThere || chain.Names().Count > 1))
        {
            return $"LOSS: going on ended with {code}: {error}";
        }

        return !chain.Read(chain.Paths[^1]).AsSpan().SequenceEqual(chain.Disks[0]) ? "LOSS: the result is another"
            : chain.Names().Count > 1 ? $"LOSS: left are {string.Join(", ", chain.Names())}"
            : leafIsThere ? "the leaf as before; merged by the same command"
            : "the base complete; the rest removed by the same command";
    }
}
