namespace ImageUtils.Benchmarks;

/// <summary>Conversions, whole process, beside qemu-img and others over the same files.</summary>
internal sealed class ConversionRace
{
    private const string OurName = "ours.img";
    private const string PeerName = "peer.img";
    private const int LargeFactor = 4;

    private readonly ScratchDirectory _directory;
    private readonly string _disk;
    private readonly bool _flushes;

    private ConversionRace(ScratchDirectory directory, string disk)
    {
        _directory = directory;
        _disk = disk;
        _flushes = !directory.IsInMemory;
    }

    internal static int Run(ReadOnlySpan<string> arguments)
    {
        var options = new RaceOptions(
            arguments, ["--write"], "--disk", "--directory", "--pairs", "--only", "--imageutils");
        Programs.Require("qemu-img", "qemu-utils");
        using var directory = new ScratchDirectory(options["--directory"]);
        var front = options["--imageutils"] ?? PublishedFront.Publish(directory["front"]);
        var disk = MachineDisk.Get(options, directory);
        var race = new ConversionRace(directory, disk);
        var pairs = options.Number("--pairs", 5);
        var rows = new List<string[]>();
        foreach (var (name, make) in race.Contests())
        {
            if (!name.Contains(options["--only"] ?? "", StringComparison.OrdinalIgnoreCase))
            {
                continue;
            }

            var contest = make();
            rows.AddRange(contest.Run(front, pairs));
            if (contest.Input != disk)
            {
                File.Delete(contest.Input);
            }
        }

        // Flushing would be the same there for everybody, and take longer than the work.
        rows.AddRange(race._flushes ? [] : race.RunReflinks(front, pairs, options["--only"] ?? ""));
        var writes = race._flushes
            ? "Files are written to {0}, and every program flushes what it writes"
            : "Files are written to {0}, so that nobody waits for a disk";
        ResultPage.Publish(
            race._flushes ? "conversion on a disk" : "conversion",
            $"{ResultPage.Machine()}; {MachineDisk.Describe(options, disk)}. "
            + $"{string.Format(writes, directory.FileSystem)}. Medians of {pairs}:\n\n"
            + ResultPage.Table(Contest.Columns, rows),
            options.Has("--write"));
        return 0;
    }

    private IEnumerable<(string Name, Func<Contest> Make)> Contests()
    {
        yield return Read("qcow2 zlib to raw", "qcow2", 0.40, "-c");
        yield return Read("qcow2 zstd to raw", "qcow2", 0.55, "-c", "-o", "compression_type=zstd");
        yield return Write("raw to qcow2 zlib", "qcow2", 0.25, 0.45, "-c");
        yield return Write("raw to qcow2 zstd", "qcow2", 0.45, 0.65, "-c", "-o", "compression_type=zstd");
        yield return Write("raw to streamOptimized VMDK", "vmdk", 0.22, null, "-o", "subformat=streamOptimized");
        yield return Read("streamOptimized VMDK to raw", "vmdk", 0.25, "-o", "subformat=streamOptimized");
        yield return Write("raw to sparse VMDK", "vmdk", 0.4, null);
        yield return Read("sparse VMDK to raw", "vmdk", 0.6);
        foreach (var (name, driver) in new[] { ("qcow2", "qcow2"), ("vhd", "vpc"), ("vhdx", "vhdx"), ("vdi", "vdi") })
        {
            // The size is what it is, and not what a VHD's cylinders make of it.
            string[] creation = driver == "vpc" ? ["-o", "force_size=on"] : [];
            yield return Read($"{name} to raw", driver, 1.0, creation);
            yield return Write($"raw to {name}", driver, 1.0, null, creation);
        }

        yield return Copy();
    }

    private (string Name, Func<Contest> Make) Read(
        string work, string driver, double atMost, params string[] creation)
    {
        return (work, Create);

        Contest Create()
        {
            var input = _directory["input.img"];
            Programs.Run("qemu-img", ["convert", "-f", "raw", "-O", driver, .. creation, _disk, input]);
            var peers = new List<Peer> { Qemu("qemu-img", atMost, driver, input, "raw") };
            if (Nbd("-f", driver, input) is { } nbd)
            {
                peers.Add(nbd);
            }

            return Make(work, input, driver, "raw", [], peers);
        }
    }

    private (string Name, Func<Contest> Make) Write(
        string work, string driver, double atMost, double? ofParallel, params string[] creation)
    {
        return (work, Create);

        Contest Create()
        {
            var peers = new List<Peer> { Qemu("qemu-img", atMost, "raw", _disk, driver, creation) };
            if (ofParallel is not null)
            {
                string[] parallel = ["-W", "-m", "16", .. creation];
                peers.Add(Qemu("qemu-img -W -m 16", ofParallel, "raw", _disk, driver, parallel));
            }

            var isCompressed = creation.Contains("-c") || creation.Contains("subformat=streamOptimized");
            return Make(work, _disk, "raw", driver, creation, peers) with { ComparesSizes = isCompressed };
        }
    }

