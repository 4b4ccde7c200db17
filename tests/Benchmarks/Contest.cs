namespace ImageUtils.Benchmarks;

/// <summary>Another program that does the same work.</summary>
/// <param name="Name">What the table calls it.</param>
/// <param name="Program">Its name.</param>
/// <param name="Arguments">Its arguments, the input and its output among them.</param>
/// <param name="AtMost">The share of its time that ours was asked to stay within.</param>
internal sealed record Peer(string Name, string Program, string[] Arguments, double? AtMost = null);

/// <summary>One work, done by the console front and by its peers in turns.</summary>
internal sealed record Contest
{
    internal static string[] Columns { get; } =
    [
        "work", "peer", "its time", "imageutils", "ratio", "asked at most", "file, of the peer's", "peak memory",
    ];

    internal required string Work { get; init; }

    internal required string Input { get; init; }

    /// <summary>The console front's arguments.</summary>
    internal required string[] Arguments { get; init; }

    internal required Peer[] Peers { get; init; }

    /// <summary>What the console front writes, and what the peers write: not there before each run.</summary>
    internal required string Output { get; init; }

    internal required string PeerOutput { get; init; }

    /// <summary>What the output is, by qemu's name.</summary>
    internal required string OutputDriver { get; init; }

    /// <summary>The disk that the output must be equal to.</summary>
    internal required string Disk { get; init; }

    /// <summary>Whether how large the files are is part of the contest.</summary>
    internal bool ComparesSizes { get; init; }

    /// <summary>Is done before each run, outside the time.</summary>
    internal Action Prepare { get; init; } = () => { };

    /// <summary>Runs it and returns the table's rows, one for each peer.</summary>
    /// <param name="front">The console front.</param>
    /// <param name="pairs">How often each runs.</param>
    /// <exception cref="InvalidOperationException">A program failed, or our disk is another one.</exception>
    internal IEnumerable<string[]> Run(string front, int pairs)
    {
        Console.Error.WriteLine(Work + " …");
        MachineDisk.Warm(Input);
        var ours = new List<Measured>();
        var theirs = Peers.ToDictionary(peer => peer, _ => new List<TimeSpan>());
        var peerLengths = new Dictionary<Peer, long>();
        for (var pair = 0; pair < pairs; pair++)
        {
            // Each begins a round in its turn: what the one before leaves behind is shared out evenly.
            for (var turn = 0; turn <= Peers.Length; turn++)
            {
                var index = (pair + turn) % (Peers.Length + 1);
                Clear();
                Prepare();
                if (index == Peers.Length)
                {
                    ours.Add(Programs.Measure(front, Arguments));
                    continue;
                }

                var peer = Peers[index];
                theirs[peer].Add(Programs.Measure(peer.Program, peer.Arguments).Time);
                peerLengths[peer] = new FileInfo(PeerOutput).Length;
            }
        }

        Clear();
        Programs.Run(front, Arguments);
        var length = new FileInfo(Output).Length;
        Programs.Run("qemu-img", "compare", "-f", "raw", "-F", OutputDriver, Disk, Output);
        Clear();

        var time = Median(ours.Select(one => one.Time));
        var peak = ours.Max(one => one.PeakBytes);
        foreach (var peer in Peers)
        {
            var peerTime = Median(theirs[peer]);
            var ratio = time / peerTime;
            yield return
            [
                Work, peer.Name, ResultPage.Seconds(peerTime), ResultPage.Seconds(time),
                ratio > peer.AtMost ? $"**{ratio:F2}**" : $"{ratio:F2}", peer.AtMost is { } most ? $"{most:0.00}" : "",
                ComparesSizes ? $"{(double)length / peerLengths[peer]:F3}" : "", ResultPage.Mebibytes(peak),
            ];
        }
    }

    private void Clear()
    {
        File.Delete(Output);
        File.Delete(PeerOutput);
    }

    private static TimeSpan Median(IEnumerable<TimeSpan> times)
    {
        var sorted = times.Order().ToArray();
        return sorted[sorted.Length / 2];
    }
}
