using System.Formats.Tar;
using System.Globalization;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.VhdChains;
using Microsoft.Win32.SafeHandles;

namespace ImageUtils.XenServer;

/// <summary>Unpacks the chain of VHDs in a XenServer image, and nothing else of it.</summary>
/// <remarks>
/// OpenStack, cinder/image/image_utils.py, discover_vhd_chain: the disks are <c>0.vhd</c> (the leaf), <c>1.vhd</c> and
/// so on, at the archive's top, up to the first number that is missing. Every entry is looked at, wanted or not, before
/// any of its data is taken.
/// </remarks>
internal sealed class XenServerArchive
{
    private const int MaximumEntries = 4096;

    // What comes before an entry's data: its header, and extended headers, which the reader takes into memory.
    private const long MaximumHeadersLength = 1 << 20;

    // What may follow the archive's end: tar fills up its last record.
    private const long MaximumTrailerLength = 16 << 20;

    private const int BufferLength = 1 << 20;
    private const int HoleLength = 64 << 10;

    private readonly string _path;
    private readonly string _directory;
    private readonly long _maximumSize;
    private readonly UnixFileMode _mode;
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly Dictionary<int, string> _disks = [];
    private readonly byte[] _buffer = new byte[BufferLength];

    /// <param name="path">The archive, for messages.</param>
    /// <param name="directory">Where the disks go; nobody else may write there.</param>
    /// <param name="maximumSize">The most bytes that all entries may have together.</param>
    /// <param name="mode">Who may do what with the disks.</param>
    internal XenServerArchive(string path, string directory, long maximumSize, UnixFileMode mode)
    {
        _path = path;
        _directory = directory;
        _maximumSize = maximumSize;
        _mode = mode;
    }

    /// <summary>What the entries have together, in bytes, as far as they were looked at.</summary>
    internal long UnpackedBytes { get; private set; }

    /// <summary>Reads the archive to its end.</summary>
    /// <param name="content">The archive's bytes, to be read once.</param>
    /// <param name="onPosition">Is told how many bytes were unpacked.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>The disks' paths, leaf first.</returns>
    /// <exception cref="XenServerImageException">An entry is refused, or there is no chain.</exception>
    /// <exception cref="VhdChainException">The chain is too long.</exception>
    internal async ValueTask<List<string>> UnpackAsync(
        Stream content, Action<long>? onPosition, CancellationToken cancellationToken)
    {
        var metered = new MeteredStream(content, () => No(
            XenServerImageProblem.TooLarge,
            "An entry's headers, or what follows the last entry, are longer than they can sensibly be."));
        await using (metered.ConfigureAwait(false))
        {
            var reader = new TarReader(metered, leaveOpen: true);
            await using (reader.ConfigureAwait(false))
            {
                while (true)
                {
                    metered.Allow(MaximumHeadersLength);
                    if (await NextAsync(reader, cancellationToken).ConfigureAwait(false) is not { } entry)
                    {
                        break;
                    }

                    var target = Vet(entry);
                    metered.Allow(long.MaxValue);
                    await TakeAsync(entry, target, onPosition, cancellationToken).ConfigureAwait(false);
                }
            }

            // To its end, so that a checksum of the compression is seen to hold.
            metered.Allow(MaximumTrailerLength);
            while (await metered.ReadAsync(_buffer, cancellationToken).ConfigureAwait(false) > 0)
            {
            }
        }

        return Chain();
    }

    private async ValueTask<TarEntry?> NextAsync(TarReader reader, CancellationToken cancellationToken)
    {
        try
        {
            return await reader.GetNextEntryAsync(copyData: false, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is InvalidDataException or FormatException or EndOfStreamException
            or ArgumentException or OverflowException or NotSupportedException)
        {
            throw No(
                XenServerImageProblem.Malformed,
                $"It is no tar archive, or a damaged one ({exception.Message}). Get it again, or see what it is with "
                + "Test-ImageFormat.");
        }
    }

    /// <summary>Judges an entry by its header.</summary>
    /// <returns>Where it goes; null where it is not wanted.</returns>
    private string? Vet(TarEntry entry)
    {
        if (entry.EntryType == TarEntryType.GlobalExtendedAttributes)
        {
            return null;
        }

        var isDirectory = entry.EntryType == TarEntryType.Directory;
        if (!isDirectory && entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile
            or TarEntryType.ContiguousFile))
        {
            throw Unsafe(entry, $"is no plain file ({entry.EntryType}) and could lead elsewhere");
        }

        if (entry is PaxTarEntry pax
            && pax.ExtendedAttributes.Keys.Any(key => key.StartsWith("GNU.sparse", StringComparison.Ordinal)))
        {
            throw Unsafe(entry, "is stored in tar's sparse form, which is not read here; pack it without --sparse");
        }

        var parts = entry.Name.Split('/', '\\');
        if (entry.Name.Length == 0 || parts[0].Length == 0 || parts[0].EndsWith(':'))
        {
            throw Unsafe(entry, "has an absolute name, or none");
        }

        if (parts.Contains(".."))
        {
            throw Unsafe(entry, "leads out of the archive with '..'");
        }

        var name = string.Join('/', parts.Where(part => part is not ("" or ".")));
        if (!_names.Add(name))
        {
            throw Unsafe(entry, "is there twice");
        }

        if (_names.Count > MaximumEntries)
        {
            throw No(XenServerImageProblem.TooLarge, $"It has more than {MaximumEntries} entries.");
        }

        if (entry.Length > _maximumSize - UnpackedBytes)
        {
            throw No(
                XenServerImageProblem.TooLarge,
                $"It unpacks to more than the {_maximumSize} bytes that are allowed: '{Printable.Text(name)}' has "
                + $"{entry.Length}, those before it {UnpackedBytes}. Allow more with -MaximumSize if it is "
                + "to be trusted.");
        }

        UnpackedBytes += entry.Length;
        if (isDirectory || FindNumber(name) is not { } number)
        {
            return null;
        }

        return _disks[number] = Path.Join(_directory, name);
    }

