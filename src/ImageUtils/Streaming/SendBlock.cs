using ImageUtils.IO;
using ImageUtils.Mapping;

namespace ImageUtils.Streaming;

/// <summary>
/// A piece of a file that is on its way out: what it is made of, then its bytes. Its buffers are used again and again.
/// </summary>
internal sealed class SendBlock : IDisposable
{
    /// <summary>The longest that is sent at once, in bytes.</summary>
    internal const int Size = 2 << 20;

    private static readonly byte[] s_zeros = new byte[Size];

    private readonly AlignedBuffer _data = new(Size);
    private readonly List<Piece> _pieces = [];
    private TaskCompletionSource _ready = new();
    private int _holders;

    private readonly record struct Piece(int Position, int Length, long GuestOffset, List<Extent>? Extents);

    /// <summary>How many bytes it holds.</summary>
    internal int Length { get; private set; }

    /// <summary>How many more fit; none where it has been closed.</summary>
    internal int Room { get; private set; }

    /// <summary>Whether it is the first of the file.</summary>
    internal bool IsFirst { get; private set; }

    /// <summary>Whether nothing follows.</summary>
    internal bool IsLast { get; set; }

    /// <summary>Whether all of it is zero.</summary>
    internal bool IsZero => _pieces.Count == 0;

    /// <summary>Its bytes, once they are there.</summary>
    internal ReadOnlyMemory<byte> Data => IsZero ? s_zeros.AsMemory(0, Length) : _data.Memory[..Length];

    /// <summary>What goes out: <see cref="Data"/>, or what they were compressed to.</summary>
    internal ReadOnlyMemory<byte> Output { get; set; }

    /// <summary>The checksum of <see cref="Data"/>, where they were compressed.</summary>
    internal uint Checksum { get; set; }

    /// <summary>Where compressed bytes are put.</summary>
    internal MemoryStream Packed { get; } = new();

    /// <summary>Ends when the bytes are there.</summary>
    internal Task Ready => _ready.Task;

    internal void Begin(bool isFirst)
    {
        (Length, Room, IsFirst, IsLast) = (0, Size, isFirst, false);
        _pieces.Clear();
        _ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    internal void AddZeroes(int length) => Grow(length);

    internal void AddBytes(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_data.GetSpan()[Length..]);
        _pieces.Add(new Piece(Length, bytes.Length, 0, null));
        Grow(bytes.Length);
    }

    internal void AddGuest(long guestOffset, int length, List<Extent> extents)
    {
        if (extents.Count > 0)
        {
            _pieces.Add(new Piece(Length, length, guestOffset, extents));
        }

        Grow(length);
    }

    /// <summary>Takes nothing more.</summary>
    internal void Close() => Room = 0;

    /// <summary>Fetches what it is made of.</summary>
    internal async ValueTask FetchAsync(ExtentReader reader, CancellationToken cancellationToken)
    {
        var at = 0;
        foreach (var piece in _pieces)
        {
            if (piece.Extents is not null)
            {
                foreach (var extent in piece.Extents)
                {
                    var start = piece.Position + (int)(extent.GuestOffset - piece.GuestOffset);
                    _data.GetSpan()[at..start].Clear();
                    at = start + (int)extent.Length;
                }

                await reader.ReadAsync(
                    piece.Extents, piece.GuestOffset, _data.Memory.Slice(piece.Position, piece.Length),
                    cancellationToken)
                    .ConfigureAwait(false);
            }
            else
            {
                _data.GetSpan()[at..piece.Position].Clear();
                at = piece.Position + piece.Length;
            }
        }

        if (!IsZero)
        {
            _data.GetSpan()[at..Length].Clear();
        }
    }

    internal void SetReady() => _ready.SetResult();

    /// <summary>Says how many will work with it.</summary>
    internal void Share(int holders) => _holders = holders;

    /// <summary>Says that one of them is done.</summary>
    /// <returns>Whether all are.</returns>
    internal bool Release() => Interlocked.Decrement(ref _holders) == 0;

    public void Dispose()
    {
        ((IDisposable)_data).Dispose();
        Packed.Dispose();
    }

    private void Grow(int length)
    {
        Length += length;
        Room -= length;
    }
}
