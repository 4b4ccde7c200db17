using System.Diagnostics;

namespace ImageUtils.Benchmarks;

/// <summary>
/// Kills conversions at random moments and looks at what they leave. A kill loses nothing of what the system holds in
/// its caches: this shows the order of the steps, and not what a power cut does.
/// </summary>
internal static class Torture
{
    private static readonly string[][] s_kinds =
    [
        ["raw"], ["qcow2"], ["qcow2", "-c"], ["vpc"], ["vhdx"], ["vmdk"], ["vdi"],
    ];

    internal static int Run(ReadOnlySpan<string> arguments)
    {
        var count = 200;
        if (arguments.Length > 0 && int.TryParse(arguments[0], out var number))
        {
            count = number;
            arguments = arguments[1..];
        }

        var options = new RaceOptions(
            arguments, ["--write"], "--disk", "--directory", "--seed", "--imageutils");
        Programs.Require("qemu-img", "qemu-utils");
        using var scratch = new ScratchDirectory(options["--directory"] ?? Path.GetTempPath());
        var front = options["--imageutils"] ?? PublishedFront.Publish(scratch["front"]);
        var disk = MachineDisk.Get(options, scratch);
        var work = Directory.CreateDirectory(scratch["work"]).FullName;
        var seed = options.Number("--seed", Environment.TickCount);
        var random = new Random(seed);
        var ways = Enum.GetValues<TortureWay>();
        var dataBytes = long.Parse(Programs.Run("stat", "-c", "%b", disk)) * 512;
        var lengths = new Dictionary<string, TimeSpan>();
        var outcomes = new Dictionary<(TortureWay, TortureOutcome), int>();
        var violations = new List<string>();
        for (var index = 0; index < count; index++)
        {
            // Seven kinds and four ways have no divisor in common: each meets each.
            var way = ways[index % ways.Length];
            var one = new TortureCase(disk, work, s_kinds[index % s_kinds.Length], way);
            one.Prepare();
            var (program, command) = one.Command(front, dataBytes);
            if (!lengths.TryGetValue(one.Name, out var length))
            {
                var started = Stopwatch.GetTimestamp();
                Programs.Run(program, command);
                length = lengths[one.Name] = Stopwatch.GetElapsedTime(started);
                one.Prepare();
            }

            var moment = length * random.NextDouble();
            Kill(program, command, moment);
            var (outcome, detail) = one.Judge(front);
            outcomes[(way, outcome)] = outcomes.GetValueOrDefault((way, outcome)) + 1;
            var line = $"{index + 1}/{count} {one.Name}, killed after {moment.TotalSeconds:F3} of "
                + $"{length.TotalSeconds:F3} s: {outcome} {detail}";
            Console.Error.WriteLine(line.TrimEnd());
            if (outcome == TortureOutcome.Violation)
            {
                violations.Add(line);
            }
        }

        ResultPage.Publish(
            "torture",
            $"{ResultPage.Machine()}; {MachineDisk.Describe(options, disk)}; {count} kills, seed {seed}, on "
            + $"{scratch.FileSystem}:\n\n" + ToTable(ways, outcomes),
            options.Has("--write"));
        violations.ForEach(Console.Error.WriteLine);
        return violations.Count == 0 ? 0 : 1;
    }

    private static void Kill(string program, string[] arguments, TimeSpan moment)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments))!;
        if (!process.WaitForExit(moment))
        {
            process.Kill();
            process.WaitForExit();
        }
    }

    private static string ToTable(TortureWay[] ways, Dictionary<(TortureWay, TortureOutcome), int> outcomes)
    {
        (TortureWay Way, string Name)[] rows =
        [
            (TortureWay.New, "a new file"), (TortureWay.Resume, "a new file, `--resume`"),
            (TortureWay.Force, "over a file, `--force`"), (TortureWay.InPlace, "in place"),
        ];
        (TortureOutcome Outcome, string Name)[] columns =
        [
            (TortureOutcome.NotThere, "nothing there"), (TortureOutcome.AsBefore, "the old file as it was"),
            (TortureOutcome.Complete, "complete"), (TortureOutcome.GoneOnWith, "gone on with, complete"),
            (TortureOutcome.BegunAnew, "begun anew, complete"), (TortureOutcome.Violation, "anything else"),
        ];
        return ResultPage.Table(
            ["destination", "kills", .. columns.Select(column => column.Name)],
            rows.Where(row => ways.Contains(row.Way)).Select(row => (string[])
            [
                row.Name,
                $"{columns.Sum(column => outcomes.GetValueOrDefault((row.Way, column.Outcome)))}",
                .. columns.Select(column => $"{outcomes.GetValueOrDefault((row.Way, column.Outcome))}"),
            ]));
    }
}
