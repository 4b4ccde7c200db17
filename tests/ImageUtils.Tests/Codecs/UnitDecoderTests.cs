using ImageUtils.Codecs;
using ImageUtils.Errors;

namespace ImageUtils.Tests.Codecs;

public sealed class UnitDecoderTests
{
    private const int Length = 8192;

    private const CodecEngines OnlyStreams = CodecEngines.Zstd;

    private static readonly CodecEngines[] s_engines =
        [CodecEngines.All, CodecEngines.RuntimeZlib | CodecEngines.Zstd, OnlyStreams];

    public static TheoryData<UnitCodec> Codecs() => new(InstalledCodecs());

    [Theory]
    [MemberData(nameof(Codecs))]
    public void What_follows_the_stream_is_passed_over(UnitCodec codec)
    {
        var (unit, packed) = Sample(codec);
        foreach (var tail in new[] { 0, 1, 3, 4, 511, 70000 })
        {
            foreach (var kind in new[] { "zeros", "noise", "text" })
            {
                var source = packed.Concat(CodecSamples.Make(kind, tail)).ToArray();
                Assert.All(s_engines, engines => Assert.Equal(unit, Decode(engines, codec, source, Length)));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Codecs))]
    public void A_stream_that_gives_fewer_bytes_than_asked_is_damaged(UnitCodec codec)
    {
        var (_, packed) = Sample(codec);
        foreach (var engines in s_engines)
        {
            Assert.Null(Decode(engines, codec, packed, Length + 1));
            Assert.Null(Decode(engines, codec, [], Length));
            Assert.Null(Decode(engines, codec, new byte[512], Length));
        }
    }

