using ImageUtils.Conversion;
using ImageUtils.Glance;
using ImageUtils.Keystone;
using ImageUtils.Tests.OpenStack;

namespace ImageUtils.Tests.Glance;

/// <summary>Where the services of <c>tests/Interop/openstack/start.py</c> are.</summary>
/// <param name="OpenGlance">A Glance that asks for no token.</param>
/// <param name="Glance">One that does.</param>
/// <param name="Keystone">Who gives it.</param>
internal sealed record CloudPlaces(Uri OpenGlance, Uri Glance, Uri Keystone)
{
    public const string AdminPassword = "admin-Secret-1";
}

/// <summary>Images of real services that are worked with through a proxy, and looked at without it.</summary>
internal sealed class FaultyCloud : IDisposable
{
    private readonly CloudPlaces _places;
    private readonly string _directory;
    private readonly Dictionary<bool, GlanceClient> _direct = [];
    private readonly Dictionary<(bool, string), GlanceImage> _images = [];
    private readonly string _name = $"faults-{Guid.NewGuid():N}";

    /// <param name="places">The services.</param>
    /// <param name="directory">An empty one, for the images' files.</param>
    public FaultyCloud(CloudPlaces places, string directory)
    {
        (_places, _directory) = (places, directory);
        Disk = MakeDisk(0);
        File.WriteAllBytes(Volume, Disk);
    }

    /// <summary>What a guest sees.</summary>
    public byte[] Disk { get; }

    /// <summary>A file that has it.</summary>
    public string Volume => Path.Join(_directory, "volume.raw");

    /// <summary>The name of every image that a case makes.</summary>
    public string NewName => _name + "-new";

