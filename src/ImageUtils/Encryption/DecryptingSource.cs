using ImageUtils.IO;

namespace ImageUtils.Encryption;

/// <summary>
/// The plain content of an encrypted area that reaches to the end of another source, or to a given length. Whole units
/// of encryption are read; the rest of a unit that has been read is kept, because below may be a stream that has moved
/// on.
/// </summary>
/// <remarks>Not for use from several threads at once.</remarks>
internal sealed class DecryptingSource : IByteSource
{
    private readonly IByteSource _source;
    private readonly SectorCipher _cipher;
    private readonly long _hostOffset;
    private readonly ulong _firstSector;
    private readonly long? _length;
    private readonly byte[] _kept;
    private long _keptUnit = -1;

    /// <param name="source">What holds the encrypted bytes.</param>
    /// <param name="cipher">Decrypts them; stays the caller's.</param>
    /// <param name="hostOffset">Where the encrypted area begins.</param>
    /// <param name="firstSector">The number that its first sector is encrypted with.</param>
    /// <param name="length">The area's length in bytes; null: it reaches to the end.</param>
    internal DecryptingSource(
        IByteSource source, SectorCipher cipher, long hostOffset, ulong firstSector = 0, long? length = null)
    {
        _source = source;
        _cipher = cipher;
        _hostOffset = hostOffset;
        _firstSector = firstSector;
        _length = length;
        _kept = new byte[cipher.SectorSize];
    }

    private int UnitLength => _cipher.SectorSize;

    /// <inheritdoc/>
    public async ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (_length is { } limit)
        {
            buffer = buffer[..(int)Math.Min(buffer.Length, Math.Max(0, limit - offset))];
        }

        if (offset > long.MaxValue - _hostOffset - buffer.Length - UnitLength)
        {
            return 0;
        }

        var copied = CopyKept(offset, buffer.Span);
        if (copied == buffer.Length)
        {
            return copied;
        }

        var start = offset + copied;
        var first = start / UnitLength;
        var end = (offset + buffer.Length + UnitLength - 1) / UnitLength;
        var units = new byte[(end - first) * UnitLength];
        var read = await _source
            .ReadAsync(_hostOffset + first * UnitLength, units, cancellationToken).ConfigureAwait(false);
        read -= read % UnitLength;
        if (read == 0)
        {
            return copied;
        }

        _cipher.Decrypt(units.AsSpan(0, read), GetSector(first));
        units.AsSpan(read - UnitLength, UnitLength).CopyTo(_kept);
        _keptUnit = first + read / UnitLength - 1;
        var plain = units.AsMemory(0, read)[(int)Math.Min(read, start - first * UnitLength)..];
        plain = plain[..Math.Min(plain.Length, buffer.Length - copied)];
        plain.CopyTo(buffer[copied..]);
        return copied + plain.Length;
    }

    /// <inheritdoc/>
    public async ValueTask<int> ReadTailAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        // Below is known as much of the end as a stream keeps; of that, the whole units of this area.
        var hostLength = await _source.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        var length = await GetLengthAsync(cancellationToken).ConfigureAwait(false);
        var tail = new byte[ForwardReader.TailLength];
        var read = await _source.ReadTailAsync(tail, cancellationToken).ConfigureAwait(false);
        var tailStart = Math.Max(0, hostLength - read - _hostOffset);
        var first = (tailStart + UnitLength - 1) / UnitLength;
        var count = (int)Math.Max(0, length - first * UnitLength);
        if (count == 0)
        {
            return 0;
        }

        var units = tail.AsMemory((int)(_hostOffset + first * UnitLength - (hostLength - read)), count);
        _cipher.Decrypt(units.Span, GetSector(first));
        units = units[Math.Max(0, units.Length - buffer.Length)..];
        units.CopyTo(buffer);
        return units.Length;
    }

    /// <inheritdoc/>
    public async ValueTask<long> GetLengthAsync(CancellationToken cancellationToken)
    {
        var hostLength = await _source.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        var length = Math.Min(Math.Max(0, hostLength - _hostOffset), _length ?? long.MaxValue);
        return length - length % UnitLength;
    }

    private ulong GetSector(long unit) =>
        _firstSector + (ulong)unit * (ulong)(UnitLength / SectorCipher.CountedLength);

    private int CopyKept(long offset, Span<byte> buffer)
    {
        if (offset / UnitLength != _keptUnit)
        {
            return 0;
        }

        var kept = _kept.AsSpan((int)(offset % UnitLength));
        kept = kept[..Math.Min(kept.Length, buffer.Length)];
        kept.CopyTo(buffer);
        return kept.Length;
    }
}
