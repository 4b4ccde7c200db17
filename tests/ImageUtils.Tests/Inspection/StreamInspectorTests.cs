using FsCheck;
using FsCheck.Fluent;
using ImageUtils.Builders;
using ImageUtils.Inspection;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Inspection;

public sealed class StreamInspectorTests
{
    [Fact]
    public void A_claim_that_the_first_bytes_refute_is_ruled_out_at_once()
    {
        var inspector = new StreamInspector(expected: ImageFormat.Qcow2);
        inspector.Push("KD"u8);
        Assert.False(inspector.IsExpectedFormatRuledOut);
        inspector.Push("MV\x01\0\0\0"u8);
        Assert.True(inspector.IsExpectedFormatRuledOut);
        Assert.True(inspector.IsRejected);
    }

    [Fact]
    public void Raw_is_ruled_out_once_another_format_is_found()
    {
        var inspector = new StreamInspector(expected: ImageFormat.Raw);
        inspector.Push(Qcow2Cases.Valid().ToArray().AsSpan(0, 8));
        Assert.True(inspector.IsExpectedFormatRuledOut);
    }

    [Theory]
    [InlineData(ImageFormat.Ami)]
    [InlineData(ImageFormat.Unknown)]
    public void A_claim_of_anything_is_never_ruled_out(ImageFormat expected)
    {
        var inspector = new StreamInspector(expected: expected);
        inspector.Push(Qcow2Cases.Valid().ToArray());
        Assert.False(inspector.IsExpectedFormatRuledOut);
    }

    [Fact]
    public void A_backing_file_rejects_the_stream_within_the_first_cluster()
    {
        var image = Qcow2Cases.WithBacking("/etc/passwd").ToArray();
        var inspector = new StreamInspector(expected: ImageFormat.Qcow2);
        inspector.Push(image.AsSpan(0, 8192));
        Assert.False(inspector.IsExpectedFormatRuledOut);
        Assert.True(inspector.IsRejected);
        Assert.Equal("backing_file", Assert.Single(inspector.Failures).Name);
    }

    [Fact]
    public void The_verdict_does_not_depend_on_how_the_stream_is_cut()
    {
        var cases = Corpus.All.Where(image => image.Bytes().Length <= 1 << 20).ToArray();
        Prop.ForAll(
            Gen.Elements(cases).ToArbitrary(),
            Gen.Choose(1, 9000).ArrayOf(16).ToArbitrary(),
            (image, cuts) =>
            {
                var bytes = image.Bytes();
                var next = 0;
                Inspected.AssertSame(
                    Inspected.File(bytes), Inspected.Stream(bytes, _ => cuts[next++ % cuts.Length]), image.Name);
            }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));
    }

    [Fact]
    public void Mutilated_images_get_a_verdict_and_the_same_one_both_ways()
    {
        // Any byte of any header may be anything: there is always a verdict, never another exception.
        var cases = Corpus.All.Where(image => image.Bytes().Length <= 1 << 20).ToArray();
        Prop.ForAll(
            Gen.Elements(cases).ToArbitrary(),
            Gen.Choose(0, 1023).Zip(Gen.Choose(0, 255)).ArrayOf(6).ToArbitrary(),
            (image, changes) =>
            {
                byte[] bytes = [.. image.Bytes()];
                foreach (var (at, value) in changes)
                {
                    if (at < bytes.Length)
                    {
                        bytes[at] = (byte)value;
                    }
                }

                if (bytes.Length > 0)
                {
                    Inspected.AssertSame(Inspected.File(bytes), Inspected.Stream(bytes, _ => 3001), image.Name);
                }
            }).Check(Config.QuickThrowOnFailure.WithMaxTest(1500));
    }
}
