using ImageUtils.Formats.Vhd;
using ImageUtils.IO;

namespace ImageUtils.VhdChains;

/// <summary>A raw disk or fixed VHD that its children are merged into: every byte has its place.</summary>
/// <param name="file">The file.</param>
/// <param name="sink">Writes to it.</param>
/// <param name="footer">A fixed VHD's footer; null: the disk is raw.</param>
/// <param name="length">The disk's size in bytes.</param>
internal sealed class LinearMergeTarget(ImageLock file, IByteSink sink, VhdFooter? footer, long length) : IMergeTarget
{
    public long VirtualSize { get; private set; } = length;

    public bool NeedsZeros => true;

    /// <inheritdoc/>
    /// <remarks>
    /// A fixed VHD gets a footer with the old size at its new end; then the old footer, which is now behind the disk's
    /// end, is zeroed; then the footer gets the new size.
    /// </remarks>
    public async ValueTask GrowAsync(long size, CancellationToken cancellationToken)
    {
        if (footer is null)
        {
            await sink.SetLengthAsync(size, cancellationToken).ConfigureAwait(false);
            VirtualSize = size;
            return;
        }

        await WriteFooterAsync(footer, size, cancellationToken).ConfigureAwait(false);
        await sink.WriteZeroesAsync(VirtualSize, VhdFooter.Length, cancellationToken).ConfigureAwait(false);
        await sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        footer = VhdEditor.WithSize(footer, size);
        await WriteFooterAsync(footer, size, cancellationToken).ConfigureAwait(false);
        VirtualSize = size;
    }

    public async ValueTask ShrinkAsync(long size, CancellationToken cancellationToken)
    {
        if (footer is not null)
        {
            footer = VhdEditor.WithSize(footer, size);
            await WriteFooterAsync(footer, size, cancellationToken).ConfigureAwait(false);
        }

        await sink.SetLengthAsync(size + (footer is null ? 0 : VhdFooter.Length), cancellationToken)
            .ConfigureAwait(false);
        await sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        VirtualSize = size;
    }

    public ValueTask ReserveAsync(
        IAsyncEnumerable<(long Start, long End)> ranges, CancellationToken cancellationToken) =>
        ValueTask.CompletedTask;

    public ValueTask WriteAsync(long guestOffset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken) =>
        sink.WriteAsync(guestOffset, data, cancellationToken);

    public ValueTask WriteZeroesAsync(long guestOffset, long length, CancellationToken cancellationToken) =>
        sink.WriteZeroesAsync(guestOffset, length, cancellationToken);

    public ValueTask FinishAsync(CancellationToken cancellationToken) => sink.FlushAsync(cancellationToken);

    public void Dispose() => file.Dispose();

    private async ValueTask WriteFooterAsync(VhdFooter written, long at, CancellationToken cancellationToken)
    {
        var bytes = new byte[VhdFooter.Length];
        written.Write(bytes);
        await sink.WriteAsync(at, bytes, cancellationToken).ConfigureAwait(false);
        await sink.FlushAsync(cancellationToken).ConfigureAwait(false);
    }
}
