using ImageUtils.Errors;
using Microsoft.Win32.SafeHandles;

namespace ImageUtils.IO;

/// <summary>A file or block device that is open for writing. It is opened, named and removed elsewhere.</summary>
internal sealed class FileByteSink : IByteSink
{
    // What zeros are written from where the system has no cheaper way.
    private const int ZeroLength = 1 << 20;

    // One request to a device at a time must not keep a cancellation waiting.
    private const long LongestZeroOut = 1L << 30;

    // Blocks of every file system that shares them are at most this long.
    private const long CloneAlignment = 4096;

    private static readonly byte[] s_zeros = new byte[ZeroLength];

    private readonly SafeFileHandle _handle;
    private readonly SafeFileHandle? _direct;
    private readonly string _path;
    private bool _canZeroOut = true;

    /// <param name="handle">The open file; the caller closes it.</param>
    /// <param name="path">The target's path, for messages.</param>
    /// <param name="isZeroed">Whether what is not written reads as zero.</param>
    /// <param name="deviceLength">A block device's length in bytes; null for a file.</param>
    /// <param name="direct">The device, opened past the page cache, for writes that are aligned; or null.</param>
    internal FileByteSink(
        SafeFileHandle handle, string path, bool isZeroed, long? deviceLength = null, SafeFileHandle? direct = null)
    {
        _handle = handle;
        _path = path;
        IsZeroed = isZeroed;
        Capacity = deviceLength;
        _direct = direct;
    }

    public bool IsZeroed { get; }

    public long? Capacity { get; }

    /// <summary>How many bytes were written; zeros that took no writing are not counted.</summary>
    public long BytesWritten { get; private set; }

    public ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        BytesWritten += data.Length;
        var handle = _direct is not null && IsAligned(offset, data) ? _direct : _handle;
        Write(handle, offset, data.Span);
        return ValueTask.CompletedTask;
    }

    public ValueTask WriteZeroesAsync(long offset, long length, CancellationToken cancellationToken)
    {
        if (Capacity is null)
        {
            if (OperatingSystem.IsLinux()
                && PosixWriting.Allocate(
                    _handle, PosixWriting.PunchHole | PosixWriting.KeepSize, offset, length) == 0)
            {
                return ValueTask.CompletedTask;
            }

            return FillAsync(offset, length, cancellationToken);
        }

        while (length > 0 && _canZeroOut)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var piece = Math.Min(length, LongestZeroOut);
            if (PosixWriting.ZeroOut(_handle, offset, piece) != 0)
            {
                _canZeroOut = offset % 4096 != 0 || piece % 4096 != 0;
                break;
            }

            BytesWritten += piece;
            offset += piece;
            length -= piece;
        }

        return length > 0 ? FillAsync(offset, length, cancellationToken) : ValueTask.CompletedTask;
    }

    public ValueTask FillAsync(long offset, long length, CancellationToken cancellationToken)
    {
        while (length > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var piece = (int)Math.Min(length, ZeroLength);
            Write(_handle, offset, s_zeros.AsSpan(0, piece));
            BytesWritten += piece;
            offset += piece;
            length -= piece;
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask AllocateAsync(long offset, long length, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (Capacity is not null || length == 0)
        {
            return ValueTask.CompletedTask;
        }

        if (!OperatingSystem.IsLinux())
        {
            return FillAsync(offset, length, cancellationToken);
        }

        // In pieces, so that a cancellation does not wait for all of it.
        while (length > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var piece = Math.Min(length, LongestZeroOut);
            var error = PosixWriting.Allocate(_handle, 0, offset, piece);
            if (error == PosixWriting.ErrorNotSupported)
            {
                return FillAsync(offset, length, cancellationToken);
            }

            ThrowIfError(error, offset);
            offset += piece;
            length -= piece;
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (Capacity is { } capacity)
        {
            return length <= capacity
                ? ValueTask.CompletedTask
                : throw new ImageWriteException(
                    ImageWriteProblem.TooLarge, _path,
                    $"'{_path}' has {capacity} bytes, but the image takes {length}. Nothing was written beyond its "
                    + "end; use a larger device.");
        }

        if (OperatingSystem.IsLinux())
        {
            ThrowIfError(PosixWriting.SetLength(_handle, length), length);
        }
        else
        {
            RandomAccess.SetLength(_handle, length);
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask<bool> TryCloneAsync(
        IByteSource source, long sourceOffset, long offset, long length, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult(
            OperatingSystem.IsLinux() && Capacity is null && source is FileByteSource { IsBlockDevice: false } file
            && sourceOffset % CloneAlignment == 0 && offset % CloneAlignment == 0
            && PosixWriting.Clone(file.Handle, sourceOffset, _handle, offset, length) == 0);
    }

    public ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            RandomAccess.FlushToDisk(_handle);
        }
        catch (IOException exception)
        {
            throw new ImageWriteException(
                ImageWriteProblem.WriteFailed, _path,
                $"Writing '{_path}' to its disk failed: {exception.Message}. What was written may be lost.");
        }

        return ValueTask.CompletedTask;
    }

    private static unsafe bool IsAligned(long offset, ReadOnlyMemory<byte> data)
    {
        if (offset % AlignedBuffer.Alignment != 0 || data.Length % AlignedBuffer.Alignment != 0)
        {
            return false;
        }

        using var pin = data.Pin();
        return (nuint)pin.Pointer % AlignedBuffer.Alignment == 0;
    }

    private void Write(SafeFileHandle handle, long offset, ReadOnlySpan<byte> data)
    {
        if (Capacity is { } capacity && offset > capacity - data.Length)
        {
            throw new ImageWriteException(
                ImageWriteProblem.TooLarge, _path,
                $"'{_path}' has {capacity} bytes, and the image does not fit. Use a larger device.");
        }

        if (!OperatingSystem.IsLinux())
        {
            WritePortably(handle, offset, data);
            return;
        }

        while (data.Length > 0)
        {
            var written = PosixWriting.WriteAt(handle, data, offset);
            if (written == -Posix.ErrorInterrupted)
            {
                continue;
            }

            ThrowIfError(written < 0 ? (int)-written : written == 0 ? PosixWriting.ErrorNoSpace : 0, offset);
            data = data[(int)written..];
            offset += written;
        }
    }

    private void WritePortably(SafeFileHandle handle, long offset, ReadOnlySpan<byte> data)
    {
        try
        {
            RandomAccess.Write(handle, data, offset);
        }
        catch (IOException exception)
        {
            // ERROR_DISK_FULL and ERROR_HANDLE_DISK_FULL.
            const int DiskFull = unchecked((int)0x80070070);
            const int HandleDiskFull = unchecked((int)0x80070027);
            throw exception.HResult is DiskFull or HandleDiskFull
                ? DestinationErrors.NoSpace(_path, offset)
                : new ImageWriteException(
                    ImageWriteProblem.WriteFailed, _path,
                    $"Writing '{_path}' at byte {offset} failed: {exception.Message}.");
        }
    }

    private void ThrowIfError(int error, long offset)
    {
        if (error != 0)
        {
            throw DestinationErrors.From(error, _path, offset);
        }
    }
}
