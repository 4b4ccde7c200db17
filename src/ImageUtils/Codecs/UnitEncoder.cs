namespace ImageUtils.Codecs;
internal abstract class UnitEncoder : IDisposable
{
    public static UnitEncoder Create(UnitCodec codec, int? level = null, int maximumUnitLength = 65536) => throw new NotSupportedException();
    public static (int Minimum, int Maximum, int Default) LevelsOf(UnitCodec codec) => (1, 9, 6);
    public abstract int Encode(ReadOnlySpan<byte> unit, Span<byte> target);
    public abstract void Dispose();
}
internal sealed class UnitDecoder : IDisposable
{
    public void Decode(UnitCodec codec, ReadOnlySpan<byte> source, Span<byte> target) => throw new NotSupportedException();
    public void Dispose() { }
}
