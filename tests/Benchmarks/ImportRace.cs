using System.Diagnostics;
using System.Text.Json;
using ImageUtils.Glance;
using ImageUtils.Keystone;

namespace ImageUtils.Benchmarks;

/// <summary>
/// Volumes made of images of a real Glance on loopback: in one pass, beside what is done in sequence with a file in between
/// (curl, sha512sum, qemu-img info, qemu-img convert).
/// </summary>
internal static class ImportRace
{
    /// <summary>What runs one import in a process of its own: service, image, volume, format.</summary>
    internal const string One = "importing-one";

    internal static int Run(ReadOnlySpan<string> arguments)
    {
        var options = new RaceOptions(arguments, ["--write"], "--disk", "--directory", "--pairs");
        Programs.Require("qemu-img", "qemu-utils");
        Programs.Require("curl", "curl");
        using var directory = new ScratchDirectory(options["--directory"]);
        var disk = MachineDisk.Get(options, directory);
        var image = directory["image.qcow2"];
        Programs.Run("qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", disk, image);
        using var servers = StartServers(directory);
        using var line = JsonDocument.Parse(servers.StandardOutput.ReadLine() ?? "{}");
        try
        {
            var glance = line.RootElement.GetProperty("open_glance").GetString()!;
            var id = UploadAsync(glance, image).GetAwaiter().GetResult();
            var file = $"{glance}/v2/images/{id}/file";
            var rows = new List<string[]>();
            foreach (var (format, driver) in new[] { ("raw", "raw"), ("vhdx", "vhdx") })
            {
                rows.Add(Race(format, driver, glance, id, file, directory, options.Number("--pairs", 3)));
            }

            ResultPage.Publish(
                "imports",
                $"{ResultPage.Machine()}; {MachineDisk.Describe(options, disk)}, as qcow2 with zlib "
                + $"({ResultPage.Mebibytes(new FileInfo(image).Length)}), on {directory.FileSystem}. Medians of "
                + $"{options.Number("--pairs", 3)}; load average {File.ReadAllText("/proc/loadavg").Split(' ')[0]}:\n\n"
                + ResultPage.Table(
                    [
                        "work", "curl + sha512sum + info + convert", "temporary", "imageutils", "temporary", "ratio",
                        "peak memory",
                    ],
                    rows),
                options.Has("--write"));
            return 0;
        }
        finally
        {
            servers.StandardInput.Close();
            servers.WaitForExit();
        }
    }

    internal static async Task<int> RunOneAsync(ReadOnlyMemory<string> arguments)
    {
        var (service, id, volume, format) = (
            arguments.Span[0], arguments.Span[1], arguments.Span[2], arguments.Span[3]);
        using var session = await ConnectAsync(service).ConfigureAwait(false);
        var result = await VolumeImporter.ImportAsync(new VolumeImportRequest
        {
            Client = new GlanceClient(session),
            Image = id,
            Destination = volume,
            Format = ImageFormatNames.TryParse(format, out var known) ? known : ImageFormat.Raw,
            ConversionDirectory = Path.GetTempPath(),
        }).ConfigureAwait(false);
        return result is { TemporaryBytes: 0, HashAlgorithm: not null } ? 0 : 1;
    }

    private static string[] Race(
        string format, string driver, string glance, string id, string file, ScratchDirectory directory, int pairs)
    {
        var theirs = new List<TimeSpan>();
        var ours = new List<Measured>();
        var (copy, their, our) = (directory["copy"], directory["theirs"], directory["ours"]);
        var temporary = 0L;
        for (var pair = 0; pair < pairs; pair++)
        {
            File.Delete(their);
            var started = Stopwatch.GetTimestamp();
            Programs.Run("curl", "-s", "-S", "-f", "-o", copy, file);
            Programs.Run("sha512sum", copy);
            Programs.Run("qemu-img", "info", "-f", "qcow2", copy);
            Programs.Run("qemu-img", "convert", "-f", "qcow2", "-O", driver, copy, their);
            theirs.Add(Stopwatch.GetElapsedTime(started));
            temporary = new FileInfo(copy).Length;
            File.Delete(copy);
            File.Delete(our);
            ours.Add(Programs.Measure(Environment.ProcessPath!, [One, glance, id, our, format]));
            Programs.Run("qemu-img", "compare", "-f", driver, "-F", driver, their, our);
        }

        var theirMedian = theirs.Order().ElementAt(pairs / 2);
        var ourMedian = ours.OrderBy(one => one.Time).ElementAt(pairs / 2);
        return
        [
            $"qcow2 zlib to {format}", ResultPage.Seconds(theirMedian), ResultPage.Mebibytes(temporary),
            ResultPage.Seconds(ourMedian.Time), "0 MiB", $"{ourMedian.Time / theirMedian:0.00}",
            ResultPage.Mebibytes(ourMedian.PeakBytes),
        ];
    }

    /// <summary>Keystone, Glance and Barbican; they end when their standard input does.</summary>
    internal static Process StartServers(ScratchDirectory directory)
    {
        var root = Programs.Run("git", "rev-parse", "--show-toplevel").Trim();
        return Process.Start(new ProcessStartInfo(
            "/usr/bin/python3", ["-B", Path.Join(root, "tests/Interop/openstack/start.py"), directory["cloud"]])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
    }

    private static Task<ImageServiceSession> ConnectAsync(string service) =>
        ImageServiceSession.ConnectAsync(new CloudSettings
        {
            Method = KeystoneMethod.None,
            EndpointOverrides = { ["image"] = new Uri(service) },
        });

    private static async Task<string> UploadAsync(string service, string path)
    {
        using var session = await ConnectAsync(service).ConfigureAwait(false);
        var client = new GlanceClient(session);
        var image = await client.CreateAsync(
            new NewGlanceImage { Name = "race", DiskFormat = "qcow2", ContainerFormat = "bare" }).ConfigureAwait(false);
        await client.UploadAsync(
            image.Id,
            async (stream, token) =>
            {
                using var file = File.OpenRead(path);
                await file.CopyToAsync(stream, token).ConfigureAwait(false);
            },
            new FileInfo(path).Length).ConfigureAwait(false);
        return image.Id;
    }
}
