using ImageUtils.Formats.Vhd;
using ImageUtils.IO;

namespace ImageUtils.VhdChains;

/// <summary>A raw disk or fixed VHD that its children are merged into: every byte has its place.</summary>
/// <param name="editor">What the disk was opened by, if it is a VHD; it is closed with this.</param>
/// <param name="sink">Writes to the file.</param>
/// <param name="length">The disk's size in bytes.</param>
internal sealed class LinearMergeTarget(VhdEditor? editor, IByteSink sink, long length) : IMergeTarget
{
    // Null: the disk is raw.
    private VhdFooter? _footer = editor?.Footer;

    public long VirtualSize { get; private set; } = length;

    public bool NeedsZeros => true;

    /// <inheritdoc/>
    /// <remarks>
    /// A fixed VHD gets a footer with the old size at its new end; then the old footer, which is now behind the disk's
    /// end, is zeroed; then the footer gets the new size.
    /// </remarks>
    public async ValueTask PrepareGrowthAsync(long size, CancellationToken cancellationToken)
    {
        if (_footer is null)
        {
            await sink.SetLengthAsync(size, cancellationToken).ConfigureAwait(false);
            VirtualSize = size;
            return;
        }

        await WriteFooterAsync(_footer, size, cancellationToken).ConfigureAwait(false);
        await sink.WriteZeroesAsync(VirtualSize, VhdFooter.Length, cancellationToken).ConfigureAwait(false);
        await sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        _footer = VhdEditor.WithSize(_footer, size);
        await WriteFooterAsync(_footer, size, cancellationToken).ConfigureAwait(false);
        VirtualSize = size;
    }

    public async ValueTask ShrinkAsync(long size, CancellationToken cancellationToken)
    {
        if (_footer is not null)
        {
            _footer = VhdEditor.WithSize(_footer, size);
            await WriteFooterAsync(_footer, size, cancellationToken).ConfigureAwait(false);
        }

        await sink.SetLengthAsync(size + (_footer is null ? 0 : VhdFooter.Length), cancellationToken)
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

    public void Dispose() => editor?.Dispose();

    private async ValueTask WriteFooterAsync(VhdFooter written, long at, CancellationToken cancellationToken)
    {
        var bytes = new byte[VhdFooter.Length];
        written.Write(bytes);
        await sink.WriteAsync(at, bytes, cancellationToken).ConfigureAwait(false);
        await sink.FlushAsync(cancellationToken).ConfigureAwait(false);
    }
}