    [Fact]
    public void The_error_names_the_codec_and_both_lengths()
    {
        using var decoder = new UnitDecoder();
        var error = Assert.Throws<ImageFormatException>(
            () => decoder.Decode(UnitCodec.Deflate, new byte[] { 7, 7, 7 }, new byte[4096]));
        Assert.Equal("data", error.Check);
        Assert.Contains("3 bytes compressed with deflate", error.Message, StringComparison.Ordinal);
        Assert.Contains("4096", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(UnitCodec.Deflate)]
    [InlineData(UnitCodec.Zlib)]
    public void A_stream_longer_than_the_target_fills_it(UnitCodec codec)
    {
        var (unit, packed) = Sample(codec);
        foreach (var asked in new[] { 1, 512, 4096, Length - 1 })
        {
            Assert.All(
                s_engines, engines => Assert.Equal(unit[..asked], Decode(engines, codec, packed, asked)));
        }
    }

    [Theory]
    [MemberData(nameof(Codecs))]
    public void A_stream_that_is_cut_is_damaged_wherever_it_is_cut(UnitCodec codec)
    {
        var (unit, packed) = Sample(codec);
        for (var length = 0; length < packed.Length; length += length < 64 || length > packed.Length - 64 ? 1 : 37)
        {
            foreach (var engines in s_engines)
            {
                // Bare deflate may lack its end mark and still give all that is asked; then it is right.
                var result = Decode(engines, codec, packed[..length], Length);
                var mayBeWhole = codec == UnitCodec.Deflate || codec == UnitCodec.Zlib && engines == OnlyStreams;
                Assert.True(
                    result is null || (mayBeWhole && length > packed.Length - 8 && Same(result, unit)),
                    $"cut at {length}, {engines}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Codecs))]
    public void Damage_of_any_kind_is_an_error_or_other_bytes_and_the_same_with_every_engine(UnitCodec codec)
    {
        var (_, packed) = Sample(codec);
        var random = new Random(5);
        var refused = 0;
        for (var round = 0; round < 1500; round++)
        {
            var source = packed.ToArray();
            switch (round % 4)
            {
                case 0:
                    source[random.Next(source.Length)] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    random.NextBytes(source.AsSpan(random.Next(source.Length - 16), 16));
                    break;
                case 2:
                    random.NextBytes(source.AsSpan(random.Next(8)));
                    break;
                default:
                    source.AsSpan(0, source.Length / 2).CopyTo(source.AsSpan(random.Next(source.Length / 2)));
                    break;
            }

            var results = s_engines.Select(engines => Decode(engines, codec, source, Length)).ToList();
            Assert.True(Same(results[0], results[1]), $"round {round}");
            Assert.True(results[2] is null || Same(results[0], results[2]), $"round {round}");
            refused += results[0] is null ? 1 : 0;
        }

        Assert.InRange(refused, 300, 1500);
    }

    [Fact]
    public void A_zlib_stream_with_a_wrong_checksum_is_damaged()
    {
        var (_, packed) = Sample(UnitCodec.Zlib);
        packed[^1] ^= 1;
        Assert.All(s_engines, engines => Assert.Null(Decode(engines, UnitCodec.Zlib, packed, Length)));
    }

    [Fact]
    public void A_decoder_is_as_good_after_damage_as_before()
    {
        using var decoder = new UnitDecoder();
        foreach (var codec in InstalledCodecs())
        {
            var (unit, packed) = Sample(codec);
            var back = new byte[Length];
            Assert.ThrowsAny<ImageUtilsException>(
                () => decoder.Decode(codec, packed.AsSpan(0, packed.Length / 2), back));
            decoder.Decode(codec, packed, back);
            Assert.Equal(unit, back);
        }
    }

    [SkippableFact]
    public void Zstd_frames_may_follow_each_other_and_be_skipped()
    {
        Skip.If(!LibZstd.IsAvailable, "libzstd is not installed");
        var (unit, packed) = Sample(UnitCodec.Zstd);
        byte[] skippable = [0x5A, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3];
        byte[] source = [.. skippable, .. packed, .. skippable, .. packed, 9, 9];
        byte[] expected = [.. unit, .. unit];
        Assert.Equal(expected, Decode(CodecEngines.All, UnitCodec.Zstd, source, 2 * Length));
        Assert.Null(Decode(CodecEngines.All, UnitCodec.Zstd, skippable, Length));
    }

    [SkippableFact]
    public void A_zstd_frame_need_not_declare_its_size()
    {
        Skip.If(!LibZstd.IsAvailable, "libzstd is not installed");

        // RFC 8878: magic; descriptor 0 (no single segment, no size); window of 1 KiB; a last block of run length
        // 1000 (type 1) of one byte, then four bytes that belong to nothing.
        const int LastRunOf1000 = 1000 << 3 | 1 << 1 | 1;
        byte[] source =
            [0x28, 0xB5, 0x2F, 0xFD, 0, 0, LastRunOf1000 & 0xFF, LastRunOf1000 >> 8, 0, (byte)'r', 1, 2, 3, 4];
        var expected = new byte[1000];
        expected.AsSpan().Fill((byte)'r');
        Assert.Equal(expected, Decode(CodecEngines.All, UnitCodec.Zstd, source, 1000));
        Assert.Null(Decode(CodecEngines.All, UnitCodec.Zstd, source, 999));
    }

    [Fact]
    public void After_disposal_it_refuses_to_work()
    {
        var decoder = new UnitDecoder();
        var encoder = UnitEncoder.Create(UnitCodec.Deflate);
        decoder.Decode(UnitCodec.Deflate, new byte[] { 1, 1, 0, 0xFE, 0xFF, 42 }, new byte[1]);
        for (var round = 0; round < 2; round++)
        {
            decoder.Dispose();
            encoder.Dispose();
        }

        Assert.Throws<ObjectDisposedException>(() => decoder.Decode(UnitCodec.Deflate, new byte[5], new byte[1]));
        Assert.Throws<ObjectDisposedException>(() => encoder.Encode(new byte[5], new byte[50]));
    }

    private static bool Same(byte[]? a, byte[]? b) => a.AsSpan().SequenceEqual(b);
    private static IEnumerable<UnitCodec> InstalledCodecs() =>
        Enum.GetValues<UnitCodec>().Where(codec => codec != UnitCodec.Zstd || LibZstd.IsAvailable);

    private static (byte[] Unit, byte[] Packed) Sample(UnitCodec codec)
    {
        var unit = CodecSamples.Make("mixed", Length);
        using var encoder = UnitEncoder.Create(codec);
        var packed = new byte[Length];
        return (unit, packed[..encoder.Encode(unit, packed)]);
    }

    private static byte[]? Decode(CodecEngines engines, UnitCodec codec, byte[] source, int length)
    {
        using var decoder = new UnitDecoder(engines);
        var target = new GuardedBytes(length);
        try
        {
            decoder.Decode(codec, source, target.Bytes);
            return target.Bytes.ToArray();
        }
        catch (ImageUtilsException)
        {
            return null;
        }
        finally
        {
            target.AssertNothingWrittenOutside();
        }
    }
}
