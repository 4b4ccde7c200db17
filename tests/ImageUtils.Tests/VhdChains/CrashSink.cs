using ImageUtils.IO;

namespace ImageUtils.Tests.VhdChains;

/// <summary>What was done to a file. Data without bytes is zeros; a length without data is a new length.</summary>
internal readonly record struct CrashStep(long Offset, long Length, byte[]? Data, CrashStepKind Kind);

internal enum CrashStepKind
{
    Write,
    Zero,
    SetLength,
    Flush,
}

/// <summary>
/// Passes everything on, and keeps a log of it, from which the states are made that a crash could leave.
/// </summary>
internal sealed class CrashSink(IByteSink inner) : IByteSink
{
    /// <summary>Every change and flush, in order.</summary>
    public List<CrashStep> Steps { get; } = [];

    public bool IsZeroed => inner.IsZeroed;

    public long? Capacity => inner.Capacity;

    public ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        Steps.Add(new CrashStep(offset, data.Length, data.ToArray(), CrashStepKind.Write));
        return inner.WriteAsync(offset, data, cancellationToken);
    }

    public ValueTask WriteZeroesAsync(long offset, long length, CancellationToken cancellationToken)
    {
        Steps.Add(new CrashStep(offset, length, null, CrashStepKind.Zero));
        return inner.WriteZeroesAsync(offset, length, cancellationToken);
    }

    public ValueTask FillAsync(long offset, long length, CancellationToken cancellationToken)
    {
        Steps.Add(new CrashStep(offset, length, null, CrashStepKind.Zero));
        return inner.FillAsync(offset, length, cancellationToken);
    }

    public ValueTask AllocateAsync(long offset, long length, CancellationToken cancellationToken) =>
        inner.AllocateAsync(offset, length, cancellationToken);

    public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken)
    {
        Steps.Add(new CrashStep(0, length, null, CrashStepKind.SetLength));
        return inner.SetLengthAsync(length, cancellationToken);
    }

    public ValueTask<bool> TryCloneAsync(
        IByteSource source, long sourceOffset, long offset, long length, CancellationToken cancellationToken) =>
        ValueTask.FromResult(false);

    public ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        Steps.Add(new CrashStep(0, 0, null, CrashStepKind.Flush));
        return inner.FlushAsync(cancellationToken);
    }
}
