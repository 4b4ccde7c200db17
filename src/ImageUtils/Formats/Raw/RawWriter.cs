using ImageUtils.Conversion;

namespace ImageUtils.Formats.Raw;

/// <summary>Writes a disk without a container: sparse, or with its space reserved or written.</summary>
internal sealed class RawWriter : ImageWriter
{
    private readonly PreallocationMode _preallocation;

    internal RawWriter(WriterOptions options)
    {
        OptionCheck.RefuseAllBut(
            options, ImageFormat.Raw, nameof(WriterOptions.VirtualSize), nameof(WriterOptions.Preallocation));
        VirtualSize = options.VirtualSize;
        _preallocation = options.Preallocation;
    }

    public override long VirtualSize { get; }

    // There are no units: any range is in its place.
    public override long UnitSize => long.MaxValue;

    public override long? LinearOffset => 0;

    public override ValueTask<long> PlaceAsync(long guestOffset, long length, CancellationToken cancellationToken) =>
        ValueTask.FromResult(guestOffset);

    public override ValueTask FinishAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public override void SaveState(BinaryWriter writer)
    {
    }

    protected override void RestoreState(BinaryReader reader)
    {
    }

    protected override async ValueTask StartAsync(CancellationToken cancellationToken)
    {
        await Sink.SetLengthAsync(VirtualSize, cancellationToken).ConfigureAwait(false);
        switch (_preallocation)
        {
            case PreallocationMode.Falloc:
                await Sink.AllocateAsync(0, VirtualSize, cancellationToken).ConfigureAwait(false);
                break;
            case PreallocationMode.Full:
                await Sink.FillAsync(0, VirtualSize, cancellationToken).ConfigureAwait(false);
                break;
        }
    }
}
