using ImageUtils.IO;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.VhdChains;

/// <summary>A file as a crash could leave it: what was flushed, and some of the sectors that were not.</summary>
internal sealed class CrashState(SparseMemory flushed, string name) : IByteSource
{
    private const int SectorSize = 512;

    // The bytes that a sector has got since; null: zeros.
    private readonly Dictionary<long, ReadOnlyMemory<byte>?> _sectors = [];

    /// <summary>Which state it is, for messages.</summary>
    public string Name => name;

    public long Length { get; private set; } = flushed.Length;

    /// <summary>
    /// Makes states: for every flush, those of programs that are killed (all writes up to one), and those of machines
    /// that fail (any of the sectors that were written since). A length is changed whole or not.
    /// </summary>
    /// <param name="first">The file before the first step.</param>
    /// <param name="steps">What was done to it.</param>
    /// <param name="random">Chooses.</param>
    /// <param name="perFlush">How many states for each flush.</param>
    public static IEnumerable<CrashState> Sample(
        SparseMemory first, IReadOnlyList<CrashStep> steps, Random random, int perFlush)
    {
        var flushed = first.Copy();
        var start = 0;
        for (var index = 0; index <= steps.Count; index++)
        {
            if (index < steps.Count && steps[index].Kind != CrashStepKind.Flush)
            {
                continue;
            }

            var epoch = steps.Skip(start).Take(index - start).ToList();
            for (var sample = 0; sample < perFlush && epoch.Count > 0; sample++)
            {
                var state = new CrashState(flushed, $"state {sample} of steps {start} to {index}");
                var killedAt = sample % 2 == 0 ? random.Next(epoch.Count + 1) : epoch.Count;
                var share = sample % 2 == 0 ? 1 : random.Next(3) switch { 0 => 0.05, 1 => 0.5, _ => 0.95 };
                epoch.Take(killedAt).ToList().ForEach(step => state.Apply(step, random, share));
                yield return state;
            }

            epoch.ForEach(step => Apply(flushed, step));
            start = index + 1;
        }

        yield return new CrashState(flushed, "the end");
    }

    public ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var total = (int)Math.Clamp(Length - offset, 0, buffer.Length);
        buffer = buffer[..total];
        buffer.Span.Clear();
        flushed.ReadAsync(offset, buffer, default).AsTask().GetAwaiter().GetResult();
        for (var sector = offset / SectorSize; sector * SectorSize < offset + total && _sectors.Count > 0; sector++)
        {
            if (!_sectors.TryGetValue(sector, out var bytes))
            {
                continue;
            }

            var from = Math.Max(sector * SectorSize, offset);
            var to = Math.Min((sector + 1) * SectorSize, offset + total);
            var target = buffer.Span[(int)(from - offset)..(int)(to - offset)];
            if (bytes is { } given)
            {
                given.Span.Slice((int)(from - sector * SectorSize), target.Length).CopyTo(target);
            }
            else
            {
                target.Clear();
            }
        }

        return ValueTask.FromResult(total);
    }

    public ValueTask<int> ReadTailAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var length = (int)Math.Min(buffer.Length, Length);
        return ReadAsync(Length - length, buffer[..length], cancellationToken);
    }

    public ValueTask<long> GetLengthAsync(CancellationToken cancellationToken) => ValueTask.FromResult(Length);

    /// <summary>Writes the state to a file.</summary>
    public void Save(string path)
    {
        flushed.Save(path);
        using var file = File.OpenWrite(path);
        file.SetLength(Length);
        foreach (var (sector, bytes) in _sectors.Where(sector => sector.Key * SectorSize < Length))
        {
            file.Position = sector * SectorSize;
            file.Write((bytes ?? new byte[SectorSize]).Span[..(int)Math.Min(SectorSize, Length - file.Position)]);
        }
    }

    private static void Apply(SparseMemory memory, CrashStep step)
    {
        var done = step.Kind switch
        {
            CrashStepKind.Write => memory.WriteAsync(step.Offset, step.Data, default),
            CrashStepKind.SetLength => memory.SetLengthAsync(step.Length, default),
            _ => WithinLength(memory, step) is var length and > 0
                ? memory.WriteZeroesAsync(step.Offset, length, default)
                : ValueTask.CompletedTask,
        };
        Assert.True(done.IsCompletedSuccessfully);
    }

    // A hole that is made does not change the length.
    private static long WithinLength(SparseMemory memory, CrashStep step) =>
        Math.Min(step.Length, memory.Length - step.Offset);

    private void Apply(CrashStep step, Random random, double share)
    {
        if (step.Kind == CrashStepKind.SetLength)
        {
            if (random.NextDouble() < share)
            {
                foreach (var gone in _sectors.Keys.Where(sector => sector * SectorSize >= step.Length).ToList())
                {
                    _sectors.Remove(gone);
                }

                Length = step.Length;
            }

            return;
        }

        var end = step.Offset + step.Length;
        for (var sector = step.Offset / SectorSize; sector * SectorSize < end; sector++)
        {
            if (random.NextDouble() < share)
            {
                Apply(step, sector);
            }
        }
    }

    private void Apply(CrashStep step, long sector)
    {
        var at = sector * SectorSize;
        var (from, to) = (Math.Max(at, step.Offset), Math.Min(at + SectorSize, step.Offset + step.Length));
        if (step.Kind == CrashStepKind.Write)
        {
            Length = Math.Max(Length, to);
        }

        if (to - from == SectorSize)
        {
            _sectors[sector] = step.Data?.AsMemory((int)(from - step.Offset), SectorSize);
            return;
        }

        var bytes = new byte[SectorSize];
        ReadAsync(at, bytes, default).AsTask().GetAwaiter().GetResult();
        var part = bytes.AsSpan((int)(from - at), (int)(to - from));
        if (step.Data is { } data)
        {
            data.AsSpan((int)(from - step.Offset), part.Length).CopyTo(part);
        }
        else
        {
            part.Clear();
        }

        _sectors[sector] = bytes;
    }
}
