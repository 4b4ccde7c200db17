using ImageUtils.Conversion;
using ImageUtils.Formats;
using ImageUtils.Formats.Raw;
using ImageUtils.Formats.Vhd;
using ImageUtils.Formats.Vhdx;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;
using ImageUtils.Resizing;
using ImageUtils.Safety;

namespace ImageUtils.Tests.VhdChains;

/// <summary>A chain of VHDs of random content, and what a guest must see of each of them.</summary>
internal sealed class RandomChain : IDisposable
{
    private const int Sector = 512;
    private const string VhdxPrefix = "vhdx-";
    private readonly string _directory = System.IO.Directory.CreateTempSubdirectory("imageutils-chain-").FullName;
    private readonly List<(string Path, byte[] Disk, Guid? Id)> _links = [];

    /// <param name="seed">Everything follows from it.</param>
    /// <param name="depth">How many disks.</param>
    /// <param name="baseKind">
    /// What is at the bottom: <c>raw</c>, <c>fixed</c> or <c>dynamic</c>; of VHDXs <c>vhdx-fixed</c> or <c>vhdx-dynamic</c>.
    /// </param>
    /// <param name="blockSize">Of all that have blocks, in bytes.</param>
    /// <param name="megabytes">About how large the disks are; each is somewhat smaller or larger than its parent.</param>
    public RandomChain(int seed, int depth, string baseKind, int blockSize = 512 << 10, int megabytes = 6)
    {
        var random = new Random(seed);
        for (var index = depth - 1; index >= 0; index--)
        {
            var length = (megabytes << 20) + random.Next(-2000, 2000) * Sector;
            var isVhdx = baseKind.StartsWith(VhdxPrefix, StringComparison.Ordinal);
            var kind = index < depth - 1 ? "differencing" : isVhdx ? baseKind[VhdxPrefix.Length..] : baseKind;
            Add(random, index, length, kind, isVhdx ? 1 << 20 : blockSize, isVhdx);
        }

        _links.Reverse();
    }

    /// <summary>The paths, leaf first.</summary>
    public IReadOnlyList<string> Paths => [.. _links.Select(link => link.Path)];

    /// <summary>What a guest sees of each disk, leaf first.</summary>
    public IReadOnlyList<byte[]> Disks => [.. _links.Select(link => link.Disk)];

    /// <summary>The path of a file in the chain's directory.</summary>
    public string this[string name] => Path.Combine(_directory, name);

    /// <summary>The names of what is in the chain's directory, in order.</summary>
    public IReadOnlyList<string> Names() =>
        [.. Directory.EnumerateFileSystemEntries(_directory).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];

    /// <summary>How its disks are opened.</summary>
    public OpenOptions Options => new()
    {
        Inspection = new InspectionOptions
        {
            Policy = SafetyPolicy.Default with { BackingFileDirectories = [_directory] },
        },
    };

    /// <summary>What a guest sees of a disk now.</summary>
    public byte[] Read(string path) => Read(path, int.MaxValue, out _);

    /// <summary>The beginning of what a guest sees of a disk now, and how much there is; all behind must be zeros.</summary>
    public byte[] Read(string path, int most, out long length)
    {
        var options = path.EndsWith(".raw", StringComparison.Ordinal) ? Options with { KnownRaw = true } : Options;
        (var disk, length) = ReadAsync(path, most, options).GetAwaiter().GetResult();
        return disk;
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static async Task<(byte[] Disk, long Length)> ReadAsync(string path, int most, OpenOptions options)
    {
        using var image = await ImageOpener.OpenAsync(path, options).ConfigureAwait(false);
        using var reader = new ExtentReader();
        var disk = new byte[Math.Min(image.Map.VirtualSize, most)];
        await foreach (var extent in image.Map.GetExtentsAsync(0, disk.Length, default).ConfigureAwait(false))
        {
            if (!extent.IsEmpty)
            {
                await reader.ReadAsync([extent], 0, disk, default).ConfigureAwait(false);
            }
        }

        return await GuestTail.FindLastDataAsync(image.Map, disk.Length, default).ConfigureAwait(false) is { } last
            ? throw new InvalidDataException($"'{path}' has data at byte {last}, behind its end of before.")
            : (disk, image.Map.VirtualSize);
    }

    private void Add(Random random, int index, int length, string kind, int blockSize, bool isVhdx)
    {
        var parent = _links.Count == 0 ? default : _links[^1];
        var path = this[$"{index}.{(kind == "raw" ? "raw" : isVhdx ? "vhdx" : "vhd")}"];
        var disk = new byte[length];
        parent.Disk?.AsSpan(0, Math.Min(length, parent.Disk.Length)).CopyTo(disk);
        Guid? id = new Guid(random.Next(), 1, 2, new byte[8]);
        var writer = kind == "raw"
            ? new RawFormat().CreateWriter(new WriterOptions { VirtualSize = length })
            : (isVhdx ? (IWritableFormat)new VhdxFormat() : new VhdFormat()).CreateWriter(new WriterOptions
            {
                VirtualSize = length,
                Subformat = kind,
                UniqueId = id,
                ClusterSize = kind == "fixed" ? null : blockSize,
                BackingFile = parent.Path is null ? null : Path.GetFileName(parent.Path),
                BackingFormat = parent.Path is null ? ImageFormat.Unknown
                    : parent.Id is null ? ImageFormat.Raw : isVhdx ? ImageFormat.Vhdx : ImageFormat.Vhd,
                ParentId = parent.Id,
            });
        using var destination = Destination.Create(path, overwrite: false);
        Wait(writer.BeginAsync(destination.Sink, default));
        for (var at = random.Next(600) * Sector; at < length;)
        {
            var piece = disk.AsMemory(at, Math.Min(random.Next(1, 900) * Sector, length - at));
            if (random.Next(4) == 0)
            {
                piece.Span.Clear();
                Wait(writer.WriteZeroesAsync(at, piece.Length, default));
            }
            else
            {
                random.NextBytes(piece.Span);
                Wait(writer.WriteAsync(at, piece, default));
            }

            at += piece.Length + random.Next(3) * random.Next(1200) * Sector;
        }

        Wait(writer.FinishAsync(default));
        destination.Commit();
        _links.Add((path, disk, kind == "raw" ? null : isVhdx ? DataWriteGuidOf(path) : id));
    }

    private static Guid DataWriteGuidOf(string path) => ((VhdxDetails)ImageInspector.InspectFileAsync(path)
        .AsTask().GetAwaiter().GetResult().Details!).DataWriteGuid;

    private static void Wait(ValueTask work) => work.AsTask().GetAwaiter().GetResult();
}
