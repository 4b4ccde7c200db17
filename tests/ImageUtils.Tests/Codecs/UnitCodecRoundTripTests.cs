using ImageUtils.Codecs;
using ImageUtils.Errors;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Codecs;

public sealed class UnitCodecRoundTripTests
{
    private static readonly CodecEngines[] s_engines =
        [CodecEngines.All, CodecEngines.RuntimeZlib | CodecEngines.Zstd, CodecEngines.Zstd];

    [SkippableTheory]
    [InlineData(UnitCodec.Deflate)]
    [InlineData(UnitCodec.Zlib)]
    [InlineData(UnitCodec.Zstd)]
    public void Every_unit_comes_back_with_each_engine_whatever_it_holds_and_however_long_it_is(UnitCodec codec)
    {
        Skip.IfNot(IsInstalled(codec), "libzstd is not installed");
        using var encoder = UnitEncoder.Create(codec, null, 2 * 1024 * 1024);
        foreach (var kind in CodecSamples.Kinds)
        {
            foreach (var length in CodecSamples.Lengths)
            {
                var unit = CodecSamples.Make(kind, length);
                var packed = new GuardedBytes(UnitEncoder.MaximumEncodedLength(length) + 1024);
                var packedLength = encoder.Encode(unit, packed.Bytes);
                packed.AssertNothingWrittenOutside();
                Assert.InRange(packedLength, 1, UnitEncoder.MaximumEncodedLength(length) + 1024);
                foreach (var engines in s_engines)
                {
                    using var decoder = new UnitDecoder(engines);
                    var back = new GuardedBytes(length);
                    decoder.Decode(codec, packed.Bytes[..packedLength], back.Bytes);
                    back.AssertNothingWrittenOutside();
                    Assert.True(back.Bytes.SequenceEqual(unit), $"{length} bytes of {kind} changed, {engines}");
                }
            }
        }
    }

    [SkippableTheory]
    [InlineData(UnitCodec.Deflate)]
    [InlineData(UnitCodec.Zlib)]
    [InlineData(UnitCodec.Zstd)]
    public void A_result_is_kept_only_where_it_fits(UnitCodec codec)
    {
        Skip.IfNot(IsInstalled(codec), "libzstd is not installed");
        using var encoder = UnitEncoder.Create(codec);
        using var decoder = new UnitDecoder();
        var noise = CodecSamples.Make("noise", 65536);
        var text = CodecSamples.Make("text", 65536);
        var target = new GuardedBytes(65535);
        Assert.Equal(0, encoder.Encode(noise, target.Bytes));
        target.AssertNothingWrittenOutside();

        var length = encoder.Encode(text, target.Bytes);
        Assert.InRange(length, 1, 40000);
        foreach (var room in new[] { 0, 1, 4, 100, length - 1 })
        {
            var small = new GuardedBytes(room);
            Assert.Equal(0, encoder.Encode(text, small.Bytes));
            small.AssertNothingWrittenOutside();
        }

        // What did not fit has left nothing behind in the context.
        var again = new byte[65535];
        Assert.Equal(length, encoder.Encode(text, again));
        Assert.True(target.Bytes[..length].SequenceEqual(again.AsSpan(0, length)));
        var back = new byte[65536];
        decoder.Decode(codec, again.AsSpan(0, length), back);
        Assert.Equal(text, back);
    }

    [Fact]
    public void A_target_of_the_greatest_length_always_suffices_for_zlib()
    {
        using var decoder = new UnitDecoder();
        for (var level = 1; level <= 9; level++)
        {
            using var encoder = UnitEncoder.Create(UnitCodec.Zlib, level, 262144);
            foreach (var length in new[] { 0, 1, 2, 512, 65535, 65536, 131071, 262144 })
            {
                var noise = CodecSamples.Make("noise", length);
                var target = new byte[UnitEncoder.MaximumEncodedLength(length)];
                var packedLength = encoder.Encode(noise, target);
                Assert.InRange(packedLength, 1, target.Length);
                var back = new byte[length];
                decoder.Decode(UnitCodec.Zlib, target.AsSpan(0, packedLength), back);
                Assert.Equal(noise, back);
            }
        }
    }

