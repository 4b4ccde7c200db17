using ImageUtils.Errors;

namespace ImageUtils.Remote;

/// <summary>A file somewhere else, as an inspection reads it: ranges where they can be had, else all of it.</summary>
internal interface IRemoteFile
{
    /// <summary>What messages and results call it.</summary>
    string Name { get; }

    /// <summary>Its length in bytes; null where that is not known before its end.</summary>
    long? Length { get; }

    /// <summary>Whether ranges of it can be had; where that turns out to be wrong, a read says so.</summary>
    bool HasRanges { get; }

    /// <summary>How many bytes came.</summary>
    long BytesRead { get; }

    /// <summary>How many requests were made for them.</summary>
    int Requests { get; }

    /// <summary>Reads a range that lies within the file.</summary>
    /// <exception cref="ImageFileException">It is not the file that it was.</exception>
    /// <exception cref="ImageRangesUnsupportedException">There are no ranges after all.</exception>
    ValueTask<int> ReadRangeAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken);

    /// <summary>Reads the next bytes from the beginning on; fewer than fit only at the end.</summary>
    /// <exception cref="ImageDownloadCutException">The rest does not come.</exception>
    ValueTask<int> ReadNextAsync(Memory<byte> buffer, CancellationToken cancellationToken);
}
