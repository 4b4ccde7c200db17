using System.Runtime.CompilerServices;
using ImageUtils.IO;

namespace ImageUtils.Streaming;

/// <summary>
/// A whole file before it exists: what a writer wrote in a dry run, and which ranges of the guest's disk lie where. It
/// can be read in the file's order as often as it is wanted.
/// </summary>
/// <remarks>
/// Writers place data at ascending offsets, and most of their tables behind or before it: what comes in order takes a
/// few bytes each in one log; what belongs before that (tables that are complete only after their data, headers) is in
/// another one, without its zeros, and sorted in the end. Both go to a temporary file where they become long.
/// </remarks>
/// <param name="directory">Where temporary files would be.</param>
/// <param name="limit">How much each log keeps in memory, in bytes.</param>
internal sealed class LayoutPlan(string directory, long limit = LayoutPlan.DefaultLimit) : IByteSink, IDisposable
{
    private const long DefaultLimit = 16 << 20;

    // The last two bits of a record's first number say what it is; the others how far it lies behind the one before.
    private const long Guest = 0;
    private const long Own = 1;
    private const long OwnAgain = 2;
    private const int KindBits = 2;

    private readonly SpillLog _log = new(directory, limit);
    private readonly SpillLog _tables = new(directory, limit);
    private readonly List<Table> _index = [];
    private readonly byte[] _record = new byte[3 * VariableNumber.MaximumLength];
    private byte[] _packed = [];
    private byte[] _lastBytes = [];

    // The run that may still go on, and where the log is on both sides.
    private long _runGuest;
    private long _runHost;
    private long _runLength;
    private long _guestEnd;
    private long _hostEnd;

    private readonly record struct Table(long HostOffset, int Length, int PackedLength, long Position);

    /// <summary>The file's length in bytes.</summary>
    internal long Length { get; private set; }

    /// <summary>How much was written to temporary files, in bytes.</summary>
    internal long TemporaryBytes => _log.TemporaryBytes + _tables.TemporaryBytes;

    /// <inheritdoc/>
    public bool IsZeroed => true;

    /// <inheritdoc/>
    public long? Capacity => null;

    /// <summary>Says where a range of the guest's disk lies. Both offsets ascend from call to call.</summary>
    internal async ValueTask AddGuestAsync(
        long guestOffset, long length, long hostOffset, CancellationToken cancellationToken)
    {
        if (_runLength > 0 && guestOffset == _runGuest + _runLength && hostOffset == _runHost + _runLength)
        {
            _runLength += length;
        }
        else
        {
            await EndRunAsync(cancellationToken).ConfigureAwait(false);
            ArgumentOutOfRangeException.ThrowIfLessThan(guestOffset, _guestEnd);
            ArgumentOutOfRangeException.ThrowIfLessThan(hostOffset, _hostEnd);
            (_runGuest, _runHost, _runLength) = (guestOffset, hostOffset, length);
        }

        Length = Math.Max(Length, hostOffset + length);
    }

    /// <inheritdoc/>
    public async ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Length = Math.Max(Length, offset + data.Length);
        await EndRunAsync(cancellationToken).ConfigureAwait(false);
        if (offset < _hostEnd)
        {
            await AddTableAsync(offset, data, cancellationToken).ConfigureAwait(false);
            return;
        }

        // The bitmaps of a VHD's blocks are all the same.
        var isAgain = data.Span.SequenceEqual(_lastBytes);
        var count = VariableNumber.Write((offset - _hostEnd) << KindBits | (isAgain ? OwnAgain : Own), _record);
        count += isAgain ? 0 : VariableNumber.Write(data.Length, _record.AsSpan(count));
        await _log.AppendAsync(_record.AsMemory(0, count), cancellationToken).ConfigureAwait(false);
        if (!isAgain)
        {
            await _log.AppendAsync(data, cancellationToken).ConfigureAwait(false);
            _lastBytes = data.ToArray();
        }

