using ImageUtils.IO;

namespace ImageUtils.Conversion;

/// <summary>How a new image becomes complete, before it is looked at and gets its name.</summary>
internal static class Completion
{
    /// <summary>Writes all that is missing, and zeros over the rest of a device that is itself the disk.</summary>
    internal static async ValueTask FinishAsync(
        ImageWriter writer, IByteSink sink, CancellationToken cancellationToken)
    {
        await writer.FinishAsync(cancellationToken).ConfigureAwait(false);

        // What a device held after the image's end would be the guest's to read: a volume is often larger than its
        // image.
        if (sink.Capacity is { } capacity && writer.LinearOffset == 0 && capacity > writer.VirtualSize)
        {
            await sink.WriteZeroesAsync(writer.VirtualSize, capacity - writer.VirtualSize, cancellationToken)
                .ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Flushes. The disk may take long, and the call cannot be ended: whoever cancels does not wait for it. The
    /// descriptor stays open until it is done, whoever closes it meanwhile.
    /// </summary>
    internal static Task FlushAsync(IByteSink sink, CancellationToken cancellationToken) =>
        Task.Run(() => sink.FlushAsync(CancellationToken.None).AsTask(), CancellationToken.None)
            .WaitAsync(cancellationToken);
}
