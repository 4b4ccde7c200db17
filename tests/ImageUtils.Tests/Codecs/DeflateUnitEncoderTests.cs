using ImageUtils.Codecs;

namespace ImageUtils.Tests.Codecs;

public sealed class DeflateUnitEncoderTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(9)]
    public void An_inflater_with_a_window_of_4_KiB_reads_what_is_written_for_qcow2(int level)
    {
        using var encoder = UnitEncoder.Create(UnitCodec.Deflate, level);
        foreach (var kind in CodecSamples.Kinds)
        {
            foreach (var length in new[] { 512, 65536, 262144 })
            {
                var unit = CodecSamples.Make(kind, length);
                var packed = new byte[UnitEncoder.MaximumEncodedLength(length)];
                var packedLength = encoder.Encode(unit, packed);
                Assert.Equal(unit, InflateInSteps(packed.AsSpan(0, packedLength), length, 12));
            }
        }
    }

    [Fact]
    public void The_same_inflater_refuses_what_looks_back_further()
    {
        // Shows that the test above can fail: zlib's window of 32 KiB finds what qcow2's must not.
        using var encoder = UnitEncoder.Create(UnitCodec.Zlib);
        var unit = CodecSamples.Make("far", 65536);
        var packed = new byte[UnitEncoder.MaximumEncodedLength(unit.Length)];
        var bare = packed.AsSpan(0, encoder.Encode(unit, packed))[2..^4];
        Assert.True(bare.Length < 50000, $"{bare.Length}");
        Assert.Null(InflateInSteps(bare, unit.Length, 12));
        Assert.Equal(unit, InflateInSteps(bare, unit.Length, 15));
    }

    [Fact]
    public void Matches_as_far_back_as_the_window_goes_are_found()
    {
        var unit = CodecSamples.Make("noise", 4095 + 100);
        unit.AsSpan(0, 100).CopyTo(unit.AsSpan(4095));
        using var encoder = UnitEncoder.Create(UnitCodec.Deflate);
        var packed = new byte[unit.Length + 100];
        var length = encoder.Encode(unit, packed);
        Assert.True(length < 4095 + 60, $"{length}");
        Assert.Equal(unit, InflateInSteps(packed.AsSpan(0, length), unit.Length, 12));
    }

    [Fact]
    public void Each_unit_stands_by_itself_and_gives_the_same_bytes_every_time()
    {
        using var used = UnitEncoder.Create(UnitCodec.Deflate);
        var units = CodecSamples.Kinds.Select(kind => CodecSamples.Make(kind, 65536)).ToList();
        foreach (var unit in units.Concat(units.AsEnumerable().Reverse()))
        {
            using var fresh = UnitEncoder.Create(UnitCodec.Deflate);
            var (first, second) = (new byte[70000], new byte[70000]);
            Assert.Equal(fresh.Encode(unit, first), used.Encode(unit, second));
            Assert.Equal(first, second);
        }
    }

    [Fact]
    public void Places_that_have_counted_to_their_end_start_anew()
    {
        using var matches = new MatchFinder(15, 258);
        byte[] unit = [.. "0123456789abcdef0123456789abcdef0123456789abcdef"u8];
        for (var round = 0; round < 70000; round++)
        {
            matches.Start(2 * 1024 * 1024);
        }

        AssertFinds(matches, unit);
        AssertFinds(matches, unit);
    }

    [Theory]
    [InlineData(15)]
    [InlineData(7)]
    public void A_prefix_code_is_full_and_no_longer_than_allowed(int longest)
    {
        var random = new Random(3);
        var code = new PrefixCode(19, longest);
        for (var round = 0; round < 200; round++)
        {
            var (previous, next) = (1, 1);
            for (var symbol = 0; symbol < 19; symbol++)
            {
                // Fibonacci's numbers make the deepest tree there is.
                (previous, next) = (next, previous + next);
                var chance = random.Next(3) == 0 ? 0 : random.Next(1 << random.Next(20));
                code.Frequencies[symbol] = round == 0 ? previous : chance;
            }

            code.Build();
            Assert.InRange(code.Lengths.Max(), 1, longest);
            Assert.Equal(1 << 15, code.Lengths.Sum(length => length == 0 ? 0 : 1 << (15 - length)));
            for (var symbol = 0; symbol < 19; symbol++)
            {
                Assert.True(code.Frequencies[symbol] == 0 || code.Lengths[symbol] > 0, $"symbol {symbol}");
                for (var other = 0; other < 19; other++)
                {
                    Assert.True(
                        code.Frequencies[symbol] <= code.Frequencies[other]
                            || code.Lengths[other] == 0 || code.Lengths[symbol] <= code.Lengths[other],
                        "a more frequent symbol has a longer word");
                }
            }
        }
    }

    [Fact]
    public void Random_units_of_random_lengths_come_back_at_each_level()
    {
        var random = new Random(11);
        using var decoder = new UnitDecoder();
        for (var level = 1; level <= 9; level++)
        {
            foreach (var codec in new[] { UnitCodec.Deflate, UnitCodec.Zlib })
            {
                using var encoder = UnitEncoder.Create(codec, level);
                for (var round = 0; round < 60; round++)
                {
                    // Few different bytes, and runs of them: matches of every length and distance, also overlapping.
                    var unit = new byte[random.Next(1, 20000)];
                    var kinds = random.Next(1, 6);
                    for (var at = 0; at < unit.Length;)
                    {
                        var run = Math.Min(random.Next(1, 1 << random.Next(1, 10)), unit.Length - at);
                        unit.AsSpan(at, run).Fill((byte)random.Next(kinds));
                        at += run;
                    }

                    var packed = new GuardedBytes(UnitEncoder.MaximumEncodedLength(unit.Length));
                    var length = encoder.Encode(unit, packed.Bytes);
                    packed.AssertNothingWrittenOutside();
                    var back = new byte[unit.Length];
                    decoder.Decode(codec, packed.Bytes[..length], back);
                    Assert.Equal(unit, back);
                }
            }
        }
    }

    private static unsafe void AssertFinds(MatchFinder matches, byte[] unit)
    {
        matches.Start(unit.Length);
        fixed (byte* bytes = unit)
        {
            for (var at = 0; at < 16; at++)
            {
                var none = 0;
                Assert.Equal(2, matches.Find(bytes + at, unit.Length - at, 2, 8, ref none));
            }

            var distance = 0;
            Assert.Equal(32, matches.Find(bytes + 16, 32, 2, 8, ref distance));
            Assert.Equal(16, distance);
        }
    }

    /// <summary>
    /// Inflates with 61 bytes of output at a time, so that what lies further back is in the inflater's window only;
    /// null where that is refused.
    /// </summary>
    private static unsafe byte[]? InflateInSteps(ReadOnlySpan<byte> packed, int length, int windowBits)
    {
        const int NoFlush = 0;
        var result = new List<byte>();
        var step = new byte[61];
        RuntimeZlib.Stream stream = default;
        Assert.Equal(RuntimeZlib.Ok, RuntimeZlib.InflateInit(&stream, -windowBits));
        try
        {
            fixed (byte* source = packed)
            fixed (byte* target = step)
            {
                stream.Input(source, packed.Length);
                int state;
                do
                {
                    stream.Output(target, step.Length);
                    state = RuntimeZlib.Inflate(&stream, NoFlush);
                    result.AddRange(step.AsSpan(0, step.Length - (int)stream.AvailableOut));
                    step.AsSpan().Fill(0xEE);
                }
                while (state == RuntimeZlib.Ok && result.Count <= length);
                return state == RuntimeZlib.StreamEnd ? [.. result] : null;
            }
        }
        finally
        {
            _ = RuntimeZlib.InflateEnd(&stream);
        }
    }
}
