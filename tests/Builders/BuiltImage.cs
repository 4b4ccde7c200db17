using System.Buffers.Binary;
using System.Text;

namespace ImageUtils.Builders;

/// <summary>The bytes of an image under construction, with setters that name the byte order.</summary>
public sealed class BuiltImage
{
    private byte[] _bytes;

    public BuiltImage(int length) => _bytes = new byte[length];

    public BuiltImage(byte[] bytes) => _bytes = (byte[])bytes.Clone();

    public int Length => _bytes.Length;

    public byte[] ToArray() => (byte[])_bytes.Clone();

    public Span<byte> this[Range range] => _bytes.AsSpan(range);

    public BuiltImage Copy() => new(_bytes);

    /// <summary>Cuts off what is behind <paramref name="length"/>, or appends zeros.</summary>
    public BuiltImage Resize(int length)
    {
        Array.Resize(ref _bytes, length);
        return this;
    }

    public BuiltImage Put(int offset, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_bytes.AsSpan(offset));
        return this;
    }

    public BuiltImage Text(int offset, string text) => Put(offset, Encoding.UTF8.GetBytes(text));

    public BuiltImage Byte(int offset, byte value)
    {
        _bytes[offset] = value;
        return this;
    }

    public BuiltImage Big16(int offset, ushort value)
    {
        BinaryPrimitives.WriteUInt16BigEndian(_bytes.AsSpan(offset), value);
        return this;
    }

    public BuiltImage Big32(int offset, uint value)
    {
        BinaryPrimitives.WriteUInt32BigEndian(_bytes.AsSpan(offset), value);
        return this;
    }

    public BuiltImage Big64(int offset, ulong value)
    {
        BinaryPrimitives.WriteUInt64BigEndian(_bytes.AsSpan(offset), value);
        return this;
    }

    public BuiltImage Little16(int offset, ushort value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(offset), value);
        return this;
    }

    public BuiltImage Little32(int offset, uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(offset), value);
        return this;
    }

    public BuiltImage Little64(int offset, ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_bytes.AsSpan(offset), value);
        return this;
    }
}
