using ImageUtils.IO;

namespace ImageUtils.Conversion;

/// <summary>
/// Lays out one image of a format. It is given the guest's data in ascending order and says where each unit goes; the
/// places depend only on the options and on which ranges came before, so that the same disk makes the same file, a
/// dry run over a sink that only counts gives the exact size, and an interrupted run can be taken up again.
/// </summary>
/// <remarks>
/// The order of calls: <see cref="BeginAsync"/>, then any number of writes at ascending guest offsets, each byte once
/// at most, then <see cref="FinishAsync"/>. Guest ranges that are never written read as zeros (as the parent, in a
/// differencing image). One caller at a time. Tables that are complete are written out, so that a bounded amount of
/// memory is used whatever the size.
/// </remarks>
public abstract class ImageWriter
{
    private IByteSink? _sink;

    /// <summary>The disk's size in bytes as the image will state it; at least what was asked for.</summary>
    public abstract long VirtualSize { get; }

    /// <summary>
    /// The unit of allocation in guest bytes. <see cref="PlaceAsync"/> is never asked for a range across its multiples.
    /// </summary>
    public abstract long UnitSize { get; }

    /// <summary>
    /// Where the guest's byte 0 lies in the file, where all others follow it without gaps (raw and fixed images); null
    /// where units are placed one by one. Such a file has its full length from <see cref="BeginAsync"/> on.
    /// </summary>
    public virtual long? LinearOffset => null;

    /// <summary>How units are to be compressed; null where they are not.</summary>
    public virtual UnitCompression? Compression => null;

    /// <summary>
    /// The file's length if every unit held data as it is, where that can be said without placing each; else null.
    /// </summary>
    internal virtual long? FullLength => null;

    /// <summary>
    /// Has the file written in ascending order from its first byte to its last, for a sink that cannot go back, where
    /// the format has a way to say at the end what is known only there. Called before <see cref="BeginAsync"/>; such a
    /// run cannot be taken up again.
    /// </summary>
    /// <returns>Whether it will be.</returns>
    internal virtual bool TryAppend() => false;

    /// <summary>Where the bytes go.</summary>
    protected IByteSink Sink =>
        _sink ?? throw new InvalidOperationException("The writer has not begun.");

    /// <summary>
    /// Starts. Writes nothing of the final header: until <see cref="FinishAsync"/> is done, the file is no image.
    /// </summary>
    /// <param name="sink">Where the bytes go.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public ValueTask BeginAsync(IByteSink sink, CancellationToken cancellationToken)
    {
        _sink = sink;
        return StartAsync(cancellationToken);
    }

    /// <summary>Writes data of the guest's, as it is.</summary>
    /// <param name="guestOffset">Where it lies on the disk.</param>
    /// <param name="data">Any number of bytes, within <see cref="VirtualSize"/>.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public async ValueTask WriteAsync(long guestOffset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        // Pieces of neighbouring units that lie side by side in the file go out in one write.
        var pendingHost = 0L;
        var pendingLength = 0;
        while (data.Length > pendingLength)
        {
            var at = guestOffset + pendingLength;
            var piece = (int)Math.Min(data.Length - pendingLength, UnitSize - at % UnitSize);
            var host = await PlaceAsync(at, piece, cancellationToken).ConfigureAwait(false);
            if (pendingLength > 0 && host != pendingHost + pendingLength)
            {
                await Sink.WriteAsync(pendingHost, data[..pendingLength], cancellationToken).ConfigureAwait(false);
                data = data[pendingLength..];
                guestOffset += pendingLength;
                pendingLength = 0;
            }

            pendingHost = pendingLength == 0 ? host : pendingHost;
            pendingLength += piece;
        }

        if (pendingLength > 0)
        {
            await Sink.WriteAsync(pendingHost, data, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Says that a range of the guest's disk is zero. Needed only for a linear layout on a sink that is not zeroed, and
    /// over a backing file or parent that must not show through.
    /// </summary>
    public virtual ValueTask WriteZeroesAsync(long guestOffset, long length, CancellationToken cancellationToken) =>
        LinearOffset is { } offset && !Sink.IsZeroed
            ? Sink.WriteZeroesAsync(offset + guestOffset, length, cancellationToken)
            : ValueTask.CompletedTask;

    /// <summary>Writes a unit that was compressed as <see cref="Compression"/> says.</summary>
    /// <param name="guestOffset">Where the unit begins on the disk, a multiple of <see cref="UnitSize"/>.</param>
    /// <param name="compressed">The compressed bytes.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public virtual ValueTask WriteCompressedAsync(
        long guestOffset, ReadOnlyMemory<byte> compressed, CancellationToken cancellationToken) =>
        throw new InvalidOperationException("The format does not compress.");

    /// <summary>
    /// Finds, or makes, the place of a range that lies within one unit.
    /// </summary>
    /// <remarks>
    /// A new unit's space reads as zeros: on a sink that is not zeroed, the writer sees to that (see
    /// <see cref="ClearAsync"/>).
    /// </remarks>
    /// <returns>The host offset of the range's first byte; the others follow.</returns>
    public abstract ValueTask<long> PlaceAsync(long guestOffset, long length, CancellationToken cancellationToken);

    /// <summary>Finds, or makes, the places of a range that may lie in many units.</summary>
    internal async ValueTask PlaceUnitsAsync(long guestOffset, long length, CancellationToken cancellationToken)
    {
        while (length > 0)
        {
            var piece = Math.Min(length, UnitSize - guestOffset % UnitSize);
            await PlaceAsync(guestOffset, piece, cancellationToken).ConfigureAwait(false);
            guestOffset += piece;
            length -= piece;
        }
    }

    /// <summary>
    /// Writes all that is not written yet, tables first and the header that makes the file an image last, and sets the
    /// file's length. It does not flush.
    /// </summary>
    public abstract ValueTask FinishAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Stores what <see cref="LoadState"/> needs to go on after the writes so far: the end of the file, and tables that
    /// are not written out.
    /// </summary>
    public abstract void SaveState(BinaryWriter writer);

    /// <summary>
    /// Takes the place of <see cref="BeginAsync(IByteSink, CancellationToken)"/> on a file that holds all that was
    /// written before <see cref="SaveState"/>.
    /// </summary>
    /// <exception cref="EndOfStreamException">The state is cut short.</exception>
    /// <exception cref="InvalidDataException">The state is not this writer's.</exception>
    public void LoadState(IByteSink sink, BinaryReader reader)
    {
        _sink = sink;
        RestoreState(reader);
    }

    /// <inheritdoc cref="BeginAsync"/>
    protected abstract ValueTask StartAsync(CancellationToken cancellationToken);

    /// <inheritdoc cref="LoadState"/>
    protected abstract void RestoreState(BinaryReader reader);

    /// <summary>Makes new space in the file read as zeros, where it does not by itself.</summary>
    protected ValueTask ClearAsync(long offset, long length, CancellationToken cancellationToken) =>
        Sink.IsZeroed ? ValueTask.CompletedTask : Sink.WriteZeroesAsync(offset, length, cancellationToken);
}
