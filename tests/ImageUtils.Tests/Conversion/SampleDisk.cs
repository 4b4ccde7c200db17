using ImageUtils.Codecs;
using ImageUtils.Conversion;

namespace ImageUtils.Tests.Conversion;

/// <summary>A small disk with all that conversions meet, and the kinds of image that it is converted to.</summary>
internal static class SampleDisk
{
    public const int Length = (9 << 20) + 512;

    /// <summary>
    /// Data at the start, in the middle and at the odd end; text and noise; zeros between; a boot sector's signature, so
    /// that it is no mistake for something else.
    /// </summary>
    public static byte[] Make(int seed = 1, int length = Length)
    {
        var random = new Random(seed);
        var disk = new byte[length];
        random.NextBytes(disk.AsSpan(0, 300_000));
        for (var at = length / 3; at < length / 3 + 800_000; at++)
        {
            disk[at] = (byte)("the quick brown fox"[at % 19] + at / 5000 % 3);
        }

        random.NextBytes(disk.AsSpan(length / 2, 70_000));
        disk.AsSpan(length * 3 / 4, 40).Fill(7);
        random.NextBytes(disk.AsSpan(length - 700));
        disk[0] = 0xEB;
        return disk;
    }

    /// <summary>Every kind that is written natively, by a name for the test's output.</summary>
    public static IReadOnlyDictionary<string, (ImageFormat Format, WriterOptions Options)> Kinds { get; } =
        new Dictionary<string, (ImageFormat, WriterOptions)>
        {
            ["raw"] = (ImageFormat.Raw, Of()),
            ["raw-allocated"] = (ImageFormat.Raw, Of() with { Preallocation = PreallocationMode.Falloc }),
            ["qcow2"] = (ImageFormat.Qcow2, Of()),
            ["qcow2-v2"] = (ImageFormat.Qcow2, Of() with { Version = 2, ClusterSize = 4096 }),
            ["qcow2-zlib"] = (ImageFormat.Qcow2, Of() with { Compress = true }),
            ["qcow2-zstd"] = (ImageFormat.Qcow2, Of() with { Compress = true, CompressionType = UnitCodec.Zstd }),
            ["qcow2-2M"] = (ImageFormat.Qcow2, Of() with { Compress = true, ClusterSize = 2 << 20 }),
            ["qcow2-metadata"] = (ImageFormat.Qcow2, Of() with { Preallocation = PreallocationMode.Metadata }),
            ["vhd"] = (ImageFormat.Vhd, Of()),
            ["vhd-fixed"] = (ImageFormat.Vhd, Of() with { Subformat = "fixed" }),
            ["vhdx"] = (ImageFormat.Vhdx, Of()),
            ["vhdx-fixed"] = (ImageFormat.Vhdx, Of() with { Subformat = "fixed" }),
            ["vmdk"] = (ImageFormat.Vmdk, Of()),
            ["vmdk-stream"] = (ImageFormat.Vmdk, Of() with { Subformat = "streamOptimized" }),
            ["vdi"] = (ImageFormat.Vdi, Of()),
            ["vdi-static"] = (ImageFormat.Vdi, Of() with { Subformat = "static" }),
        };

    public static ConversionRequest Request(string source, string destination, string kind) => new()
    {
        SourcePath = source,
        DestinationPath = destination,
        DestinationFormat = Kinds[kind].Format,
        Target = Kinds[kind].Options,
        Engine = ConversionEngine.Native,
    };

    public static Task<ImageConversionResult> ConvertAsync(string source, string destination, string kind) =>
        ImageConverter.ConvertAsync(Request(source, destination, kind));

    /// <summary>What the guest would see.</summary>
    public static async Task<byte[]> ReadAsync(string path)
    {
        using var directory = new Support.TemporaryDirectory();
        var raw = directory["read.raw"];
        await ConvertAsync(path, raw, "raw");
        return await File.ReadAllBytesAsync(raw);
    }

    private static WriterOptions Of() => new() { VirtualSize = 0 };
}
