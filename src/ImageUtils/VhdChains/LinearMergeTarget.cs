using ImageUtils.Formats.Vhd;
using ImageUtils.IO;

namespace ImageUtils.VhdChains;

/// <summary>A raw disk or fixed VHD that its children are merged into: every byte has its place.</summary>
/// <param name="editor">What the disk was opened by, if it is a VHD; it is closed with this.</param>
/// <param name="sink">Writes to the file.</param>
/// <param name="length">The disk's size in bytes.</param>
internal sealed class LinearMergeTarget(VhdEditor? editor, IByteSink sink, long length) : IMergeTarget
{
    public long VirtualSize { get; private set; } = length;

    public bool NeedsZeros => true;

    public async ValueTask PrepareGrowthAsync(long size, CancellationToken cancellationToken)
    {
        if (editor is null)
        {
            await sink.SetLengthAsync(size, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            await editor.GrowAsync(size, cancellationToken).ConfigureAwait(false);
        }

        VirtualSize = size;
    }

    public async ValueTask ShrinkAsync(long size, CancellationToken cancellationToken)
    {
        // A fixed VHD's new footer comes to lie behind its new end; the old one, at the file's end, goes then.
        if (editor is not null)
        {
            var footer = new byte[VhdFooter.Length];
            VhdEditor.WithSize(editor.Footer, size).Write(footer);
            await sink.WriteAsync(size, footer, cancellationToken).ConfigureAwait(false);
            await sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        }

        await sink.SetLengthAsync(size + (editor is null ? 0 : VhdFooter.Length), cancellationToken)
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
}
