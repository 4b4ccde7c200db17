using System.Security.Cryptography;
using ImageUtils.Conversion;
using ImageUtils.Creation;
using ImageUtils.Formats.Vhd;
using ImageUtils.Inspection;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.VhdChains;

/// <summary>Chains that vhd-util made are read as it reads them, and the other way round.</summary>
public sealed class VhdUtilTests : IDisposable
{
    private const int DiskSize = 6 << 20;
    private static readonly VhdFormat s_format = new();
    private readonly TemporaryDirectory _directory = new();

    public static IEnumerable<object[]> Recorded =>
        VhdUtilRecordings.All.Where(disk => disk.Archive != "exported")
            .Select(disk => new object[] { disk.Archive, disk.Name });

    public void Dispose() => _directory.Dispose();

    [Theory]
    [MemberData(nameof(Recorded))]
    public async Task A_chain_that_vhd_util_made_reads_as_vhd_util_reads_it(string archive, string name)
    {
        var expected = VhdUtilRecordings.All.Single(disk => disk.Archive == archive && disk.Name == name);
        VhdUtilRecordings.Unpack(archive, _directory.Path);
        using var image = await OpenAsync(name);
        Assert.Equal((expected.Size, expected.Depth - 1), (image.Map.VirtualSize, image.Depth));
        Assert.Equal(expected.Sha256, Convert.ToHexStringLower(SHA256.HashData(NativeImage.Read(image.Map))));
    }

