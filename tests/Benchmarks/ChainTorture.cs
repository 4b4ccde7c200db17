using System.Diagnostics;
using ImageUtils.Tests.VhdChains;

namespace ImageUtils.Benchmarks;

/// <summary>
/// Kills in-place merges and resizes of random chains at random moments. After each kill of a merge the leaf must read as
/// before, or be gone with the base reading as the leaf did; after each of a resize the leaf must have the old size or the
/// new one, and its data. The same command must finish the work.
/// </summary>
internal static class ChainTorture
{
    private const int Megabytes = 48;
    private static readonly string[] s_bases = ["dynamic", "fixed", "raw", "vhdx-dynamic", "vhdx-fixed"];

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
        var (merging, resizing) = (new Aim(), new Aim());
        for (var index = 0; index < count; index++)
        {
            var depth = random.Next(2, 7);
            using var chain = new RandomChain(
                random.Next(), depth, s_bases[index % s_bases.Length], random.Next(2) == 0 ? 512 << 10 : 2 << 20, Megabytes);

            // What a larger parent has would appear in a VHD that grows, and is refused.
            var grown = chain.Disks[0].Length >= chain.Disks[1].Length ? 0 : depth - 1;
            var outcome = index % 4 == 3 && !chain.Paths[grown].EndsWith(".raw", StringComparison.Ordinal)
                ? Resize(front, chain, grown, random, resizing)
                : Merge(front, chain, merging.Kill(random, front, "merge", chain.Paths[0]));
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

    private static string Resize(string front, RandomChain chain, int index, Random random, Aim aim)
    {
        // A table that must move takes longest. A base can be fixed, and would get all of that as blocks.
        var path = chain.Paths[index];
        var old = chain.Disks[index];
        var size = index == 0 && random.Next(2) == 0 ? 300L << 30 : old.Length + random.NextInt64(1, 100_000) * 512;
        string[] command =
            ["resize", "--allow-backing", Path.GetDirectoryName(path)!, path, $"{size}"];
        var killed = aim.Kill(random, front, command);
        var found = chain.Read(path, old.Length, out var length);
        if ((length != size && length != old.Length) || !found.AsSpan().SequenceEqual(old))
        {
            return $"LOSS: '{path}' has {length} bytes, and not its data";
        }

        if (!killed)
        {
            return "resize: complete before the kill";
        }

        var (code, _, error) = Programs.TryRun(front, command);
        return code != 0 ? $"LOSS: going on ended with {code}: {error}"
            : !chain.Read(path, old.Length, out var last).AsSpan().SequenceEqual(old) || last != size
                ? "LOSS: the resized disk is another"
            : length == size ? "resize: the new size and all data"
            : "resize: the old size and all data; resized by the same command";
    }

    private static string Merge(string front, RandomChain chain, bool killed)
    {
        var leafIsThere = File.Exists(chain.Paths[0]);
        var readable = leafIsThere ? chain.Paths[0] : chain.Paths[^1];
        if (!chain.Read(readable).AsSpan().SequenceEqual(chain.Disks[0]))
        {
            return $"LOSS: '{readable}' is not what the leaf was";
        }

        if (!killed)
        {
            return "merge: complete before the kill";
        }

        var (code, _, error) = Programs.TryRun(front, "merge", chain.Paths[0]);
        if (code != 0 && (leafIsThere || chain.Names().Count > 1))
        {
            return $"LOSS: going on ended with {code}: {error}";
        }

        return !chain.Read(chain.Paths[^1]).AsSpan().SequenceEqual(chain.Disks[0]) ? "LOSS: the result is another"
            : chain.Names().Count > 1 ? $"LOSS: left are {string.Join(", ", chain.Names())}"
            : leafIsThere ? "merge: the leaf as before; merged by the same command"
            : "merge: the base complete; the rest removed by the same command";
    }

    /// <summary>Kills commands within the time that they take.</summary>
    private sealed class Aim
    {
        private TimeSpan _length = TimeSpan.FromMilliseconds(100);

        /// <summary>Starts a command, and kills it. False: it came to its end before.</summary>
        internal bool Kill(Random random, string front, params string[] arguments)
        {
            var started = Stopwatch.GetTimestamp();
            using var process = Process.Start(new ProcessStartInfo(front, arguments))!;
            if (process.WaitForExit(_length * random.NextDouble()))
            {
                // Chains differ: a command that was not killed says how long they take.
                _length = Stopwatch.GetElapsedTime(started) * 1.1;
                return false;
            }

            process.Kill();
            process.WaitForExit();
            _length *= 1.02;
            return true;
        }
    }
}
