namespace ImageUtils.Streaming;

/// <summary>
/// Numbers in as many bytes as they need: seven bits in each, the lowest first, the highest bit where more follow.
/// </summary>
internal static class VariableNumber
{
    /// <summary>The most bytes that one takes.</summary>
    internal const int MaximumLength = 9;

    /// <summary>Writes a number of 0 or more.</summary>
    /// <returns>How many bytes it took.</returns>
    internal static int Write(long value, Span<byte> target)
    {
        var count = 0;
        for (; value >= 0x80; value >>= 7)
        {
            target[count++] = (byte)(value | 0x80);
        }

        target[count++] = (byte)value;
        return count;
    }
}