    [Fact]
    public async Task Names_that_lead_nowhere_are_an_error_though_the_parent_lies_beside()
    {
        VhdUtilRecordings.Unpack("exported", _directory.Path);
        var exception = await Assert.ThrowsAsync<Errors.ImageFileException>(() => OpenAsync("0.vhd").AsTask());
        Assert.Contains("beef.vhd", exception.Message, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("dynamic")]
    [InlineData("fixed")]
    public async Task Vhd_util_accepts_and_reads_a_disk_that_was_written_here(string kind)
    {
        RequireVhdUtil();
        var disk = NativeImage.RandomDisk(DiskSize, 1);
        await WriteAsync("ours.vhd", disk, new WriterOptions { VirtualSize = 0, Subformat = kind });
        if (kind != "fixed")
        {
            // It has no check for fixed disks: it fails to read a table that they do not have.
            Check("ours.vhd");
            Assert.Equal(disk, Read("ours.vhd"));
        }

        Assert.Equal("6", Query("ours.vhd", "-v"));
    }

    [SkippableTheory]
    [InlineData(1L << 20)]
    [InlineData((3L << 30) + 512)]
    [InlineData(2040L << 30)]
    public async Task Vhd_util_accepts_new_disks_of_any_size(long size)
    {
        RequireVhdUtil();
        await CreateAsync("base.vhd", size);
        await CreateAsync("child.vhd", null, "base.vhd");
        Check("base.vhd");
        Check("child.vhd", "-p");
        Assert.Equal((size >> 20).ToString(), Query("child.vhd", "-v"));
        Assert.Equal(_directory["base.vhd"], Query("child.vhd", "-p"));
        Assert.Equal("chain depth: 2", Query("child.vhd", "-d"));
    }

    // All in blocks of 2 MiB: vhd-util takes every disk to have those.
    [SkippableFact]
    public async Task Disks_of_both_in_one_chain_are_read_alike_by_both()
    {
        RequireVhdUtil();
        var expected = NativeImage.RandomDisk(DiskSize, 2);
        await WriteAsync("a.vhd", expected, new WriterOptions { VirtualSize = 0 });
        Tool.Run("vhd-util", "snapshot", "-n", _directory["b.vhd"], "-p", _directory["a.vhd"]);
        await WriteChildAsync("c.vhd", "b.vhd", expected, 3);
        Tool.Run("vhd-util", "snapshot", "-n", _directory["d.vhd"], "-p", _directory["c.vhd"]);
        await WriteChildAsync("e.vhd", "d.vhd", expected, 4);
        Check("e.vhd", "-p", "-b");
        Assert.Equal("chain depth: 5", Query("e.vhd", "-d"));
        Assert.Equal(expected, Read("e.vhd"));
        using (var image = await OpenAsync("e.vhd"))
        {
            Assert.Equal(expected, NativeImage.Read(image.Map));
        }

        // What one wrote the other merges: e into d, which vhd-util made, and that into c, which was written here.
        Tool.Run("vhd-util", "coalesce", "-n", _directory["e.vhd"]);
        Tool.Run("vhd-util", "coalesce", "-n", _directory["d.vhd"]);
        foreach (var name in new[] { "d.vhd", "c.vhd" })
        {
            Check(name, "-p", "-b");
            using var image = await OpenAsync(name);
            Assert.Equal(expected, NativeImage.Read(image.Map));
        }
    }

    [SkippableFact]
    public async Task A_raw_parent_is_read_alike_by_both()
    {
        RequireVhdUtil();
        var expected = NativeImage.RandomDisk(DiskSize, 5);
        File.WriteAllBytes(_directory["base.raw"], expected);
        Tool.Run("vhd-util", "snapshot", "-n", _directory["theirs.vhd"], "-p", _directory["base.raw"], "-m");
        using (var image = await OpenAsync("theirs.vhd"))
        {
            Assert.Equal(expected, NativeImage.Read(image.Map));
        }

        await CreateAsync("ours.vhd", null, "base.raw", ImageFormat.Raw);
        Check("ours.vhd");
        Assert.Equal(expected, Read("ours.vhd"));
    }

    private static void RequireVhdUtil() => VhdUtil.Require();

    private void Check(string name, params string[] options) => VhdUtil.Check(_directory[name], options);

    private string Query(string name, string option) => VhdUtil.Query(_directory[name], option);

    private byte[] Read(string name) => VhdUtil.Read(_directory[name], DiskSize);

    private ValueTask<OpenedImage> OpenAsync(string name) =>
        ImageOpener.OpenAsync(_directory[name], new OpenOptions { Inspection = Inspection() });

    private InspectionOptions Inspection() =>
        new() { Policy = SafetyPolicy.Default with { BackingFileDirectories = [_directory.Path] } };

    private Task<ImageInspection> CreateAsync(
        string name, long? size, string? parent = null, ImageFormat parentFormat = ImageFormat.Unknown) =>
        ImageCreator.CreateAsync(new ImageCreationRequest
        {
            Path = _directory[name],
            Format = ImageFormat.Vhd,
            VirtualSize = size,
            BackingFile = parent,
            BackingFormat = parentFormat,
            Inspection = Inspection(),
        });

    private async Task WriteAsync(string name, byte[] disk, WriterOptions options)
    {
        File.WriteAllBytes(_directory["disk.raw"], disk);
        await ImageConverter.ConvertAsync(new ConversionRequest
        {
            SourcePath = _directory["disk.raw"],
            Source = new OpenOptions { KnownRaw = true },
            DestinationPath = _directory[name],
            DestinationFormat = ImageFormat.Vhd,
            Target = options,
        });
    }

    /// <summary>Writes a child with random sectors of its own, which it puts into <paramref name="expected"/>
    /// too.</summary>
    private async Task WriteChildAsync(string name, string parent, byte[] expected, int seed)
    {
        var inspection = await ImageInspector.InspectFileAsync(_directory[parent], Inspection());
        var writer = s_format.CreateWriter(new WriterOptions
        {
            VirtualSize = DiskSize,
            BackingFile = parent,
            ParentId = ((VhdDetails)inspection.Details!).UniqueId,
            ParentTimeStamp = File.GetLastWriteTimeUtc(_directory[parent]),
        });
        var sink = new SparseMemory();
        await writer.BeginAsync(sink, default);
        var random = new Random(seed);
        for (var at = 0; at < DiskSize;)
        {
            var length = Math.Min(random.Next(1, 600) * 512, DiskSize - at);
            var run = expected.AsMemory(at, length);
            if (random.Next(3) == 0)
            {
                random.NextBytes(run.Span);
                await writer.WriteAsync(at, run, default);
            }

            at += length;
        }

        await writer.FinishAsync(default);
        sink.Save(_directory[name]);
    }
}