    [SkippableTheory]
    [InlineData(UnitCodec.Deflate)]
    [InlineData(UnitCodec.Zlib)]
    [InlineData(UnitCodec.Zstd)]
    public void Each_level_comes_back_and_the_highest_is_smaller_than_the_lowest(UnitCodec codec)
    {
        Skip.IfNot(IsInstalled(codec), "libzstd is not installed");
        var (minimum, maximum, standard) = UnitEncoder.LevelsOf(codec);
        Assert.InRange(standard, minimum, maximum);
        var unit = CodecSamples.Make("text", 65536);
        var lengths = new List<int>();
        using var decoder = new UnitDecoder();
        for (var level = minimum; level <= maximum; level++)
        {
            using var encoder = UnitEncoder.Create(codec, level);
            var packed = new byte[65535];
            var length = encoder.Encode(unit, packed);
            var back = new byte[65536];
            decoder.Decode(codec, packed.AsSpan(0, length), back);
            Assert.Equal(unit, back);
            lengths.Add(length);
        }

        Assert.True(lengths[^1] < lengths[0], string.Join(' ', lengths));
        using var byDefault = UnitEncoder.Create(codec);
        Assert.Equal(lengths[standard - minimum], byDefault.Encode(unit, new byte[65535]));
    }

    [Theory]
    [InlineData(UnitCodec.Deflate, 0)]
    [InlineData(UnitCodec.Deflate, 10)]
    [InlineData(UnitCodec.Zlib, -1)]
    [InlineData(UnitCodec.Zstd, 23)]
    public void A_level_that_the_codec_lacks_is_refused(UnitCodec codec, int level) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => UnitEncoder.Create(codec, level));

    [Fact]
    public void Without_libzstd_the_error_says_what_to_install()
    {
        var error = Assert.Throws<ZstdMissingException>(
            () => UnitEncoder.Create(UnitCodec.Zstd, null, 65536, CodecEngines.None));
        Assert.Contains("libzstd", error.Message, StringComparison.Ordinal);
        Assert.Equal("ZstdMissing", error.ErrorId);
        using var decoder = new UnitDecoder(CodecEngines.None);
        Assert.Throws<ZstdMissingException>(() => decoder.Decode(UnitCodec.Zstd, new byte[10], new byte[10]));
    }

    [Fact]
    public void The_runtimes_own_zlib_is_found()
    {
        Assert.True(RuntimeZlib.IsAvailable);
    }

    [SkippableFact]
    public void The_runtimes_own_zlib_is_found_in_PowerShell_too()
    {
        // PowerShell brings a runtime of its own, which keeps its libraries elsewhere.
        var pwsh = Tool.Require("pwsh", "powershell");
        var engine = typeof(RuntimeZlib).Assembly.Location;
        var answer = Tool.Run(
            pwsh, "-NoProfile", "-NonInteractive", "-Command",
            $"$type = [Reflection.Assembly]::LoadFrom('{engine}').GetType('ImageUtils.Codecs.RuntimeZlib', $true);"
            + "$type.GetProperty('IsAvailable', [Reflection.BindingFlags]'NonPublic,Static').GetValue($null)");
        Assert.Equal("True", answer.Trim());
    }

    [Fact]
    public void A_unit_longer_than_announced_is_compressed_all_the_same()
    {
        using var encoder = UnitEncoder.Create(UnitCodec.Deflate, null, 512);
        using var decoder = new UnitDecoder();
        var unit = CodecSamples.Make("mixed", 300000);
        var packed = new byte[300000];
        var back = new byte[300000];
        decoder.Decode(UnitCodec.Deflate, packed.AsSpan(0, encoder.Encode(unit, packed)), back);
        Assert.Equal(unit, back);
    }

    [Fact]
    public void Nothing_is_allocated_for_a_unit()
    {
        var unit = CodecSamples.Make("mixed", 65536);
        var (packed, back) = (new byte[65535], new byte[65536]);
        foreach (var codec in Enum.GetValues<UnitCodec>().Where(IsInstalled))
        {
            using var encoder = UnitEncoder.Create(codec);
            using var decoder = new UnitDecoder();
            decoder.Decode(codec, packed.AsSpan(0, encoder.Encode(unit, packed)), back);
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var round = 0; round < 20; round++)
            {
                decoder.Decode(codec, packed.AsSpan(0, encoder.Encode(unit, packed)), back);
            }

            Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        }
    }

    private static bool IsInstalled(UnitCodec codec) => codec != UnitCodec.Zstd || LibZstd.IsAvailable;
}
