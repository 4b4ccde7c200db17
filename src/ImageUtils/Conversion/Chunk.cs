using ImageUtils.IO;
using ImageUtils.Mapping;

namespace ImageUtils.Conversion;

/// <summary>What a piece of a chunk is to the target.</summary>
internal enum PieceKind
{
    /// <summary>Zeros.</summary>
    Zero,

    /// <summary>Bytes of <see cref="Chunk.Data"/>.</summary>
    Data,

    /// <summary>Bytes of <see cref="Chunk.Encoded"/>: one compressed unit.</summary>
    Compressed,
}

/// <summary>A piece of a chunk.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="GuestOffset">Where it begins on the guest's disk.</param>
/// <param name="Length">Its length in bytes; of a compressed unit, the compressed length.</param>
/// <param name="Start">Where it begins in the buffer.</param>
internal readonly record struct Piece(PieceKind Kind, long GuestOffset, long Length, int Start);

/// <summary>
/// A window of the guest's disk on its way: the extents that it is made of, then its bytes, then the pieces that go to
/// the target. Its buffers are used again and again.
/// </summary>
internal sealed class Chunk : IDisposable
{
    /// <summary>The longest window that is fetched, in bytes; windows begin at its multiples.</summary>
    internal const int Size = 2 << 20;

    private readonly AlignedBuffer _data = new(Size);
    private byte[] _encoded = [];

    /// <summary>Where the window begins.</summary>
    public long GuestOffset { get; set; }

    /// <summary>The window's length; longer than <see cref="Size"/> only where all of it is empty.</summary>
    public long Length { get; set; }

    public long GuestEnd => GuestOffset + Length;

    /// <summary>What the window is made of.</summary>
    public List<Extent> Extents { get; } = [];

    /// <summary>What goes to the target, in ascending order.</summary>
    public List<Piece> Pieces { get; } = [];

    /// <summary>The window's bytes.</summary>
    public Memory<byte> Data => _data.Memory;

    /// <summary>The compressed units' bytes.</summary>
    public Memory<byte> Encoded => _encoded;

    /// <summary>The window's hash, where one is made; null where all of it is zero.</summary>
    public byte[]? Hash { get; set; }

    /// <summary>Whether it waits for nothing but its turn to be taken.</summary>
    public bool IsReady { get; set; }

    /// <summary>Whether nothing has to be fetched for it.</summary>
    public bool IsEmpty => Extents.Count == 0;

    internal void Reset(long guestOffset)
    {
        GuestOffset = guestOffset;
        Length = 0;
        Extents.Clear();
        Pieces.Clear();
        Hash = null;
        IsReady = false;
    }

    /// <summary>Fetches the whole window, zeros where it is empty.</summary>
    internal async ValueTask FetchAsync(ExtentReader reader, CancellationToken cancellationToken)
    {
        var at = GuestOffset;
        foreach (var extent in Extents)
        {
            Clear(at, extent.GuestOffset);
            at = extent.GuestEnd;
        }

        Clear(at, GuestOffset + Size);
        await reader.ReadAsync(Extents, GuestOffset, Data, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Makes room for compressed units.</summary>
    internal void Reserve(int length)
    {
        if (_encoded.Length < length)
        {
            _encoded = GC.AllocateUninitializedArray<byte>(length);
        }
    }

    private void Clear(long from, long to) =>
        _data.GetSpan()[(int)(from - GuestOffset)..(int)(to - GuestOffset)].Clear();

    public void Dispose() => ((IDisposable)_data).Dispose();
}
