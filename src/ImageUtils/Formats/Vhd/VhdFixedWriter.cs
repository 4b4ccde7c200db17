using ImageUtils.Conversion;

namespace ImageUtils.Formats.Vhd;

/// <summary>Writes a fixed disk: the guest's bytes from the file's start, and the footer behind them.</summary>
internal sealed class VhdFixedWriter(VhdWriterOptions options) : ImageWriter
{
    public override long VirtualSize => options.Size.Bytes;

    // There are no units: any range is in its place.
    public override long UnitSize => long.MaxValue;

    public override long? LinearOffset => 0;

    public override ValueTask<long> PlaceAsync(long guestOffset, long length, CancellationToken cancellationToken) =>
        ValueTask.FromResult(guestOffset);

    public override async ValueTask FinishAsync(CancellationToken cancellationToken)
    {
        var footer = new byte[VhdFooter.Length];
        options.MakeFooter().Write(footer);
        await Sink.SetLengthAsync(VirtualSize + footer.Length, cancellationToken).ConfigureAwait(false);
        await Sink.WriteAsync(VirtualSize, footer, cancellationToken).ConfigureAwait(false);
    }

    public override void SaveState(BinaryWriter writer)
    {
    }

    protected override void RestoreState(BinaryReader reader)
    {
    }

    protected override async ValueTask StartAsync(CancellationToken cancellationToken)
    {
        VhdWriterOptions.RequireFile(Sink);
        await Sink.SetLengthAsync(VirtualSize + VhdFooter.Length, cancellationToken).ConfigureAwait(false);

        // What was where the footer goes must not be one.
        await ClearAsync(VirtualSize, VhdFooter.Length, cancellationToken).ConfigureAwait(false);
        switch (options.Preallocation)
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
