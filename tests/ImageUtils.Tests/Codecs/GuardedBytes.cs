namespace ImageUtils.Tests.Codecs;

/// <summary>A buffer between two strips of a known pattern, which shows what is written outside it.</summary>
internal sealed class GuardedBytes(int length)
{
    private const int Strip = 4096;
    private const byte Pattern = 0xA7;

    private readonly byte[] _all = Filled(length + 2 * Strip);

    public Span<byte> Bytes => _all.AsSpan(Strip, length);

    public void AssertNothingWrittenOutside()
    {
        Assert.False(_all.AsSpan(0, Strip).ContainsAnyExcept(Pattern), "bytes before the buffer were written");
        Assert.False(_all.AsSpan(Strip + length).ContainsAnyExcept(Pattern), "bytes behind the buffer were written");
    }

    private static byte[] Filled(int length)
    {
        var all = new byte[length];
        all.AsSpan().Fill(Pattern);
        return all;
    }
}
