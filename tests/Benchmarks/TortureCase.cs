namespace ImageUtils.Benchmarks;

/// <summary>How the destination is given to the process that is killed.</summary>
internal enum TortureWay
{
    /// <summary>It is not there.</summary>
    New,

    /// <summary>It is not there, and what is half done is kept.</summary>
    Resume,

    /// <summary>A file that is there is to be replaced.</summary>
    Force,

    /// <summary>It is the source, which is replaced.</summary>
    InPlace,
}

/// <summary>What was found after a kill.</summary>
internal enum TortureOutcome
{
    NotThere,
    AsBefore,
    Complete,
    GoneOnWith,
    BegunAnew,
    Violation,
}

/// <summary>One conversion that is killed, and what must be there afterwards.</summary>
/// <param name="disk">The raw disk that is converted.</param>
/// <param name="directory">Where it is done; nothing else is in it.</param>
/// <param name="kind">The destination's format and options.</param>
/// <param name="way">How the destination is given.</param>
internal sealed class TortureCase(string disk, string directory, string[] kind, TortureWay way)
{
    // Long enough for what is done to be stored on the way. Of compressed data about half is counted.
    private const double SecondsToKeep = 12;

    private readonly string _destination = Path.Combine(directory, "image");
    private readonly string _before = way == TortureWay.InPlace ? disk : directory + ".before";

    internal string Name => $"{string.Join(' ', kind)}, {way}";

    /// <summary>Puts everything as it is before the conversion.</summary>
    internal void Prepare()
    {
        foreach (var path in Directory.EnumerateFileSystemEntries(directory))
        {
            File.Delete(path);
        }

        if (way == TortureWay.Force)
        {
            var old = new byte[1_234_567];
            new Random(3).NextBytes(old);
            File.WriteAllBytes(_before, old);
        }

        if (way is TortureWay.Force or TortureWay.InPlace)
        {
            Programs.Run("cp", "--sparse=always", _before, _destination);
        }
    }

    /// <summary>The command line of the conversion.</summary>
    /// <param name="front">The console front; what it cannot do, this program does in its place.</param>
    /// <param name="dataBytes">How much there is to write.</param>
    internal (string Program, string[] Arguments) Command(string front, long dataBytes)
    {
        string[] convert = ["convert", "--engine", "native", "-f", "raw", "-O", .. kind, disk, _destination];
        return way switch
        {
            TortureWay.InPlace => (Environment.ProcessPath!, [
                .. Environment.ProcessPath!.EndsWith("dotnet", StringComparison.Ordinal)
                    ? new[] { Path.Combine(AppContext.BaseDirectory, "ImageUtils.Benchmarks.dll") }
                    : [],
                InPlaceConversion.Name, _destination, .. kind,
            ]),
            TortureWay.Resume => (front, [.. convert, "--resume", "-r", $"{RateOf(dataBytes)}"]),
            TortureWay.Force => (front, [.. convert, "--force"]),
            _ => (front, convert),
        };
    }

    /// <summary>Looks at what is there, and has what was kept gone on with.</summary>
    /// <returns>The outcome, and of a violation what it is.</returns>
    internal (TortureOutcome Outcome, string Detail) Judge(string front)
    {
        var left = Directory.EnumerateFileSystemEntries(directory).Select(Path.GetFileName).Except(["image"]).ToArray();
        if (way != TortureWay.Resume && left.Length > 0)
        {
            return (TortureOutcome.Violation, $"left over: {string.Join(", ", left)}");
        }

        if (way == TortureWay.Resume && !File.Exists(_destination))
        {
            return GoOn(front, left!);
        }

        if (!File.Exists(_destination))
        {
            return way == TortureWay.New
                ? (TortureOutcome.NotThere, "")
                : (TortureOutcome.Violation, "the file that was to be replaced is gone");
        }

        if (left.Length > 0)
        {
            return (TortureOutcome.Violation, $"complete, and beside it {string.Join(", ", left)}");
        }

        return File.Exists(_before) && Programs.TryRun("cmp", "-s", _before, _destination).Code == 0
            ? (TortureOutcome.AsBefore, "")
            : Check(TortureOutcome.Complete);
    }

    private long RateOf(long dataBytes) => (long)(dataBytes / SecondsToKeep / (kind.Contains("-c") ? 2 : 1));

    private (TortureOutcome Outcome, string Detail) GoOn(string front, string[] left)
    {
        string[] kept = [".image.imageutils-part", ".image.imageutils-journal", ".image.imageutils-journal.new"];
        if (left.Except(kept).Any())
        {
            return (TortureOutcome.Violation, $"left over: {string.Join(", ", left)}");
        }

        var (code, _, error) = Programs.TryRun(
            front, ["convert", "--engine", "native", "-f", "raw", "-O", .. kind, disk, _destination, "--resume"]);
        if (code != 0)
        {
            return (TortureOutcome.Violation, $"going on ended with {code}: {error.Trim()}");
        }

        var names = Directory.EnumerateFileSystemEntries(directory).Select(Path.GetFileName).ToArray();
        return names is ["image"]
            ? Check(left.Contains(kept[1]) ? TortureOutcome.GoneOnWith : TortureOutcome.BegunAnew)
            : (TortureOutcome.Violation, $"left over after going on: {string.Join(", ", names)}");
    }

    private (TortureOutcome Outcome, string Detail) Check(TortureOutcome outcome)
    {
        string[] checkable = ["qcow2", "vhdx", "vmdk", "vdi"];
        var comparison = Programs.TryRun("qemu-img", "compare", "-f", "raw", "-F", kind[0], disk, _destination);
        if (comparison.Code != 0)
        {
            return (TortureOutcome.Violation, $"qemu-img compare: {comparison.Output} {comparison.Error}".Trim());
        }

        var check = checkable.Contains(kind[0])
            ? Programs.TryRun("qemu-img", "check", "-f", kind[0], _destination)
            : default;
        return check.Code == 0
            ? (outcome, "")
            : (TortureOutcome.Violation, $"qemu-img check: {check.Output} {check.Error}".Trim());
    }
}
