using System.Text;

namespace ImageUtils.Tests.Codecs;

/// <summary>Units such as disks have: text, records, noise, runs, and mixtures, the same in every run.</summary>
internal static class CodecSamples
{
    public static readonly string[] Kinds = ["zeros", "text", "records", "noise", "mixed", "far"];

    public static readonly int[] Lengths =
        [1, 2, 3, 4, 7, 258, 511, 512, 513, 4095, 4096, 4097, 65535, 65536, 65537, 131070, 2 * 1024 * 1024];

    public static byte[] Make(string kind, int length)
    {
        var random = new Random(kind.Length * 7919 + length);
        var unit = new byte[length];
        switch (kind)
        {
            case "zeros":
                break;
            case "text":
                Text(random, unit);
                break;
            case "records":
                for (var at = 0; at < length; at++)
                {
                    unit[at] = (byte)(at % 24 < 4 ? at / 24 >> 8 * (at % 24) : at % 24 < 8 ? random.Next(16) : at % 24);
                }

                break;
            case "noise":
                random.NextBytes(unit);
                break;
            case "mixed":
                Text(random, unit.AsSpan(0, length / 3));
                random.NextBytes(unit.AsSpan(length / 3, length / 3));
                break;
            case "far":
                // Noise that comes back after 3 to 33 KiB: a match that only a larger window could find, or not.
                random.NextBytes(unit);
                for (var at = 40960; at + 600 <= length; at += 600)
                {
                    var from = at - random.Next(3 * 1024, 33 * 1024);
                    unit.AsSpan(from, 500).CopyTo(unit.AsSpan(at));
                }

                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(kind), kind, null);
        }

        return unit;
    }

    private static void Text(Random random, Span<byte> unit)
    {
        string[] words =
            ["the ", "cluster ", "offset ", "of ", "a ", "volume ", "is ", "zero ", "0x00", "\n", "read", "ing ", "un"];
        for (var at = 0; at < unit.Length;)
        {
            var word = Encoding.ASCII.GetBytes(
                random.Next(8) == 0 ? $"{random.Next(100000)} " : words[random.Next(words.Length)]);
            var count = Math.Min(word.Length, unit.Length - at);
            word.AsSpan(0, count).CopyTo(unit[at..]);
            at += count;
        }
    }
}
