using System.Diagnostics;
using System.Text.Json;
using ImageUtils.Tests.Glance;
using ImageUtils.Tests.OpenStack;

namespace ImageUtils.Benchmarks;

/// <summary>
/// Work with a real Glance through a proxy that cuts, stalls, lies and changes, at boundaries and anywhere else. What is
/// made must be complete and right, or not there, with an error that has an id.
/// </summary>
internal static class GlanceFaults
{
    internal static async Task<int> RunAsync(ReadOnlyMemory<string> arguments)
    {
        var options = new RaceOptions(
            arguments.Span, ["--write"], "--rounds", "--seed", "--directory", "--case", "--running");
        using var scratch = new ScratchDirectory(options["--directory"]);
        using var servers = options["--running"] is null ? ImportRace.StartServers(scratch) : null;
        using var line = JsonDocument.Parse(options["--running"] ?? servers!.StandardOutput.ReadLine() ?? "{}");
        try
        {
            return await RunAsync(options, scratch, line.RootElement).ConfigureAwait(false);
        }
        finally
        {
            servers?.StandardInput.Close();
            servers?.WaitForExit();
        }
    }

    private static async Task<int> RunAsync(RaceOptions options, ScratchDirectory scratch, JsonElement line)
    {
        var (rounds, seed) = (options.Number("--rounds", 500), options.Number("--seed", Environment.TickCount));
        var random = new Random(seed);
        using var cloud = new FaultyCloud(
            new CloudPlaces(Address("open_glance"), Address("glance"), Address("keystone")),
            Directory.CreateDirectory(scratch["files"]).FullName);
        var cases = FaultCase.Names.Where(name => options["--case"] is not { } only || name == only)
            .Select(name => new FaultCase(cloud, name)).ToArray();
        var calm = new Dictionary<FaultCase, (IReadOnlyList<Exchange> Exchanges, Fault[] Boundaries)>();
        foreach (var one in cases)
        {
            var (result, _) = await RunOneAsync(one, null, scratch).ConfigureAwait(false);
            if (result is not { Outcome: "complete", Violation: null })
            {
                throw new InvalidOperationException($"{one.Name} fails undisturbed: {result}");
            }

            var boundaries = FaultPoints.Boundaries(result.Exchanges, one.HasOther).ToArray();
            random.Shuffle(boundaries);
            calm[one] = (result.Exchanges, boundaries);
        }

        var results = new List<(FaultCase Case, Fault Fault, FaultResult Result, TimeSpan Time)>();
        for (var round = 0; round < rounds; round++)
        {
            var one = cases[round % cases.Length];
            var (exchanges, boundaries) = calm[one];
            var index = round / cases.Length;
            var fault = index % 3 < 2 && index - index / 3 < boundaries.Length
                ? boundaries[index - index / 3]
                : FaultPoints.Any(exchanges, random);
            var (result, time) = await RunOneAsync(one, fault, scratch).ConfigureAwait(false);
            results.Add((one, fault, result, time));
            if (result.Violation is not null)
            {
                Console.Error.WriteLine($"{round + 1}/{rounds} {one.Name}, {fault}: {result.Outcome}, {result.Violation}");
            }
            else if ((round + 1) % 50 == 0)
            {
                Console.Error.WriteLine($"{round + 1}/{rounds}");
            }
        }

        Publish(options, seed, calm, results);
        return results.TrueForAll(one => one.Result.Violation is null) ? 0 : 1;

        Uri Address(string name) => new(line.GetProperty(name).GetString()!);
    }

    private static async Task<(FaultResult Result, TimeSpan Time)> RunOneAsync(
        FaultCase one, Fault? fault, ScratchDirectory scratch)
    {
        var directory = Directory.CreateDirectory(scratch[Guid.NewGuid().ToString("N")]);
        var started = Stopwatch.GetTimestamp();
        var result = await one.RunAsync(directory.FullName, fault).ConfigureAwait(false);
        var time = Stopwatch.GetElapsedTime(started);
        directory.Delete(recursive: true);
        return (result, time);
    }

    private static void Publish(
        RaceOptions options,
        int seed,
        Dictionary<FaultCase, (IReadOnlyList<Exchange> Exchanges, Fault[] Boundaries)> calm,
        List<(FaultCase Case, Fault Fault, FaultResult Result, TimeSpan Time)> results)
    {
        var violations = results.Count(one => one.Result.Violation is not null);
        var errors = results.Where(one => one.Result.Outcome != "complete").CountBy(one => one.Result.Outcome)
            .OrderByDescending(pair => pair.Value).Select(pair => $"{pair.Key} {pair.Value}");
        ResultPage.Publish(
            "glance-faults",
            $"{ResultPage.Machine()}; {results.Count} rounds, seed {seed}; the longest took "
            + $"{ResultPage.Seconds(results.Max(one => one.Time))}. Violations: {violations}. Errors: "
            + $"{string.Join(", ", errors)}.\n\n"
            + ResultPage.Table(
                [
                    "work", "requests undisturbed", "boundaries", "rounds", "complete all the same",
                    "an error, and nothing left", "anything else",
                ],
                results.GroupBy(one => one.Case).Select(group => (string[])
                [
                    group.Key.Name, $"{calm[group.Key].Exchanges.Count}", $"{calm[group.Key].Boundaries.Length}",
                    $"{group.Count()}",
                    $"{group.Count(one => one.Result is { Outcome: "complete", Violation: null })}",
                    $"{group.Count(one => one.Result is { Outcome: not "complete", Violation: null })}",
                    $"{group.Count(one => one.Result.Violation is not null)}",
                ])),
            options.Has("--write"));
    }
}
