using System.Text;
using ImageUtils.Conversion;
using ImageUtils.Errors;

namespace ImageUtils.Formats.Vhd;

/// <summary>The parent that a differencing disk is to name.</summary>
/// <remarks>
/// A relative path goes into a W2ru locator, an absolute one into W2ku, and either into the header. No more is made up:
/// a reader may follow any of the names.
/// </remarks>
internal sealed record VhdParent
{
    private readonly byte[] _platformData;
    private readonly uint _platformCode;

    private VhdParent(string path, Guid id, uint timeStamp)
    {
        Id = id;
        TimeStamp = timeStamp;
        var windowsPath = path.Replace('/', '\\');
        var isDrivePath = windowsPath.Length > 1 && windowsPath[1] == ':' && char.IsAsciiLetter(windowsPath[0]);
        var isAbsolute = windowsPath[0] == '\\' || isDrivePath;
        var isDotted = windowsPath[0] == '.';
        _platformCode = isAbsolute ? VhdParentLocator.WindowsAbsolute : VhdParentLocator.WindowsRelative;
        _platformData = Encoding.Unicode.GetBytes(isAbsolute || isDotted ? windowsPath : @".\" + windowsPath);

        // The header's field is short. A name that does not fit is left to the locator.
        UnicodeName = windowsPath.Length * sizeof(char) < VhdDynamicHeader.ParentNameLength ? windowsPath : "";
    }

    internal Guid Id { get; }

    internal uint TimeStamp { get; }

    internal string UnicodeName { get; }

    /// <summary>What the locator takes up in the file: whole sectors.</summary>
    internal int DataSpace =>
        (_platformData.Length + VhdFooter.SectorSize - 1) / VhdFooter.SectorSize * VhdFooter.SectorSize;

    /// <exception cref="ImageOptionException">Parent or identity are missing, or cannot be written.</exception>
    internal static VhdParent Of(WriterOptions options)
    {
        if (string.IsNullOrEmpty(options.BackingFile))
        {
            throw new ImageOptionException(
                nameof(options.BackingFile), "A differencing VHD needs a parent. Name it with BackingFile.");
        }

        if (options.BackingFile.Contains('\0', StringComparison.Ordinal)
            || options.BackingFile.Length * sizeof(char) > VhdSafetyChecks.MaximumLocatorLength - 4)
        {
            throw new ImageOptionException(
                nameof(options.BackingFile), "The parent's path is too long for a VHD, or has a NUL character.");
        }

        if (options.BackingFormat is not (ImageFormat.Unknown or ImageFormat.Vhd or ImageFormat.Raw))
        {
            throw new ImageOptionException(
                nameof(options.BackingFormat),
                $"A VHD's parent is a VHD, or raw; it cannot be {options.BackingFormat.ToName()}.");
        }

        return options.ParentId is { } id || options.BackingFormat == ImageFormat.Raw
            ? new VhdParent(
                options.BackingFile,
                options.ParentId ?? Guid.Empty,
                VhdWriterOptions.SecondsOf(options.ParentTimeStamp ?? VhdFooter.Epoch))
            : throw new ImageOptionException(
                nameof(options.ParentId), "A differencing VHD states its parent's unique id. Give it with ParentId.");
    }

    internal VhdParentLocator MakeLocator(long offset) =>
        new(_platformCode, (uint)DataSpace, (uint)_platformData.Length, (ulong)offset);

    /// <summary>The platform data, filled up to <see cref="DataSpace"/>.</summary>
    internal byte[] MakeData()
    {
        var data = new byte[DataSpace];
        _platformData.CopyTo(data, 0);
        return data;
    }
}
