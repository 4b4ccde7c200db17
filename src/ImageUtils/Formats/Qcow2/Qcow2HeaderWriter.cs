using System.Buffers.Binary;
using System.Text;
using ImageUtils.Conversion;
using ImageUtils.Errors;

namespace ImageUtils.Formats.Qcow2;

/// <summary>Makes the bytes of an image's first cluster: header, extensions, the backing file's name.</summary>
internal static class Qcow2HeaderWriter
{
    private const int FeatureNameLength = 46;
    private const int ExtensionHeaderLength = 8;

    /// <exception cref="ImageOptionException">The backing file's name does not fit the cluster.</exception>
    internal static byte[] Write(Qcow2Plan plan, long refcountTableOffset, long refcountTableClusters)
    {
        var header = new Qcow2Header
        {
            Version = (uint)plan.Version,
            ClusterBits = (uint)plan.ClusterBits,
            Size = (ulong)plan.VirtualSize,
            L1Size = (uint)plan.L1Size,
            L1TableOffset = plan.L1Size > 0 ? (ulong)plan.ClusterSize : 0,
            RefcountTableOffset = (ulong)refcountTableOffset,
            RefcountTableClusters = (uint)refcountTableClusters,
            IncompatibleFeatures = plan.IsZstd ? Qcow2IncompatibleFeatures.CompressionType : 0,
            RefcountOrder = (uint)int.Log2(plan.RefcountBits),
            HeaderLength = plan.Version >= 3 ? Qcow2Header.MaximumLength : (uint)Qcow2Header.Version2Length,
            CompressionType = (byte)(plan.IsZstd ? 1 : 0),
        };
        var format = plan.BackingFormat is null
            ? []
            : Extension(Qcow2HeaderExtensions.BackingFormatType, Encoding.ASCII.GetBytes(plan.BackingFormat));
        var name = Encoding.UTF8.GetBytes(plan.BackingFile ?? "");
        var length = (int)header.HeaderLength + format.Length + ExtensionHeaderLength + name.Length;
        if (length > plan.ClusterSize)
        {
            throw new ImageOptionException(
                nameof(WriterOptions.BackingFile),
                $"The backing file's name has {name.Length} bytes, which do not fit the header's cluster of "
                + $"{plan.ClusterSize} bytes. Use larger clusters, or a shorter name.");
        }

        // The names only serve messages of programs that do not know a feature, and give way to the file's name.
        var features = plan.Version >= 3 ? FeatureNames() : [];
        features = length + features.Length <= plan.ClusterSize ? features : [];
        var nameOffset = length + features.Length - name.Length;
        var bytes = new byte[length + features.Length];
        if (name.Length > 0)
        {
            header = header with { BackingFileOffset = (ulong)nameOffset, BackingFileSize = (uint)name.Length };
        }

        header.Write(bytes);
        format.CopyTo(bytes, (int)header.HeaderLength);
        features.CopyTo(bytes, (int)header.HeaderLength + format.Length);
        name.CopyTo(bytes, nameOffset);
        return bytes;
    }

    private static byte[] Extension(uint type, ReadOnlySpan<byte> data)
    {
        var bytes = new byte[ExtensionHeaderLength + (data.Length + 7 & ~7)];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, type);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(4), (uint)data.Length);
        data.CopyTo(bytes.AsSpan(ExtensionHeaderLength));
        return bytes;
    }

    /// <summary>
    /// QEMU, docs/interop/qcow2.rst, "Feature name table": 0 1 kind, 1 1 bit, 2 46 name padded with zeros.
    /// </summary>
    private static byte[] FeatureNames()
    {
        var data = new MemoryStream();
        foreach (var (kind, bit, name) in Qcow2FeatureNames.All)
        {
            data.Write([kind, bit]);
            data.Write(Encoding.ASCII.GetBytes(name.PadRight(FeatureNameLength, '\0')));
        }

        return Extension(Qcow2HeaderExtensions.FeatureNamesType, data.ToArray());
    }
}
