using System.Buffers.Binary;
using System.Security.Cryptography;
using ImageUtils.Mapping;

namespace ImageUtils.Conversion;

/// <summary>
/// A hash of a guest's disk that can be made in any order and in parallel: the exclusive or of the SHA-256 of each
/// window of 2 MiB that is not zero, its offset before it and zeros at its end left out. Disks that differ in nothing but
/// zeros at their ends have the same.
/// </summary>
internal sealed class GuestDigest
{
    private readonly byte[] _sum = new byte[SHA256.HashSizeInBytes];

    /// <summary>Hashes a window.</summary>
    /// <returns>Its hash; null where it is zero and adds nothing.</returns>
    internal static byte[]? HashOf(long guestOffset, ReadOnlySpan<byte> window)
    {
        var end = window.LastIndexOfAnyExcept((byte)0) + 1;
        if (end == 0)
        {
            return null;
        }

        Span<byte> offset = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(offset, guestOffset);
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        sha.AppendData(offset);
        sha.AppendData(window[..end]);
        return sha.GetHashAndReset();
    }

    /// <summary>Adds a window's hash; one caller at a time.</summary>
    internal void Add(byte[]? hash)
    {
        for (var index = 0; index < hash?.Length; index++)
        {
            _sum[index] ^= hash[index];
        }
    }

    /// <summary>Takes up a sum that was stored.</summary>
    internal void Load(ReadOnlySpan<byte> sum) => sum.CopyTo(_sum);

    /// <summary>The sum of what was added so far.</summary>
    internal byte[] ToArray() => [.. _sum];

    /// <summary>Reads a whole disk and makes its hash.</summary>
    internal static async Task<byte[]> OfAsync(
        ImageMap map, Action<long>? onPosition, CancellationToken cancellationToken)
    {
        var digest = new GuestDigest();
        await ChunkLine.RunAsync(
            map, 0, () => new Worker(), null,
            (chunk, _) =>
            {
                digest.Add(chunk.Hash);
                onPosition?.Invoke(chunk.GuestEnd);
                return ValueTask.CompletedTask;
            },
            cancellationToken).ConfigureAwait(false);
        return digest.ToArray();
    }

    private sealed class Worker : ChunkLine.IWorker
    {
        private readonly ExtentReader _reader = new();

        public async ValueTask PrepareAsync(Chunk chunk, CancellationToken cancellationToken)
        {
            await chunk.FetchAsync(_reader, cancellationToken).ConfigureAwait(false);
            chunk.Hash = HashOf(chunk.GuestOffset, chunk.Data.Span[..(int)chunk.Length]);
        }

        public void Dispose() => _reader.Dispose();
    }
}