        _hostEnd = offset + data.Length;
    }

    /// <summary>Ends the plan.</summary>
    internal async ValueTask CompleteAsync(CancellationToken cancellationToken)
    {
        await EndRunAsync(cancellationToken).ConfigureAwait(false);
        _index.Sort((left, right) => left.HostOffset.CompareTo(right.HostOffset));
        (_packed, _lastBytes) = ([], []);
    }

    /// <summary>The file's parts, in its order; what is between them, and behind the last, is zero.</summary>
    /// <exception cref="InvalidOperationException">Parts lie one over the other.</exception>
    internal async IAsyncEnumerable<LayoutSegment> ReadAsync(
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var tables = _tables.Read();
        var next = 0;
        var position = 0L;
        await foreach (var segment in ReadLogAsync(cancellationToken).ConfigureAwait(false))
        {
            for (; next < _index.Count && _index[next].HostOffset < segment.HostOffset; next++)
            {
                var table = await ReadTableAsync(tables, _index[next], cancellationToken).ConfigureAwait(false);
                yield return Check(table, ref position);
            }

            yield return Check(segment, ref position);
        }

        for (; next < _index.Count; next++)
        {
            var table = await ReadTableAsync(tables, _index[next], cancellationToken).ConfigureAwait(false);
            yield return Check(table, ref position);
        }
    }

    /// <inheritdoc/>
    public ValueTask WriteZeroesAsync(long offset, long length, CancellationToken cancellationToken) =>
        GrowAsync(offset + length);

    /// <inheritdoc/>
    public ValueTask AllocateAsync(long offset, long length, CancellationToken cancellationToken) =>
        GrowAsync(offset + length);

    /// <inheritdoc/>
    public ValueTask FillAsync(long offset, long length, CancellationToken cancellationToken) =>
        GrowAsync(offset + length);

    /// <inheritdoc/>
    public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken)
    {
        Length = length;
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask<bool> TryCloneAsync(
        IByteSource source, long sourceOffset, long offset, long length, CancellationToken cancellationToken) =>
        ValueTask.FromResult(false);

    /// <inheritdoc/>
    public ValueTask FlushAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    /// <inheritdoc/>
    public void Dispose()
    {
        _log.Dispose();
        _tables.Dispose();
    }

    private static LayoutSegment Check(LayoutSegment segment, ref long position)
    {
        if (segment.HostOffset < position)
        {
            throw new InvalidOperationException(
                $"The file has been laid out twice at host offset {segment.HostOffset}: what is there ends at "
                + $"{position}.");
        }

        position = segment.HostOffset + segment.Length;
        return segment;
    }

    private ValueTask GrowAsync(long length)
    {
        Length = Math.Max(Length, length);
        return ValueTask.CompletedTask;
    }

    private async ValueTask EndRunAsync(CancellationToken cancellationToken)
    {
        if (_runLength == 0)
        {
            return;
        }

        var count = VariableNumber.Write((_runHost - _hostEnd) << KindBits | Guest, _record);
        count += VariableNumber.Write(_runGuest - _guestEnd, _record.AsSpan(count));
        count += VariableNumber.Write(_runLength, _record.AsSpan(count));
        await _log.AppendAsync(_record.AsMemory(0, count), cancellationToken).ConfigureAwait(false);
        _guestEnd = _runGuest + _runLength;
        _hostEnd = _runHost + _runLength;
        _runLength = 0;
    }

    private async ValueTask AddTableAsync(long offset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        if (_packed.Length < SparseBytes.MaximumLength(data.Length))
        {
            _packed = new byte[SparseBytes.MaximumLength(data.Length)];
        }

        var length = SparseBytes.Pack(data.Span, _packed);
        _index.Add(new Table(offset, data.Length, length, _tables.Length));
        await _tables.AppendAsync(_packed.AsMemory(0, length), cancellationToken).ConfigureAwait(false);
    }

    private async IAsyncEnumerable<LayoutSegment> ReadLogAsync(
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var log = _log.Read();
        var (host, guest) = (0L, 0L);
        var bytes = Array.Empty<byte>();
        while (!log.IsAtEnd)
        {
            var first = await log.ReadNumberAsync(cancellationToken).ConfigureAwait(false);
            host += first >> KindBits;
            switch (first & (1 << KindBits) - 1)
            {
                case Guest:
                    guest += await log.ReadNumberAsync(cancellationToken).ConfigureAwait(false);
                    var length = await log.ReadNumberAsync(cancellationToken).ConfigureAwait(false);
                    yield return new LayoutSegment(host, length, guest, default);
                    host += length;
                    guest += length;
                    continue;
                case Own:
                    bytes = new byte[await log.ReadNumberAsync(cancellationToken).ConfigureAwait(false)];
                    await log.ReadAsync(bytes, cancellationToken).ConfigureAwait(false);
                    break;
            }

            yield return new LayoutSegment(host, bytes.Length, -1, bytes);
            host += bytes.Length;
        }
    }

    private static async ValueTask<LayoutSegment> ReadTableAsync(
        SpillLog.Reader reader, Table table, CancellationToken cancellationToken)
    {
        var packed = new byte[table.PackedLength];
        reader.Position = table.Position;
        await reader.ReadAsync(packed, cancellationToken).ConfigureAwait(false);
        var bytes = new byte[table.Length];
        SparseBytes.Unpack(packed, bytes);
        return new LayoutSegment(table.HostOffset, table.Length, -1, bytes);
    }
}
