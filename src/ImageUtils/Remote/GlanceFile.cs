using ImageUtils.Errors;
using ImageUtils.Glance;

namespace ImageUtils.Remote;

/// <summary>An image's data in Glance, which must be as long as Glance says.</summary>
internal sealed class GlanceFile(GlanceClient client, GlanceImage image) : IRemoteFile, IDisposable
{
    private GlanceDownload? _whole;

    public string Name => image.Id;

    public long? Length => image.Size;

    public bool HasRanges => image.Size is not null;

    public long BytesRead { get; private set; }

    public int Requests { get; private set; }

    public async ValueTask<int> ReadRangeAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        Requests++;
        try
        {
            using var download = await client.OpenReadAsync(image.Id, offset, buffer.Length, cancellationToken)
                .ConfigureAwait(false);
            var got = await ReadAsync(download, buffer, cancellationToken).ConfigureAwait(false);
            return got == buffer.Length ? got : throw Changed(offset + got);
        }
        catch (ImageRangeBeyondEndException)
        {
            throw Changed(offset);
        }
    }

    public async ValueTask<int> ReadNextAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (_whole is null)
        {
            Requests++;
            _whole = await client.OpenReadAsync(image.Id, 0, null, cancellationToken).ConfigureAwait(false);
        }

        return await ReadAsync(_whole, buffer, cancellationToken).ConfigureAwait(false);
    }

    public void Dispose() => _whole?.Dispose();

    private async ValueTask<int> ReadAsync(
        GlanceDownload download, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (download.TotalLength is { } total && image.Size is { } size && total != size)
        {
            throw Changed(total);
        }

        var got = await download.Stream.ReadAtLeastAsync(
            buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        BytesRead += got;
        return got;
    }

    private ImageFileException Changed(long length) => new(
        ImageFileProblem.Changed, Name,
        $"The image {Name} should have {image.Size} bytes, but its data ends at {length}. Have "
        + "whoever runs Glance look after it.");
}