    private (string Name, Func<Contest> Make) Copy()
    {
        const string Work = "raw to raw";
        return (Work, Create);

        Contest Create()
        {
            var output = _directory[PeerName];
            const string CopyAndFlush = """cp --sparse=always "$0" "$1" && sync "$1" """;
            var copy = _flushes
                ? new Peer("cp --sparse=always, sync", "sh", ["-c", CopyAndFlush, _disk, output])
                : new Peer("cp --sparse=always", "cp", ["--sparse=always", _disk, output]);
            var peers = new List<Peer> { Qemu("qemu-img", null, "raw", _disk, "raw"), copy };
            if (Nbd("-f", "raw", _disk) is { } nbd)
            {
                peers.Add(nbd);
            }

            return Make(Work, _disk, "raw", "raw", [], peers);
        }
    }

    private Contest Make(
        string work, string input, string driver, string outputDriver, string[] creation, List<Peer> peers)
    {
        return new Contest
        {
            Work = work,
            Input = input,
            Arguments =
            [
                "convert", "--engine", "native", "-f", driver, "-O", outputDriver, .. creation, input,
                _directory[OurName],
            ],
            Peers = [.. peers],
            Output = _directory[OurName],
            PeerOutput = _directory[PeerName],
            OutputDriver = outputDriver,
            Disk = _disk,
            Prepare = _flushes ? () => Programs.Run("sync", "-f", _directory.Path) : () => { },
        };
    }

    private Peer Qemu(
        string name, double? atMost, string driver, string input, string outputDriver, params string[] creation) => new(
        name, "qemu-img",
        [
            "convert", .. _flushes ? new[] { "-t", "writeback" } : [], "-f", driver, "-O", outputDriver, .. creation,
            input, _directory[PeerName],
        ],
        atMost);

    // nbdcopy starts the server itself, and ends it.
    private Peer? Nbd(params string[] image) => Programs.Find("nbdcopy") is null || Programs.Find("qemu-nbd") is null
        ? null
        : new Peer(
            "nbdcopy of qemu-nbd", "nbdcopy",
            [
                .. _flushes ? new[] { "--flush" } : [], "--", "[", "qemu-nbd", "--read-only", .. image, "]",
                _directory[PeerName],
            ]);

    private IEnumerable<string[]> RunReflinks(string front, int pairs, string only)
    {
        foreach (var kind in new[] { "xfs", "btrfs" })
        {
            if (!$"by reflink on {kind}".Contains(only, StringComparison.OrdinalIgnoreCase))
            {
                continue;
            }

            using var mounted = LoopFileSystem.TryMake(kind, _directory[kind]);
            if (mounted is null)
            {
                continue;
            }

            foreach (var factor in new[] { 1, LargeFactor })
            {
                foreach (var contest in Reflinks(mounted, factor))
                {
                    foreach (var row in contest.Run(front, pairs))
                    {
                        yield return row;
                    }
                }
            }
        }
    }

    private IEnumerable<Contest> Reflinks(LoopFileSystem mounted, int factor)
    {
        var input = mounted["input.raw"];
        File.Delete(input);
        Programs.Run("cp", "--sparse=always", _disk, input);
        for (var copy = 1; copy < factor; copy++)
        {
            Programs.Run(
                "dd", $"if={_disk}", $"of={input}", "bs=1M", "conv=sparse,notrunc", "oflag=seek_bytes",
                $"seek={copy * new FileInfo(_disk).Length}", "status=none");
        }

        using (var file = File.OpenHandle(input, FileMode.Open, FileAccess.Write))
        {
            RandomAccess.SetLength(file, factor * new FileInfo(_disk).Length);
        }

        var (ours, theirs) = (mounted[OurName], mounted[PeerName]);
        foreach (var (name, driver, creation) in new (string, string, string[])[]
        {
            ("raw", "raw", []), ("fixed vhd", "vpc", ["-o", "subformat=fixed,force_size=on"]),
        })
        {
            string[] from = ["-f", "raw", "-O", driver, .. creation, input];
            List<Peer> peers = [new("qemu-img", "qemu-img", ["convert", .. from, theirs], 0.3)];
            if (driver == "raw")
            {
                peers.Add(new Peer("cp --reflink=always", "cp", ["--reflink=always", input, theirs]));
            }

            var size = factor == 1 ? "" : $", {factor} times the disk";
            yield return new Contest
            {
                Work = $"raw to {name} by reflink on {mounted.Kind}{size}",
                Input = input,
                Arguments = ["convert", "--engine", "native", .. from, ours],
                Peers = [.. peers],
                Output = ours,
                PeerOutput = theirs,
                OutputDriver = driver,
                Disk = input,
                Prepare = mounted.Settle,
            };
        }
    }
}
