using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;

namespace ImageUtils.VhdChains;

/// <summary>What the children of a disk have of their own, seen as one: a hole is where all of them leave it to the disk.</summary>
internal sealed class ChildrenMap : IDisposable
{
    private readonly List<FileByteSource> _files = [];

    private ChildrenMap()
    {
    }

    /// <summary>The topmost child's size; what is below the end of a smaller child in between is zero.</summary>
    internal ImageMap Map { get; private set; } = null!;

    /// <summary>Opens the children.</summary>
    /// <param name="children">Their paths, topmost first; at least one.</param>
    /// <param name="parent">The disk that they are over.</param>
    /// <param name="parentSize">Its size in bytes: what the children leave to it behind that is zero.</param>
    /// <param name="options">How they are inspected.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    internal static async ValueTask<ChildrenMap> OpenAsync(
        IReadOnlyList<string> children,
        ImageInspection parent,
        long parentSize,
        OpenOptions options,
        CancellationToken cancellationToken)
    {
        var self = new ChildrenMap();
        try
        {
            var inspection = parent;
            for (var index = children.Count - 1; index >= 0; index--)
            {
                var file = FileByteSource.Open(children[index]);
                self._files.Add(file);
                var found = await ImageOpener.VetAsync(
                    file, options with { ClaimedFormat = ImageFormat.Unknown, KnownRaw = false }, cancellationToken)
                    .ConfigureAwait(false);
                var reader = ImageOpener.FindReader(found.Format) ?? throw new VhdChainException(
                    VhdChainProblem.NotUsable, file.Path, $"It is {found.Format.ToName()}, which has no parent.");
                var below = self.Map ?? new HoleMap(parentSize);

                // The chain was found, and its ids seen to match, before.
                var over = new GivenParent(new OpenedParent(below, inspection, file.Path), file.Path) { Inspection = found };
                self.Map = await reader.OpenAsync(file, over, cancellationToken).ConfigureAwait(false);
                inspection = found;
            }

            return self;
        }
        catch
        {
            self.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        foreach (var file in _files)
        {
            file.Dispose();
        }
    }
}
