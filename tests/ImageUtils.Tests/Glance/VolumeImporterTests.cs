using ImageUtils.Errors;
using ImageUtils.Glance;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Keystone;
using ImageUtils.Safety;
using ImageUtils.Tests.Conversion;
using ImageUtils.Tests.OpenStack;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Glance;

/// <summary>Images of a real Glance, downloaded and made into volumes.</summary>
public sealed class VolumeImporterTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly byte[] _disk = SampleDisk.Make();
    private readonly List<string> _images = [];
    private ImageServiceSession? _session;

    private string Result => _directory["result"];

    private string ConversionDirectory => Directory.CreateDirectory(_directory["conversion"]).FullName;

    public void Dispose()
    {
        if (_session is not null)
        {
            var client = new GlanceClient(_session);
            _images.ForEach(image => client.DeleteAsync(image).GetAwaiter().GetResult());
            _session.Dispose();
        }

        _directory.Dispose();
    }

    [SkippableTheory]
    [InlineData("raw", "raw")]
    [InlineData("qcow2", "qcow2 -c")]
    [InlineData("vhd", "vpc -o force_size=on")]
    [InlineData("vhdx", "vhdx")]
    [InlineData("vmdk", "vmdk -o subformat=streamOptimized")]
    [InlineData("vdi", "vdi")]
    public async Task An_image_becomes_a_volume_in_one_pass(string diskFormat, string made)
    {
        var client = await ConnectAsync();
        var image = await UploadAsync(client, diskFormat, Make(made));
        foreach (var format in new[] { ImageFormat.Raw, ImageFormat.Qcow2, ImageFormat.Vhdx })
        {
            var result = await ImportAsync(client, image.Id, format);
            Assert.Equal((VolumeImportMethod.Streamed, 0L), (result.Method, result.TemporaryBytes));
            Assert.Equal(("sha512", image.OsHashValue), (result.HashAlgorithm, result.HashValue));
            Assert.Equal(_disk, (await SampleDisk.ReadAsync(Result))[.._disk.Length]);
            Assert.Empty(Directory.EnumerateFileSystemEntries(ConversionDirectory));
            File.Delete(Result);
        }
    }

    [SkippableFact]
    public async Task What_must_be_a_file_goes_through_one_that_is_gone_afterwards()
    {
        Tool.Require("qemu-img", "qemu-utils");
        var client = await ConnectAsync();
        var qed = await UploadAsync(client, "qed", Make("qed"), set: "qcow2");
        var error = await Assert.ThrowsAsync<ImageUnacceptableException>(() => ImportAsync(client, qed.Id, ImageFormat.Raw));
        Assert.Contains(qed.Id, error.Message, StringComparison.Ordinal);
        var ploop = await UploadAsync(client, "ploop", Make("parallels"));
        var result = await ImportAsync(client, ploop.Id, ImageFormat.Raw);
        Assert.Equal((VolumeImportMethod.TemporaryFile, ploop.Size), (result.Method, result.TemporaryBytes));
        Assert.Equal(_disk, await SampleDisk.ReadAsync(Result));
        File.Delete(Result);
        var zipped = await UploadAsync(client, "qcow2", Gzip(Make("qcow2")), container: "compressed");
        result = await ImportAsync(client, zipped.Id, ImageFormat.Raw);
        Assert.Equal(
            (VolumeImportMethod.TemporaryFile, zipped.Size + new FileInfo(_directory["made"]).Length),
            (result.Method, result.TemporaryBytes));
        Assert.Equal(_disk, await SampleDisk.ReadAsync(Result));
        Assert.Empty(Directory.EnumerateFileSystemEntries(ConversionDirectory));
        var lying = await UploadAsync(client, "vmdk", Gzip(Make("qcow2")), container: "compressed");
        await Assert.ThrowsAsync<ImageUnacceptableException>(
            () => ImportAsync(client, lying.Id, ImageFormat.Raw, overwrite: true));
        Assert.Equal(_disk, await SampleDisk.ReadAsync(Result));
        Assert.Empty(Directory.EnumerateFileSystemEntries(ConversionDirectory));
    }

    [SkippableFact]
    public async Task A_raw_disk_in_gzip_is_unpacked_as_it_comes()
    {
        var client = await ConnectAsync();
        File.WriteAllBytes(_directory["disk.raw"], _disk);
        var zipped = await UploadAsync(client, "raw", Gzip(_directory["disk.raw"]), container: "compressed");
        var result = await ImportAsync(client, zipped.Id, ImageFormat.Raw);
        Assert.Equal(
            (VolumeImportMethod.Streamed, 0L, zipped.Size, (long?)_disk.Length, zipped.OsHashValue),
            (result.Method, result.TemporaryBytes, result.ImageSize, result.VirtualSize, result.HashValue));
        Assert.Equal(_disk, await File.ReadAllBytesAsync(Result));
        using (var raw = FileByteSource.Open(Result))
        {
            Assert.True(raw.AllocatedBytes < _disk.Length);
        }

        File.Delete(Result);
        await ImportAsync(client, zipped.Id, ImageFormat.Vhdx);
        Assert.Equal(_disk, await SampleDisk.ReadAsync(Result));
        File.Delete(Result);

        using (var large = File.Create(_directory["large"]))
        {
            large.SetLength((1L << 30) + 512);
        }

        var bomb = await UploadAsync(client, "raw", Gzip(_directory["large"]), container: "compressed");
        await IsUnacceptableAsync(bomb.Id, "1 GiB", volumeSize: 1);
        await IsUnacceptableAsync(bomb.Id, "unpacks to more", policy: new SafetyPolicy { MaximumExpansionRatio = 100 });
        await IsUnacceptableAsync(bomb.Id, "unpacks to more", policy: new SafetyPolicy { MaximumVirtualSize = 1 << 20 });
        var lying = await UploadAsync(client, "raw", Gzip(Make("qcow2")), container: "compressed");
        await IsUnacceptableAsync(lying.Id, "qcow2, not raw");
        var plain = await UploadAsync(client, "raw", Make("qcow2"), container: "compressed");
        await IsUnacceptableAsync(plain.Id, "gzip");
        var bytes = await File.ReadAllBytesAsync(_directory["disk.raw"] + ".gz");
        await File.WriteAllBytesAsync(_directory["cut"], bytes[..^1000]);
        await IsUnacceptableAsync(
            (await UploadAsync(client, "raw", _directory["cut"], container: "compressed")).Id, "cut short");

        async Task IsUnacceptableAsync(string id, string reason, long? volumeSize = null, SafetyPolicy? policy = null)
        {
            var error = await Assert.ThrowsAsync<ImageUnacceptableException>(
                () => ImportAsync(client, id, ImageFormat.Raw, volumeSize, policy: policy));
            Assert.Contains(id, error.Message, StringComparison.Ordinal);
            Assert.Contains(reason, error.Message, StringComparison.Ordinal);
            Assert.False(File.Exists(Result));
            Assert.Empty(Directory.EnumerateFileSystemEntries(ConversionDirectory));
        }
    }

    [Fact]
    public async Task A_raw_disk_needs_no_ranges()
    {
        using var server = new ScriptedServer((request, stream) =>
            !request.Path.EndsWith("/file", StringComparison.Ordinal) ? ScriptedServer.AnswerAsync(stream, 200, Json(_disk))
            : request.Header("Range") is null ? ScriptedServer.AnswerAsync(stream, 200, _disk)
            : ScriptedServer.AnswerAsync(stream, 400, "no ranges"));
        using var session = await server.OpenAsync();
        var result = await ImportAsync(new GlanceClient(session), Id, ImageFormat.Raw);
        Assert.Equal((VolumeImportMethod.Streamed, 0L), (result.Method, result.TemporaryBytes));
        Assert.Equal(_disk, await File.ReadAllBytesAsync(Result));
        File.Delete(Result);
        result = await ImportAsync(new GlanceClient(session), Id, ImageFormat.Qcow2);
        Assert.Equal((VolumeImportMethod.TemporaryFile, _disk.Length), (result.Method, result.TemporaryBytes));
        Assert.Equal(["conversion", "result"], _directory.Names());
        Assert.Empty(Directory.EnumerateFileSystemEntries(ConversionDirectory));
    }

    [SkippableFact]
    public async Task A_download_can_be_used_again_and_one_that_is_kept_is_named()
    {
        var client = await ConnectAsync();
        var image = await UploadAsync(client, "qcow2", Make("qcow2 -c"));
        var saved = await SaveAsync(client, image.Id, _directory["saved"]);
        Assert.Equal((image.Size, "sha512", image.OsHashValue), (saved.Size, saved.HashAlgorithm, saved.HashValue));
        Assert.Equal(ImageFormat.Qcow2, saved.Format);
        Assert.True(saved.IsUnchanged());
        var result = await ImportAsync(client, image.Id, ImageFormat.Raw, saved: saved);
        Assert.Equal((VolumeImportMethod.SavedFile, 0L), (result.Method, result.TemporaryBytes));
        Assert.Equal(_disk, await SampleDisk.ReadAsync(Result));
        File.Delete(Result);
        result = await ImportAsync(client, image.Id, ImageFormat.Raw, keeps: true);
        Assert.Equal(image.Size, new FileInfo(result.Source!.Path).Length);
        var kept = Assert.Single(ImageTemporaryFile.Find(ConversionDirectory));
        Assert.Equal((image.Id, Environment.ProcessId, true), (kept.ImageId, kept.ProcessId, kept.IsInUse));
        Assert.False(kept.Remove());
    }

    [SkippableFact]
    public async Task What_is_dangerous_too_large_or_something_else_is_refused_before_anything_is_written()
    {
        Tool.Require("qemu-img", "qemu-utils");
        var client = await ConnectAsync();
        Tool.Run("qemu-img", "create", "-f", "qcow2", "-b", "/etc/passwd", "-F", "raw", _directory["backed"], "1M");
        var backed = await UploadAsync(client, "qcow2", _directory["backed"]);
        var error = await Assert.ThrowsAsync<ImageUnacceptableException>(() => ImportAsync(client, backed.Id, ImageFormat.Raw));
        Assert.Contains("backing", error.Message, StringComparison.Ordinal);
        var other = await UploadAsync(client, "raw", Make("qcow2"));
        await Assert.ThrowsAsync<ImageUnacceptableException>(() => ImportAsync(client, other.Id, ImageFormat.Raw));
        await Assert.ThrowsAsync<ImageUnacceptableException>(() => SaveAsync(client, other.Id, Result));
        var good = await UploadAsync(client, "qcow2", Make("qcow2"));
        Tool.Run("qemu-img", "create", "-f", "qcow2", _directory["large"], "3G");
        var large = await UploadAsync(client, "qcow2", _directory["large"]);
        error = await Assert.ThrowsAsync<ImageUnacceptableException>(
            () => ImportAsync(client, large.Id, ImageFormat.Raw, volumeSize: 2));
        Assert.Contains("2 GiB", error.Message, StringComparison.Ordinal);
        await ImportAsync(client, good.Id, ImageFormat.Raw, volumeSize: 1);
        Assert.Equal(["backed", "conversion", "disk.raw", "large", "made", "result"], _directory.Names());
    }

    [SkippableFact]
    public async Task An_interrupted_download_goes_on_where_it_was()
    {
        var client = await ConnectAsync();
        var made = Make("qcow2");
        var image = await UploadAsync(client, "qcow2", made);
        var part = Path.Combine(_directory.Path, ".saved.imageutils-part");
        await File.WriteAllBytesAsync(part, (await File.ReadAllBytesAsync(made))[..100_000]);
        var saved = await SaveAsync(client, image.Id, _directory["saved"], resume: true);
        Assert.Equal(100_000, saved.ResumedAt);
        Assert.Equal(await File.ReadAllBytesAsync(made), await File.ReadAllBytesAsync(saved.Path));
        Assert.False(File.Exists(part));

        // A partial file of something else does not become the image, and does not stay either.
        await File.WriteAllBytesAsync(part, Flip((await File.ReadAllBytesAsync(made))[..500_000], 490_000));
        await Assert.ThrowsAsync<ImageHashMismatchException>(
            () => SaveAsync(client, image.Id, _directory["saved"], resume: true, overwrite: true));
        Assert.False(File.Exists(part));
    }

    [Fact]
    public async Task What_a_bad_network_or_service_gives_never_becomes_visible()
    {
        var bytes = _disk;
        foreach (var (fault, expected) in new (Func<ScriptedRequest, Stream, Task>, Type)[]
        {
            // Cut at any byte, again and again.
            ((request, stream) => ScriptedServer.AnswerRangeAsync(
                request, stream, bytes, request.Header("Range") is null ? 1_000_000 : 0), typeof(ImageDownloadCutException)),

            // Other bytes than those whose hash is known.
            ((request, stream) => ScriptedServer.AnswerRangeAsync(request, stream, Flip(bytes, 5_000_000)),
                typeof(ImageHashMismatchException)),

            // Other tables by range than in the stream.
            ((request, stream) => ScriptedServer.AnswerRangeAsync(
                request, stream, request.Header("Range") is null ? bytes : Flip(bytes, 600)),
                typeof(ImageUnacceptableException)),

            // Fewer bytes than the image has.
            ((request, stream) => ScriptedServer.AnswerAsync(stream, 200, bytes.AsMemory(0, 2_000_000)),
                typeof(TruncatedImageException)),
            ((_, stream) => ScriptedServer.AnswerAsync(stream, 500, "sorry"), typeof(ServiceResponseException)),
        })
        {
            using var server = new ScriptedServer((request, stream) => request.Path.EndsWith("/file", StringComparison.Ordinal)
                ? fault(request, stream)
                : ScriptedServer.AnswerAsync(stream, 200, Json(bytes)));
            using var session = await server.OpenAsync();
            var client = new GlanceClient(session) { ContinuationDelay = TimeSpan.FromMilliseconds(1) };
            var error = await Record.ExceptionAsync(() => ImportAsync(client, Id, ImageFormat.Raw));
            Assert.True(expected.IsInstanceOfType(error), $"{expected.Name}: {error}");
            Assert.Equal(["conversion"], _directory.Names());
            Assert.Empty(Directory.EnumerateFileSystemEntries(ConversionDirectory));
        }
    }

    private const string Id = "11111111-2222-3333-4444-555555555555";

    private static string Json(byte[] bytes) =>
        $$"""
        {"id": "{{Id}}", "name": "a", "status": "active", "disk_format": "raw", "container_format": "bare",
         "size": {{bytes.Length}}, "min_disk": 0, "min_ram": 0, "os_hash_algo": "sha512", "visibility": "private",
         "os_hash_value": "{{Convert.ToHexStringLower(System.Security.Cryptography.SHA512.HashData(bytes))}}",
         "protected": false, "os_hidden": false, "tags": [], "created_at": "2026-01-01T00:00:00Z",
         "updated_at": "2026-01-01T00:00:00Z", "file": "/v2/images/{{Id}}/file", "schema": "/v2/schemas/image"}
        """;

    private static byte[] Flip(byte[] bytes, int at)
    {
        var other = bytes.ToArray();
        other[at] ^= 1;
        return other;
    }

    private string Make(string kind)
    {
        Tool.Require("qemu-img", "qemu-utils");
        File.WriteAllBytes(_directory["disk.raw"], _disk);
        Tool.Run("qemu-img", ["convert", "-f", "raw", "-O", .. kind.Split(' '), _directory["disk.raw"], _directory["made"]]);
        return _directory["made"];
    }

    private static string Gzip(string path)
    {
        using var source = File.OpenRead(path);
        using var target = new System.IO.Compression.GZipStream(
            File.Create(path + ".gz"), System.IO.Compression.CompressionLevel.Fastest);
        source.CopyTo(target);
        return path + ".gz";
    }

    private async Task<GlanceClient> ConnectAsync()
    {
        var cloud = OpenStackCloud.Require();
        _session = await ImageServiceSession.ConnectAsync(new CloudSettings
        {
            Method = KeystoneMethod.None,
            EndpointOverrides = { ["image"] = new Uri(cloud.OpenGlance) },
        });
        return new GlanceClient(_session);
    }

    private async Task<GlanceImage> UploadAsync(
        GlanceClient client, string diskFormat, string path, string container = "bare", string? set = null)
    {
        var image = await client.CreateAsync(new NewGlanceImage
        {
            Name = "volume-import-test",
            DiskFormat = set ?? diskFormat,
            ContainerFormat = container,
        });
        _images.Add(image.Id);
        await client.UploadAsync(
            image.Id,
            async (stream, token) =>
            {
                using var file = File.OpenRead(path);
                await file.CopyToAsync(stream, token);
            },
            new FileInfo(path).Length);
        return await client.GetAsync(image.Id);
    }

    private Task<VolumeImportResult> ImportAsync(
        GlanceClient client,
        string id,
        ImageFormat format,
        long? volumeSize = null,
        bool overwrite = false,
        bool keeps = false,
        SavedGlanceImage? saved = null,
        SafetyPolicy? policy = null) => VolumeImporter.ImportAsync(new VolumeImportRequest
        {
            Inspection = new InspectionOptions { Policy = policy ?? SafetyPolicy.Default },
            Client = client,
            Image = id,
            Destination = Result,
            Format = format,
            VolumeSizeGiB = volumeSize,
            Overwrite = overwrite,
            KeepSource = keeps,
            Saved = saved,
            ConversionDirectory = ConversionDirectory,
        });

    private static Task<SavedGlanceImage> SaveAsync(
        GlanceClient client, string id, string path, bool resume = false, bool overwrite = false) =>
        ImageSaver.SaveAsync(new ImageSaveRequest
        {
            Client = client,
            Image = id,
            Destination = path,
            Resume = resume,
            Overwrite = overwrite,
        });
}
