using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;

namespace ImageUtils.VhdChains;

/// <summary>Gives a disk the parent that was found and opened before, whatever name it has for it.</summary>
/// <param name="parent">The parent; null: there is none.</param>
/// <param name="path">The disk, for messages.</param>
internal sealed class GivenParent(OpenedParent? parent, string path) : ReaderContext
{
    public override ValueTask<OpenedParent> OpenParentAsync(
        string reference, ImageFormat statedFormat, CancellationToken cancellationToken) =>
        ValueTask.FromResult(parent ?? throw new VhdChainException(
            VhdChainProblem.ParentMissing, path, $"Its parent '{Printable.Text(reference)}' is not there."));

    public override ValueTask<IByteSource> OpenDataFileAsync(string reference, CancellationToken cancellationToken) =>
        throw new VhdChainException(VhdChainProblem.NotUsable, path, "Its data lies in another file.");
}
