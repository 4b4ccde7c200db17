using System.IO.Compression;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Glance;
using ImageUtils.Keystone;
using ImageUtils.Tests.Conversion;
using ImageUtils.Tests.OpenStack;
using ImageUtils.Tests.Signatures;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Glance;

/// <summary>Images of a real Glance, made anew in other formats.</summary>
public sealed class GlanceImageConverterTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly byte[] _disk = SampleDisk.Make();
    private readonly List<string> _images = [];
    private readonly HttpClient _http = new();
    private GlanceClient? _client;

    private string ConversionDirectory => Directory.CreateDirectory(_directory["conversion"]).FullName;

    public void Dispose()
    {
        if (_client is { } client)
        {
            foreach (var image in _images)
            {
                client.UpdateAsync(image, new GlanceImageChange().Set("protected", false)).GetAwaiter().GetResult();
                client.DeleteAsync(image).GetAwaiter().GetResult();
            }

            client.Session.Dispose();
        }

        _http.Dispose();
        _directory.Dispose();
    }

    [SkippableTheory]
    [InlineData("qcow2-zlib", ImageFormat.Vdi, "static", false)]
    [InlineData("vhd", ImageFormat.Vhdx, null, true)]
    public async Task An_image_is_made_anew_and_the_original_is_as_it_was(
        string kind, ImageFormat format, string? subformat, bool isGzipped)
    {
        var client = await ConnectAsync();
        var image = await UploadAsync(await MakeAsync(kind), new NewGlanceImage
        {
            Name = "convert-test",
            DiskFormat = SampleDisk.Kinds[kind].Format.ToName(),
            ContainerFormat = "bare",
            MinDisk = 2,
            MinRam = 512,
            OsHidden = true,
            Protected = true,
            Visibility = "community",
            Tags = ["one", "two"],
            Properties =
            [
                new("os_distro", "debian"), new("mine", "old"), new("vmware_disktype", "streamOptimized"),
                new("signature_verified", "False"), new("site_secret", "x"),
            ],
        });
        var before = await StateAsync(image.Id);
        var result = await ConvertAsync(Request(image.Id, format) with
        {
            Target = new WriterOptions { VirtualSize = 0, Subformat = subformat },
            Gzip = isGzipped ? CompressionLevel.Fastest : null,
            Properties = [new("mine", "new"), new("added", "y")],
            ReservedNamespaces = ["site_"],
        });
        Assert.Equal(before, await StateAsync(image.Id));
        Assert.Equal(
            (true, true, OriginalImage.Kept, image.Id, image.Size),
            (result.Converted, result.HashVerified, result.Original, result.OriginalId, result.TemporaryBytes));
        Assert.Empty(Directory.EnumerateFileSystemEntries(ConversionDirectory));
        var made = await client.GetAsync(result.ImageId);
        Assert.Equal(
            ("active", "convert-test", format.ToName(), isGzipped ? "compressed" : "bare", 2, 512),
            (made.Status, made.Name, made.DiskFormat, made.ContainerFormat, made.MinDisk, made.MinRam));
        Assert.Equal((true, true, "community"), (made.OsHidden, made.Protected, made.Visibility));
        Assert.Equal(["one", "two"], made.Tags.Order());
        Assert.Equal(
            ["added=y", "mine=new", "os_distro=debian"],
            made.Properties.Select(one => $"{one.Key}={one.Value}").Order());
        Assert.Equal(made.OsHashValue, result.HashValue);
        Assert.Equal(_disk, await ReadAsync(made.Id));
    }

    [SkippableFact]
    public async Task Compressed_images_and_chains_of_VHDs_become_one_disk()
    {
        var client = await ConnectAsync();
        var plain = await File.ReadAllBytesAsync(await MakeAsync("qcow2"));
        await File.WriteAllBytesAsync(_directory["disk.gz"], Gzip(plain));
        var zipped = await UploadAsync(_directory["disk.gz"], new NewGlanceImage
        {
            DiskFormat = "qcow2",
            ContainerFormat = "compressed",
        });

        // The format is the same, but not the container.
        var result = await ConvertAsync(Request(zipped.Id, ImageFormat.Qcow2));
        Assert.True(result.Converted);
        Assert.True(result.TemporaryBytes > zipped.Size);
        Assert.Equal(_disk, await ReadAsync(result.ImageId));

        var chain = await UploadAsync(
            Path.Combine(Repository.Root, "tests", "data", "vhd-util", "exported.tar.gz"),
            new NewGlanceImage { DiskFormat = "vhd", ContainerFormat = "ovf" });
        result = await ConvertAsync(Request(chain.Id, ImageFormat.Raw));
        Assert.Equal(("raw", "bare"), (result.DiskFormat, result.ContainerFormat));
        Assert.True(result.TemporaryBytes > chain.Size);
        var unpacked = new List<ImageTemporaryFile>();
        await VolumeImporter.ImportAsync(
            new VolumeImportRequest
            {
                Client = client,
                Image = chain.Id,
                Destination = _directory["chain.raw"],
                ConversionDirectory = ConversionDirectory,
            },
            new Immediately(() => unpacked.AddRange(
                ImageTemporaryFile.Find(ConversionDirectory).Where(file => Directory.Exists(file.Path)))));
        Assert.All(unpacked, directory => Assert.Equal((chain.Id, true), (directory.ImageId, directory.IsInUse)));
        Assert.NotEmpty(unpacked);
        Assert.Equal(await File.ReadAllBytesAsync(_directory["chain.raw"]), await ReadAsync(result.ImageId));
        Assert.Empty(Directory.EnumerateFileSystemEntries(ConversionDirectory));
    }

    [SkippableFact]
    public async Task The_original_is_hidden_or_removed_once_the_new_image_is_there()
    {
        var client = await ConnectAsync();
        var image = await UploadAsync(await MakeAsync("raw"), new NewGlanceImage
        {
            DiskFormat = "raw",
            ContainerFormat = "bare",
            Protected = true,
        });
        var before = await StateAsync(image.Id);
        await Assert.ThrowsAsync<ImageProtectedException>(
            () => ConvertAsync(Request(image.Id, ImageFormat.Qcow2) with { Original = OriginalImage.Removed }));
        Assert.Equal(before, await StateAsync(image.Id));
        var hidden = await ConvertAsync(Request(image.Id, ImageFormat.Qcow2) with
        {
            Original = OriginalImage.Hidden,
            Name = "converted",
            Tags = ["b"],
            Visibility = "shared",
        });
        Assert.True((await client.GetAsync(image.Id)).OsHidden);
        var made = await client.GetAsync(hidden.ImageId);
        Assert.Equal(("converted", true, false, "shared"), (made.Name, made.Protected, made.OsHidden, made.Visibility));
        Assert.Equal(["b"], made.Tags);
        await client.UpdateAsync(image.Id, new GlanceImageChange().Set("protected", false));
        var removed = await ConvertAsync(Request(image.Id, ImageFormat.Vhd) with { Original = OriginalImage.Removed });
        await Assert.ThrowsAsync<ImageNotFoundInGlanceException>(() => client.GetAsync(image.Id));
        _images.Remove(image.Id);
        Assert.Equal(_disk, (await ReadAsync(removed.ImageId))[.._disk.Length]);
    }

    [SkippableFact]
    public async Task An_image_that_has_the_format_already_is_left_alone_unless_it_is_wanted()
    {
        await ConnectAsync();
        var image = await UploadAsync(await MakeAsync("qcow2"), new NewGlanceImage
        {
            DiskFormat = "qcow2",
            ContainerFormat = "bare",
        });
        var request = Request(image.Id, ImageFormat.Qcow2) with { Original = OriginalImage.Removed };
        var before = await StateAsync(image.Id);
        var result = await ConvertAsync(request);
        Assert.Equal((false, image.Id, 0L), (result.Converted, result.ImageId, result.TemporaryBytes));
        Assert.Equal(before, await StateAsync(image.Id));
        result = await ConvertAsync(request with
        {
            Original = OriginalImage.Kept,
            Target = new WriterOptions { VirtualSize = 0, Compress = true },
        });
        Assert.True(result.Converted);
        Assert.True(result.Size < image.Size);
    }

    [SkippableFact]
    public async Task The_smallest_disk_that_is_stated_has_room_for_the_new_one()
    {
        Tool.Require("qemu-img", "qemu-utils");
        var client = await ConnectAsync();
        Tool.Run("qemu-img", "create", "-f", "qcow2", _directory["empty"], "2561M");
        var image = await UploadAsync(_directory["empty"], new NewGlanceImage
        {
            DiskFormat = "qcow2",
            ContainerFormat = "bare",
            MinDisk = 1,
        });
        var result = await ConvertAsync(Request(image.Id, ImageFormat.Vhdx));
        Assert.Equal(2561L << 20, result.VirtualSize);
        Assert.Equal(3, (await client.GetAsync(result.ImageId)).MinDisk);
    }

    [SkippableFact]
    public async Task A_download_is_used_and_what_is_signed_is_verified_and_signed_anew()
    {
        var client = await ConnectAsync();
        using var signer = new ImageUtils.Signatures.ImageSigner(
            SampleCertificates.Rsa, certificateId: "22222222-2222-3333-4444-555555555555");
        await File.WriteAllBytesAsync(_directory["volume"], _disk);
        var published = await VolumePublisher.PublishAsync(new VolumePublishRequest
        {
            Client = client,
            Path = _directory["volume"],
            Source = new OpenOptions { KnownRaw = true },
            Image = new NewGlanceImage { Name = "convert-test" },
            Signer = signer,
        });
        _images.Add(published.ImageId);
        var trust = new ImageUtils.Signatures.CertificateTrust { Certificate = SampleCertificates.Rsa };
        using var again = new ImageUtils.Signatures.ImageSigner(
            SampleCertificates.Rsa, certificateId: "22222222-2222-3333-4444-555555555555");
        var result = await ConvertAsync(Request(published.ImageId, ImageFormat.Qcow2) with
        {
            Trust = trust,
            RequiresSignature = true,
            Signer = again,
        });
        Assert.Equal((true, true), (result.SignatureVerified, result.Signed));
        var plain = await ConvertAsync(Request(published.ImageId, ImageFormat.Qcow2) with { Trust = trust });
        Assert.DoesNotContain(
            (await client.GetAsync(plain.ImageId)).Properties.Keys,
            name => name.StartsWith("img_signature", StringComparison.Ordinal));
        var saved = await ImageSaver.SaveAsync(new ImageSaveRequest
        {
            Client = client,
            Image = result.ImageId,
            Destination = _directory["saved"],
            Trust = trust,
            RequiresSignature = true,
        });
        result = await ConvertAsync(Request(result.ImageId, ImageFormat.Raw) with { Saved = saved });
        Assert.Equal((0L, true), (result.TemporaryBytes, result.SignatureVerified));
        Assert.True(saved.IsUnchanged());
        Assert.Equal(_disk, await ReadAsync(result.ImageId));
        await Assert.ThrowsAsync<ImageNotSignedException>(
            () => ConvertAsync(Request(plain.ImageId, ImageFormat.Raw) with { RequiresSignature = true }));
    }

    [SkippableFact]
    public async Task What_cannot_be_converted_is_refused_and_nothing_is_registered()
    {
        var client = await ConnectAsync();
        var image = await UploadAsync(await MakeAsync("qcow2"), new NewGlanceImage
        {
            Name = "convert-refused",
            DiskFormat = "raw",
            ContainerFormat = "bare",
        });
        var before = await StateAsync(image.Id);
        async Task RefuseAsync<T>(GlanceConversionRequest request)
            where T : Exception
        {
            await Assert.ThrowsAsync<T>(() => ConvertAsync(request));
            Assert.Equal(before, await StateAsync(image.Id));
            Assert.Empty(Directory.EnumerateFileSystemEntries(ConversionDirectory));
            var count = 0;
            await foreach (var _ in client.ListAsync(new GlanceImageFilter { Name = "convert-refused" }))
            {
                count++;
            }

            Assert.Equal(1, count);
        }

        var request = Request(image.Id, ImageFormat.Vhd);

        // It is no raw disk.
        await RefuseAsync<ImageUnacceptableException>(request);
        await RefuseAsync<GlanceStoreReadOnlyException>(request with { StoreId = "web" });
        await RefuseAsync<GlanceStoreNotFoundException>(request with { StoreId = "nowhere" });
        await RefuseAsync<ConversionDisabledException>(request with { ConversionDisabled = true });
        await RefuseAsync<UnsupportedImageException>(request with { Format = ImageFormat.Luks });
        await RefuseAsync<ImageOptionException>(
            request with { Target = new WriterOptions { VirtualSize = 0, Subformat = "flat" } });
        var disc = await UploadAsync(
            _directory["volume.raw"], new NewGlanceImage { DiskFormat = "iso", ContainerFormat = "bare" });
        await RefuseAsync<UnsupportedImageException>(Request(disc.Id, ImageFormat.Qcow2));
    }

    [SkippableFact]
    public async Task A_projects_own_copy_of_anothers_image_is_no_more_public_than_any()
    {
        var admin = await ConnectAsync("test");
        var image = await UploadAsync(await MakeAsync("raw"), new NewGlanceImage
        {
            DiskFormat = "raw",
            ContainerFormat = "bare",
            Visibility = "community",
        });
        using var session = await ImageServiceSession.ConnectAsync(SettingsOf("member"));
        var member = new GlanceClient(session);
        var result = await GlanceImageConverter.ConvertAsync(
            Request(image.Id, ImageFormat.Qcow2) with { Client = member });
        var made = await member.GetAsync(result.ImageId);
        Assert.Equal((session.ProjectId, "shared"), (made.Owner, made.Visibility));

        // In the place of somebody else's image comes one of the same owner's.
        var replaced = await ConvertAsync(Request(made.Id, ImageFormat.Vhd) with
        {
            Client = admin,
            Original = OriginalImage.Removed,
        });
        Assert.Equal(session.ProjectId, (await admin.GetAsync(replaced.ImageId)).Owner);
        var error = await Assert.ThrowsAsync<ServiceResponseException>(() => GlanceImageConverter.ConvertAsync(
            Request(image.Id, ImageFormat.Qcow2) with { Client = member, Original = OriginalImage.Hidden }));
        Assert.Equal(System.Net.HttpStatusCode.Forbidden, error.Status);
    }

    private GlanceConversionRequest Request(string id, ImageFormat format) => new()
    {
        Client = _client!,
        Image = id,
        Format = format,
        ConversionDirectory = ConversionDirectory,
    };

    private async Task<GlanceConversionResult> ConvertAsync(GlanceConversionRequest request)
    {
        var result = await GlanceImageConverter.ConvertAsync(request);
        if (result.Converted)
        {
            _images.Add(result.ImageId);
        }

        return result;
    }

    private static CloudSettings SettingsOf(string cloud) => CloudConfiguration.Load("/", new Dictionary<string, string>
    {
        ["OS_CLIENT_CONFIG_FILE"] = OpenStackCloud.Require().CloudsFile,
    }).Get(cloud);

    private async Task<GlanceClient> ConnectAsync(string cloud = "open") =>
        _client = new GlanceClient(await ImageServiceSession.ConnectAsync(SettingsOf(cloud)));

    // All that Glance says of it, when it was changed included.
    private Task<string> StateAsync(string id) =>
        _http.GetStringAsync(new Uri($"{OpenStackCloud.Require().OpenGlance}/v2/images/{id}"));

    private async Task<string> MakeAsync(string kind)
    {
        await File.WriteAllBytesAsync(_directory["volume.raw"], _disk);
        await ImageConverter.ConvertAsync(
            SampleDisk.Request(_directory["volume.raw"], _directory[kind], kind) with { Overwrite = true });
        return _directory[kind];
    }

    private static byte[] Gzip(byte[] data)
    {
        using var target = new MemoryStream();
        using (var gzip = new GZipStream(target, CompressionLevel.Fastest))
        {
            gzip.Write(data);
        }

        return target.ToArray();
    }

    private async Task<GlanceImage> UploadAsync(string path, NewGlanceImage image)
    {
        var made = await _client!.CreateAsync(image);
        _images.Add(made.Id);
        await _client.UploadAsync(
            made.Id,
            async (stream, token) =>
            {
                using var file = File.OpenRead(path);
                await file.CopyToAsync(stream, token);
            },
            new FileInfo(path).Length);
        return await _client.GetAsync(made.Id);
    }

    private async Task<byte[]> ReadAsync(string id)
    {
        var path = _directory[$"read-{id}"];
        await VolumeImporter.ImportAsync(new VolumeImportRequest
        {
            Client = _client!,
            Image = id,
            Destination = path,
            ConversionDirectory = ConversionDirectory,
        });
        return await File.ReadAllBytesAsync(path);
    }
}
