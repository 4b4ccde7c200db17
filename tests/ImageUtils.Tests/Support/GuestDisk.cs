using ImageUtils.Errors;
using ImageUtils.Formats;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;

namespace ImageUtils.Tests.Support;

/// <summary>Opens an image without any gate and reads what its guest would see.</summary>
internal static class GuestDisk
{
    public static ImageMap Open(
        IReadableFormat format, IByteSource source, params (string Name, IByteSource Source)[] parents)
    {
        var context = new Context(format, parents)
        {
            Inspection = ImageInspector.InspectAsync(source).AsTask().GetAwaiter().GetResult(),
        };
        return format.OpenAsync(source, context, default).AsTask().GetAwaiter().GetResult();
    }

    public static byte[] Read(ImageMap map) => Read(map, 0, checked((int)map.VirtualSize));

    /// <summary>Reads a range, and sees that the extents cover it without gaps.</summary>
    public static byte[] Read(ImageMap map, long guestOffset, int length)
    {
        var bytes = new byte[length];
        var at = guestOffset;
        foreach (var extent in Extents(map, guestOffset, length))
        {
            Assert.Equal(at, extent.GuestOffset);
            Assert.True(extent.Length > 0);
            if (extent.Kind == ExtentKind.Stored)
            {
                var target = bytes.AsMemory((int)(at - guestOffset), (int)extent.Length);
                var read = extent.Source!.ReadAsync(extent.HostOffset, target, default)
                    .AsTask().GetAwaiter().GetResult();
                Assert.Equal(target.Length, read);
            }

            at = extent.GuestEnd;
        }

        Assert.Equal(Math.Min(guestOffset + length, map.VirtualSize), at);
        return bytes;
    }

    public static List<Extent> Extents(ImageMap map) => Extents(map, 0, map.VirtualSize);

    public static List<Extent> Extents(ImageMap map, long guestOffset, long length) =>
        map.GetExtentsAsync(guestOffset, length, default).ToBlockingEnumerable().ToList();

    private sealed class Context(IReadableFormat format, (string Name, IByteSource Source)[] parents) : ReaderContext
    {
        public override async ValueTask<OpenedParent> OpenParentAsync(
            string reference, ImageFormat statedFormat, CancellationToken cancellationToken)
        {
            var index = Array.FindIndex(parents, parent => parent.Name == reference);
            if (index < 0)
            {
                throw new ImageFileException(ImageFileProblem.NotFound, reference, $"There is no {reference}.");
            }

            var (name, source) = parents[index];
            var inspection = await ImageInspector.InspectAsync(source, null, cancellationToken);
            var map = statedFormat == ImageFormat.Raw
                ? new LinearMap(source, 0, await source.GetLengthAsync(cancellationToken))
                : Open(format, source, parents);
            return new OpenedParent(map, inspection, name);
        }

        public override ValueTask<IByteSource> OpenDataFileAsync(
            string reference, CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}
