using System.Text.RegularExpressions;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Glance;
using ImageUtils.Tests.OpenStack;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Glance;

/// <summary>How a piece of work ended that was disturbed.</summary>
/// <param name="Outcome">complete, or the id of the error.</param>
/// <param name="Message">The error's message.</param>
/// <param name="Violation">What is not as it has to be; null where all is.</param>
/// <param name="Exchanges">What was asked, and answered.</param>
internal sealed record FaultResult(string Outcome, string Message, string? Violation, IReadOnlyList<Exchange> Exchanges);

/// <summary>
/// One piece of work with a real Glance that is disturbed. However it ends: what it makes is complete and right, or not
/// there, and then there is an error with an id.
/// </summary>
/// <param name="cloud">The services.</param>
/// <param name="name">The case's name, one of <see cref="Names"/>.</param>
internal sealed partial class FaultCase(FaultyCloud cloud, string name)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly bool _hasKeystone = name.EndsWith(" with Keystone", StringComparison.Ordinal);
    private readonly string[] _words = name.Split(' ');
    private string? _expectedHash;

    /// <summary>All cases: what is done, and of or to which format.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        "save qcow2", "resume qcow2", "save raw with Keystone", "import raw", "import qcow2", "import vhd", "import gz",
        "import tables", "import qcow2 with Keystone", "publish raw", "publish qcow2", "publish vmdk", "refill qcow2",
        "publish qcow2 with Keystone", "stage raw with Keystone", "create", "create with Keystone", "update",
    ];

    public string Name => name;

    /// <summary>The kind of the image that it reads; null where it reads none.</summary>
    public string? Source => _words[0] is "save" or "resume" or "import" ? _words[1] : _words[0] == "update" ? "raw" : null;

    /// <summary>Whether there is another image as long as the one that it reads.</summary>
    public bool HasOther => Source == "tables";

    /// <summary>Does the work.</summary>
    /// <param name="directory">An empty directory.</param>
    /// <param name="fault">What disturbs it; null: nothing.</param>
    public async Task<FaultResult> RunAsync(string directory, Fault? fault)
    {
        using var proxy = new FaultyProxy(fault is null ? [] : [await CompleteAsync(fault)]);
        using var limit = new CancellationTokenSource(s_patience);
        var image = Source is null ? null : await cloud.ImageAsync(_hasKeystone, Source);
        var queued = _words[0] == "refill" ? await QueueAsync() : null;
        var conversion = Directory.CreateDirectory(Path.Join(directory, "conversion")).FullName;
        Exception? error = null;
        GlanceClient? client = null;
        try
        {
            var isPatient = fault?.Kind is not (FaultKind.StallAnswer or FaultKind.StallRequest);
            client = await cloud.ConnectAsync(proxy, _hasKeystone, isPatient, limit.Token);
            await WorkAsync(client, image?.Id ?? queued?.Id, directory, limit.Token);
        }
        catch (Exception exception)
        {
            error = exception;
        }

        client?.Session.Dispose();
        await proxy.CloseAsync();
        var violation = limit.IsCancellationRequested ? $"it has not ended within {s_patience.TotalSeconds} s: {error}"
            : Judge(error)
            ?? await LookAsync(error, image, queued, directory)
            ?? (Directory.EnumerateFileSystemEntries(conversion).FirstOrDefault() is { } left ? $"left over: {left}" : null);
        await RemoveAsync();
        return new FaultResult(
            error is null ? "complete" : (error as ImageUtilsException)?.ErrorId ?? error.GetType().Name,
            error?.Message ?? "", violation, [.. proxy.Exchanges.OrderBy(one => one.Number)]);
    }

    [GeneratedRegex("[.] [A-Z][a-z]+ ")]
    private static partial Regex Advice();

    // What is unacceptable is so for what is in it.
    private static string? Judge(Exception? error) => error switch
    {
        null or ImageUnacceptableException => null,
        ImageUtilsException { ErrorId.Length: > 0 } ours => Advice().IsMatch(ours.Message) ? null : $"no advice: {ours.Message}",
        _ => $"an error of somebody else's: {error}",
    };

    private async Task<Fault> CompleteAsync(Fault fault) => fault.Kind != FaultKind.OtherImageForRanges ? fault : fault with
    {
        Images = ((await cloud.ImageAsync(_hasKeystone, Source!)).Id, (await cloud.ImageAsync(_hasKeystone, "other")).Id),
    };

    private async Task<GlanceImage> QueueAsync() => await (await cloud.DirectAsync(_hasKeystone)).CreateAsync(new NewGlanceImage
    {
        Name = cloud.NewName,
        DiskFormat = _words[1],
        ContainerFormat = "bare",
        Properties = [new("mine", "kept")],
    });

    private async Task WorkAsync(GlanceClient client, string? id, string directory, CancellationToken cancellationToken)
    {
        switch (_words[0])
        {
            case "save" or "resume":
                await SaveAsync(client, id!, directory, cancellationToken);
                break;
            case "import":
                await VolumeImporter.ImportAsync(
                    new VolumeImportRequest
                    {
                        Client = client,
                        Image = id!,
                        Destination = Path.Join(directory, "result"),
                        ConversionDirectory = Path.Join(directory, "conversion"),
                    },
                    cancellationToken: cancellationToken);
                break;
            case "publish" or "stage" or "refill":
                await VolumePublisher.PublishAsync(
                    new VolumePublishRequest
                    {
                        Client = client,
                        Path = cloud.Volume,
                        Source = new OpenOptions { KnownRaw = true },
                        ImageId = id,
                        Image = new NewGlanceImage { Name = cloud.NewName },
                        Format = ImageFormatNames.TryParse(_words[1], out var format) ? format : ImageFormat.Raw,
                        Target = new WriterOptions
                        {
                            VirtualSize = 0,
                            Subformat = format == ImageFormat.Vmdk ? "streamOptimized" : null,
                        },
                        UsesImport = _words[0] == "stage",
                        TemporaryDirectory = Path.Join(directory, "conversion"),
                    },
                    cancellationToken: cancellationToken);
                break;
            case "create":
                await client.CreateAsync(
                    new NewGlanceImage { Name = cloud.NewName, DiskFormat = "raw", ContainerFormat = "bare" }, cancellationToken);
                break;
            case "update":
                await client.UpdateAsync(
                    id!, new GlanceImageChange().Set("one", "1").Set("two", "2"), cancellationToken);
                break;
        }
    }

    private Task<SavedGlanceImage> SaveAsync(
        GlanceClient client, string id, string directory, CancellationToken cancellationToken = default) =>
        ImageSaver.SaveAsync(
            new ImageSaveRequest
            {
                Client = client,
                Image = id,
                Destination = Path.Join(directory, "result"),
                Resume = _words[0] == "resume",
            },
            cancellationToken: cancellationToken);

    private async Task<string?> LookAsync(Exception? error, GlanceImage? image, GlanceImage? queued, string directory) =>
        _words[0] switch
        {
            "save" or "import" => LookAtFile(error, directory),
            "resume" => await LookAtPartAsync(error, image!, directory),
            "update" => await LookAtChangeAsync(error, image!),
            "create" => await LookAtNewAsync(error, null),
            _ => await LookAtNewAsync(error, queued),
        };

    private static string?[] FilesIn(string directory) =>
        [.. Directory.EnumerateFileSystemEntries(directory).Select(Path.GetFileName).Except(["conversion"])];

    private string? LookAtFile(Exception? error, string directory)
    {
        var names = FilesIn(directory);
        if (error is not null)
        {
            return names.Length == 0 ? null : $"left over: {string.Join(", ", names)}";
        }

        return names is not ["result"] ? $"found: {string.Join(", ", names)}"
            : File.ReadAllBytes(Path.Join(directory, "result")).AsSpan()
                .SequenceEqual(_words[0] == "import" ? cloud.Disk : cloud.FileOf(_words[1])) ? null
            : "the result has other bytes";
    }

    // What is kept is gone on with.
    private async Task<string?> LookAtPartAsync(Exception? error, GlanceImage image, string directory)
    {
        if (error is null)
        {
            return LookAtFile(null, directory);
        }

        var names = FilesIn(directory);
        if (names.Except([".result.imageutils-part"]).Any())
        {
            return $"left over: {string.Join(", ", names)}";
        }

        await SaveAsync(await cloud.DirectAsync(_hasKeystone), image.Id, directory);
        return LookAtFile(null, directory);
    }

    private async Task<string?> LookAtChangeAsync(Exception? error, GlanceImage image)
    {
        var client = await cloud.DirectAsync(_hasKeystone);
        var now = await client.GetAsync(image.Id);
        var properties = (now.Properties.GetValueOrDefault("one"), now.Properties.GetValueOrDefault("two"));
        if (properties.Item1 is not null)
        {
            await client.UpdateAsync(image.Id, new GlanceImageChange().Remove("one").Remove("two"));
        }

        return properties == ("1", "2") || (error is not null && properties == (null, null))
            ? null
            : $"half changed: {properties}";
    }

    private async Task<string?> LookAtNewAsync(Exception? error, GlanceImage? queued)
    {
        // The service may have to notice yet that a connection has ended.
        for (var patience = 0; ; patience++)
        {
            var found = await cloud.NewImagesAsync(_hasKeystone);
            var violation = error is null ? await LookAtImagesAsync(found)
                : queued is not null ? await LookAtQueuedAsync(found, error)
                : found.Count == 0 || error.Message.Contains("Delete it.", StringComparison.Ordinal) ? null
                : $"left over: {Describe(found)} after {error.Message}";
            if (violation is null || patience == 12)
            {
                return violation;
            }

            await Task.Delay(100);
        }
    }

    // What came whole cannot be taken away again: where it is another it is kept from being used, and where nobody could
    // ask any more what it is, it must be right.
    private async Task<string?> LookAtQueuedAsync(List<GlanceImage> found, Exception error) =>
        found is [var one] && one.Properties.GetValueOrDefault("mine") == "kept"
        && (one is { Status: "queued", Size: null, Checksum: null, Stores: [] }
            || (one.Status == "deactivated" && error.Message.Contains("It was deactivated", StringComparison.Ordinal))
            || await LookAtImagesAsync(found) is null)
            ? null
            : $"not as it was: {Describe(found)} after {error.Message}";

    private async Task<string?> LookAtImagesAsync(List<GlanceImage> found)
    {
        if (found is not [var one])
        {
            return $"{found.Count} images were made";
        }

        if (_words[0] == "create")
        {
            return one.Status == "queued" ? null : $"the image is {one.Status}";
        }

        if (one.Status != "active")
        {
            return $"the image is {one.Status}";
        }

        // Some formats have an identity of their own each time.
        if (one.OsHashValue != _expectedHash)
        {
            using var directory = new TemporaryDirectory();
            await VolumeImporter.ImportAsync(new VolumeImportRequest
            {
                Client = await cloud.DirectAsync(_hasKeystone),
                Image = one.Id,
                Destination = directory["result"],
                ConversionDirectory = directory.Path,
            });
            if (!(await File.ReadAllBytesAsync(directory["result"])).AsSpan().StartsWith(cloud.Disk))
            {
                return "the image has another disk than the volume";
            }

            _expectedHash = one.OsHashValue;
        }

        return null;
    }

    private static string Describe(List<GlanceImage> images) =>
        string.Join(", ", images.Select(one => $"{one.Id} ({one.Status}, {one.Size})"));

    private async Task RemoveAsync()
    {
        var client = await cloud.DirectAsync(_hasKeystone);
        foreach (var one in await cloud.NewImagesAsync(_hasKeystone))
        {
            try
            {
                await client.DeleteAsync(one.Id);
            }
            catch (ImageNotFoundInGlanceException)
            {
                // The service has been slow.
            }
        }
    }
}