    /// <summary>A client that is disturbed.</summary>
    /// <param name="proxy">What it is disturbed by.</param>
    /// <param name="hasKeystone">Which service it works with.</param>
    /// <param name="isPatient">Whether a service may take its time; else what falls silent is soon given up.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<GlanceClient> ConnectAsync(
        FaultyProxy proxy, bool hasKeystone, bool isPatient, CancellationToken cancellationToken)
    {
        var seconds = isPatient ? 20 : 1;
        return new GlanceClient(await ImageServiceSession.ConnectAsync(
            Settings(hasKeystone, uri => proxy.Open(uri), TimeSpan.FromSeconds(1.5 * seconds)), cancellationToken))
        {
            StallTimeout = TimeSpan.FromSeconds(0.75 * seconds),
            UploadAnswerTimeout = TimeSpan.FromSeconds(2 * seconds),
            MaximumContinuations = 2,
            ContinuationDelay = TimeSpan.FromMilliseconds(2),
            PollingDelay = TimeSpan.FromMilliseconds(50),
        };
    }

    /// <summary>A client that is not disturbed.</summary>
    public async Task<GlanceClient> DirectAsync(bool hasKeystone)
    {
        if (!_direct.TryGetValue(hasKeystone, out var client))
        {
            client = _direct[hasKeystone] = new GlanceClient(
                await ImageServiceSession.ConnectAsync(Settings(hasKeystone, uri => uri, TimeSpan.FromMinutes(1))));
        }

        return client;
    }

    /// <summary>An image of the disk that is there in a format; made when it is asked for first.</summary>
    /// <param name="hasKeystone">In which service.</param>
    /// <param name="kind">raw, qcow2, vhd, gz, tables (a qcow2) or other (one as long as that, of another disk).</param>
    public async Task<GlanceImage> ImageAsync(bool hasKeystone, string kind)
    {
        if (_images.TryGetValue((hasKeystone, kind), out var image))
        {
            return image;
        }

        var (format, compress) = kind switch
        {
            "raw" => (ImageFormat.Raw, false),
            "vhd" => (ImageFormat.Vhd, false),
            "qcow2" or "gz" => (ImageFormat.Qcow2, true),
            _ => (ImageFormat.Qcow2, false),
        };
        var file = Path.Join(_directory, kind);
        if (!File.Exists(file))
        {
            await MakeAsync(file, kind, format, compress);
        }

        var client = await DirectAsync(hasKeystone);
        image = await client.CreateAsync(new NewGlanceImage
        {
            Name = $"{_name}-{kind}",
            DiskFormat = format.ToName(),
            ContainerFormat = kind == "gz" ? "compressed" : "bare",
        });
        using (var data = File.OpenRead(file))
        {
            await client.UploadAsync(image.Id, (body, token) => data.CopyToAsync(body, token), data.Length);
        }

        return _images[(hasKeystone, kind)] = await client.GetAsync(image.Id);
    }

    /// <summary>The images' file, as it was uploaded.</summary>
    public byte[] FileOf(string kind) => File.ReadAllBytes(Path.Join(_directory, kind));

    /// <summary>The images that cases have made.</summary>
    public async Task<List<GlanceImage>> NewImagesAsync(bool hasKeystone)
    {
        var client = await DirectAsync(hasKeystone);
        var found = new List<GlanceImage>();
        await foreach (var image in client.ListAsync(new GlanceImageFilter { Name = NewName }))
        {
            found.Add(image);
        }

        return found;
    }

    public void Dispose()
    {
        foreach (var ((hasKeystone, _), image) in _images)
        {
            _direct[hasKeystone].DeleteAsync(image.Id).GetAwaiter().GetResult();
        }

        foreach (var client in _direct.Values)
        {
            client.Session.Dispose();
        }
    }

    // Clusters of noise, of text and of nothing; of another disk as many, but elsewhere.
    private static byte[] MakeDisk(int shift)
    {
        var random = new Random(4);
        var disk = new byte[(4 << 20) + 512];
        foreach (var cluster in new[] { 0, 1, 9, 10, 30, 63 })
        {
            var at = (cluster == 9 ? cluster + shift : cluster) << 16;
            random.NextBytes(disk.AsSpan(at, 65536));
        }

        for (var at = 20 << 16; at < 24 << 16; at++)
        {
            disk[at] = (byte)("a quick brown fox"[at % 17] + at / 999 % 3);
        }

        disk[0] = 0xEB;
        return disk;
    }

    private async Task MakeAsync(string file, string kind, ImageFormat format, bool compress)
    {
        var disk = file + ".disk";
        await File.WriteAllBytesAsync(disk, kind == "other" ? MakeDisk(2) : Disk);
        await ImageConverter.ConvertAsync(new ConversionRequest
        {
            SourcePath = disk,
            Source = new OpenOptions { KnownRaw = true },
            DestinationPath = kind == "gz" ? file + ".plain" : file,
            DestinationFormat = format,
            Target = new WriterOptions { VirtualSize = 0, Compress = compress },
            Engine = ConversionEngine.Native,
        });
        if (kind == "gz")
        {
            using var plain = File.OpenRead(file + ".plain");
            using var packed = new System.IO.Compression.GZipStream(
                File.Create(file), System.IO.Compression.CompressionLevel.Fastest);
            await plain.CopyToAsync(packed);
        }
    }

    private CloudSettings Settings(bool hasKeystone, Func<Uri, Uri> through, TimeSpan timeout)
    {
        var settings = new CloudSettings
        {
            Method = hasKeystone ? KeystoneMethod.Password : KeystoneMethod.None,
            Timeout = timeout,
            Retries = 2,
            RetryDelay = TimeSpan.FromMilliseconds(2),
            EndpointOverrides = { ["image"] = through(hasKeystone ? _places.Glance : _places.OpenGlance) },
        };
        if (hasKeystone)
        {
            settings.AuthUrl = through(_places.Keystone);
            settings.UserName = settings.ProjectName = "admin";
            settings.UserDomainName = settings.ProjectDomainName = "Default";
            settings.Password = new Secret(CloudPlaces.AdminPassword);
        }

        return settings;
    }
}
