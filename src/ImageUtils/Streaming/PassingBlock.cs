namespace ImageUtils.Streaming;

/// <summary>A part of a file that passes, and what is to be done with it. It is used again and again.</summary>
internal sealed class PassingBlock
{
    /// <summary>How much of the file passes at once, in bytes.</summary>
    internal const int Length = 2 << 20;

    private byte[] _buffer = new byte[Length];
    private int _users;

    /// <summary>Where the bytes begin in the file: before those that are new, the beginnings of units that end in them.</summary>
    internal long HostOffset { get; private set; }

    /// <summary>Where the new bytes begin in the file.</summary>
    internal long NewOffset { get; private set; }

    /// <summary>How many bytes are new.</summary>
    internal int NewLength { get; set; }

    internal long HostEnd => NewOffset + NewLength;

    /// <summary>All bytes.</summary>
    internal ReadOnlySpan<byte> Bytes => _buffer.AsSpan(0, (int)(HostEnd - HostOffset));

    /// <summary>The bytes that are new.</summary>
    internal Memory<byte> New => _buffer.AsMemory((int)(NewOffset - HostOffset), NewLength);

    /// <summary>Where the new bytes are read into.</summary>
    internal Memory<byte> Room => _buffer.AsMemory((int)(NewOffset - HostOffset), Length);

    /// <summary>The pieces, or parts of stored ones, that can be had from the bytes.</summary>
    internal List<PassingPiece> Pieces { get; } = [];

    internal ReadOnlyMemory<byte> this[long hostOffset, int length] =>
        _buffer.AsMemory((int)(hostOffset - HostOffset), length);

    /// <summary>Begins a block behind bytes that are kept from the one before.</summary>
    internal void Begin(long newOffset, ReadOnlySpan<byte> before)
    {
        if (_buffer.Length < before.Length + Length)
        {
            _buffer = new byte[before.Length + Length];
        }

        before.CopyTo(_buffer);
        HostOffset = newOffset - before.Length;
        NewOffset = newOffset;
        NewLength = 0;
        Pieces.Clear();
    }

    /// <summary>Gives the block to a number of users.</summary>
    internal void Share(int users) => _users = users;

    /// <summary>Returns whether the last user is done with it.</summary>
    internal bool Release() => Interlocked.Decrement(ref _users) == 0;
}
