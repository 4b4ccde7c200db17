namespace ImageUtils.Glance;

/// <summary>An image's data, or a range of it, that is being read.</summary>
public sealed class GlanceDownload : IDisposable, IAsyncDisposable
{
    private readonly ContinuedStream _stream;

    internal GlanceDownload(ContinuedStream stream, DownloadPiece first)
    {
        _stream = stream;
        TotalLength = first.Total;
        HonoursRanges = first.HonoursRanges;
        ContentMd5 = first.Md5;
        RequestId = first.RequestId;
    }

    /// <summary>The data, to be read asynchronously; it ends where the range or the image does.</summary>
    public Stream Stream => _stream;

    /// <summary>How long the whole image is, in bytes; null where the answer does not say.</summary>
    public long? TotalLength { get; }

    /// <summary>Whether ranges can be had; null where none was asked for.</summary>
    public bool? HonoursRanges { get; }

    /// <summary>The MD5 that Glance has of the whole image, in hexadecimal digits; null where it has none.</summary>
    public string? ContentMd5 { get; }

    /// <summary>The first request's id; null where the service gave none.</summary>
    public string? RequestId { get; }

    /// <summary>How often the reading was cut and continued.</summary>
    public int Continuations => _stream.Continuations;

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _stream.DisposeAsync();
}

/// <summary>An answer whose body is a piece of an image.</summary>
/// <param name="Response">The answer, whose headers agree with what was asked.</param>
/// <param name="Total">How long the whole image is, in bytes.</param>
/// <param name="HonoursRanges">Whether Range was heeded; null where it was not asked for.</param>
/// <param name="Md5">The whole image's MD5.</param>
/// <param name="RequestId">The service's name for the request.</param>
internal sealed record DownloadPiece(
    HttpResponseMessage Response, long? Total, bool? HonoursRanges, string? Md5, string? RequestId);

/// <summary>How a download that is cut is continued.</summary>
/// <param name="Maximum">How often.</param>
/// <param name="Delay">How long is waited before; longer each time.</param>
/// <param name="StallTimeout">How long no byte may come.</param>
internal sealed record ContinuationRules(int Maximum, TimeSpan Delay, TimeSpan StallTimeout);