    private async ValueTask TakeAsync(
        TarEntry entry, string? target, Action<long>? onPosition, CancellationToken cancellationToken)
    {
        if (entry.DataStream is null)
        {
            // Nothing is left of it: it is empty, or the reader has read it.
            if (target is not null)
            {
                Open(target).Dispose();
            }

            return;
        }

        var before = UnpackedBytes - entry.Length;
        using var handle = target is null ? null : Open(target);
        var sink = handle is null ? null : new FileByteSink(handle, target!, isZeroed: true);
        for (var at = 0L; at < entry.Length;)
        {
            var piece = _buffer.AsMemory(0, (int)Math.Min(_buffer.Length, entry.Length - at));
            var read = await entry.DataStream
                .ReadAtLeastAsync(piece, piece.Length, throwOnEndOfStream: false, cancellationToken)
                .ConfigureAwait(false);
            if (read < piece.Length)
            {
                throw No(
                    XenServerImageProblem.Malformed,
                    $"It ends within '{Printable.Text(entry.Name)}', after {at + read} of its {entry.Length} bytes: it "
                    + "is cut short. Get it again.");
            }

            for (var start = 0; sink is not null && start < read; start += HoleLength)
            {
                var part = piece[start..Math.Min(start + HoleLength, read)];
                if (!ZeroScan.IsZero(part.Span))
                {
                    await sink.WriteAsync(at + start, part, cancellationToken).ConfigureAwait(false);
                }
            }

            at += read;
            onPosition?.Invoke(before + at);
        }

        if (sink is not null)
        {
            await sink.SetLengthAsync(entry.Length, cancellationToken).ConfigureAwait(false);
        }
    }

    private SafeFileHandle Open(string target)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = _mode;
        }

        using var stream = new FileStream(target, options);
        return File.OpenHandle(target, FileMode.Open, FileAccess.ReadWrite, FileShare.Read);
    }

    // 0.vhd, 1.vhd, and so on; what has another name, or lies in a directory, is none of the chain.
    private static int? FindNumber(string name)
    {
        const string extension = ".vhd";
        return name.EndsWith(extension, StringComparison.Ordinal)
            && int.TryParse(
                name.AsSpan(0, name.Length - extension.Length), NumberStyles.None, CultureInfo.InvariantCulture,
                out var number)
            && name == number.ToString(CultureInfo.InvariantCulture) + extension
            ? number
            : null;
    }

    private List<string> Chain()
    {
        var chain = new List<string>();
        while (_disks.TryGetValue(chain.Count, out var disk))
        {
            chain.Add(disk);
        }

        if (chain.Count > VhdChain.MaximumDepth)
        {
            throw new VhdChainException(
                VhdChainProblem.TooDeep, _path,
                $"It has a chain of {chain.Count} disks; {VhdChain.MaximumDepth} are the most that are followed.");
        }

        return chain.Count > 0
            ? chain
            : throw No(
                XenServerImageProblem.NoChain,
                "There is no '0.vhd' in it, with which the chain of a XenServer image begins. See what it is with "
                + "'tar -tvf'.");
    }

    private XenServerImageException Unsafe(TarEntry entry, string reason) => No(
        XenServerImageProblem.UnsafeEntry,
        $"Its entry '{Printable.Text(entry.Name)}' {reason}. XenServer makes no such archives: do not trust it.");

    private XenServerImageException No(XenServerImageProblem problem, string reason) => new(problem, _path, reason);
}
