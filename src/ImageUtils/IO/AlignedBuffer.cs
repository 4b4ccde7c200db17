using System.Buffers;
using System.Runtime.InteropServices;

namespace ImageUtils.IO;

/// <summary>Memory outside the collector's heap, aligned to pages as direct writes to a device need it.</summary>
/// <remarks>Its owner disposes of it once nothing works with it any more.</remarks>
internal sealed unsafe class AlignedBuffer : MemoryManager<byte>
{
    internal const int Alignment = 4096;

    private readonly int _length;
    private byte* _start;

    internal AlignedBuffer(int length)
    {
        _length = length;
        _start = (byte*)NativeMemory.AlignedAlloc((nuint)length, Alignment);
    }

    public override Span<byte> GetSpan() => new(_start, _length);

    public override MemoryHandle Pin(int elementIndex = 0) => new(_start + elementIndex);

    public override void Unpin()
    {
    }

    protected override void Dispose(bool disposing)
    {
        NativeMemory.AlignedFree(_start);
        _start = null;
    }
}
