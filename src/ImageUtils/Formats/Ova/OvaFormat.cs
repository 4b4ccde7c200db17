using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Ova;

/// <summary>Open Virtual Appliances: tar archives that begin with an OVF descriptor.</summary>
internal sealed class OvaFormat : IImageFormat
{
    // The standard (DSP0243) puts the descriptor first; some tools put a manifest or extended header before it.
    private const int MaximumEntries = 4;

    public ImageFormat Format => ImageFormat.Ova;

    public IReadOnlyList<SafetyCheck> Checks { get; } =
    [
        new(CheckNames.Extents, "The first members are files that stay in the directory that they are unpacked in. "
            + "The disks among them are not looked into: unpack and inspect each."),
    ];

    public async ValueTask<bool> ProbeAsync(ForwardReader reader, CancellationToken cancellationToken) =>
        (await ReadEntriesAsync(reader, cancellationToken).ConfigureAwait(false)).Exists(IsDescriptor);

    public async ValueTask InspectAsync(InspectionContext context, CancellationToken cancellationToken)
    {
        var entries = await ReadEntriesAsync(context.Reader, cancellationToken).ConfigureAwait(false);
        context.Image.Details = new OvaDetails(
            entries.First(IsDescriptor).Name, [.. entries.Select(entry => entry.Name)]);
        context.Judge(
            CheckNames.Extents,
            entries.Find(IsUnsafe) is { } entry
                ? $"The archive has a member '{Printable.Text(entry.Name)}' "
                    + $"(type '{Printable.Text(entry.Type.ToString())}') that is no plain file below the directory "
                    + "that it is unpacked in."
                : null);
    }

    private static async ValueTask<List<TarHeader>> ReadEntriesAsync(
        ForwardReader reader, CancellationToken cancellationToken)
    {
        var entries = new List<TarHeader>();
        for (long offset = 0; entries.Count < MaximumEntries && offset + TarHeader.Length <= ForwardReader.HeadLength;)
        {
            var bytes = await reader.ReadAsync(offset, TarHeader.Length, cancellationToken).ConfigureAwait(false);
            if (TarHeader.Parse(bytes.Span) is not { } header)
            {
                break;
            }

            entries.Add(header);
            if (IsDescriptor(header) || header.Size is not { } size || size > ForwardReader.HeadLength)
            {
                break;
            }

            offset += TarHeader.Length + (size + TarHeader.Length - 1) / TarHeader.Length * TarHeader.Length;
        }

        return entries;
    }

    private static bool IsDescriptor(TarHeader entry) =>
        entry.Name.EndsWith(".ovf", StringComparison.OrdinalIgnoreCase);

    // Extended headers ('g' and 'x' of POSIX, 'L' of GNU) are no members; their names are the archiver's own.
    private static bool IsUnsafe(TarHeader entry) =>
        entry.Type is not ('g' or 'x' or 'L')
        && (entry.Type is not ('0' or '\0')
            || entry.Name.StartsWith('/')
            || entry.Name.Contains('\\', StringComparison.Ordinal)
            || entry.Name.Contains(':', StringComparison.Ordinal)
            || entry.Name.Split('/').Contains(".."));
}
