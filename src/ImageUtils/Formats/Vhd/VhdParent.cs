using System.Text;
using ImageUtils.Conversion;
using ImageUtils.Errors;

namespace ImageUtils.Formats.Vhd;

/// <summary>The parent that a differencing disk is to name.</summary>
/// <remarks>
/// A new disk's relative path goes into a W2ru locator, an absolute one into W2ku, and either into the header. No more
/// is made up: a reader may follow any of the names.
/// </remarks>
internal sealed record VhdParent
{
    private readonly (uint Code, byte[] Data)[] _names;

    private VhdParent(Guid id, uint timeStamp, string unicodeName, params (uint Code, byte[] Data)[] names)
    {
        Id = id;
        TimeStamp = timeStamp;
        _names = names;

        // The header's field is short. A name that does not fit is left to the locators.
        UnicodeName = unicodeName.Length * sizeof(char) < VhdDynamicHeader.ParentNameLength ? unicodeName : "";
    }

    internal Guid Id { get; }

    internal uint TimeStamp { get; }

    internal string UnicodeName { get; }

    /// <summary>What the locators take up in the file: whole sectors.</summary>
    internal int DataSpace => _names.Sum(name => SpaceOf(name.Data));

    /// <summary>A parent with the names that vhd-util gives it: all relative, for each platform one.</summary>
    /// <param name="relativePath">The parent's path from the child's directory, with forward slashes.</param>
    /// <param name="id">The parent's unique id; empty for a raw one.</param>
    /// <param name="timeStamp">When the parent was last changed, in seconds since 2000.</param>
    /// <exception cref="ImageOptionException">The path cannot be written.</exception>
    internal static VhdParent Relative(string relativePath, Guid id, uint timeStamp)
    {
        ThrowIfUnwritable(relativePath, "ParentPath");
        if (relativePath.Contains('\\', StringComparison.Ordinal))
        {
            throw new ImageOptionException(
                "ParentPath",
                "The parent's path has a backslash, which a VHD takes for the end of a directory's name. Rename it.");
        }

        var path = relativePath.StartsWith("./", StringComparison.Ordinal) ? relativePath : "./" + relativePath;
        var windowsName = Encoding.Unicode.GetBytes(path.Replace('/', '\\'));
        return new VhdParent(
            id, timeStamp, path[(path.LastIndexOf('/') + 1)..],
            (VhdParentLocator.MacUrl, Encoding.UTF8.GetBytes("file://" + path)),
            (VhdParentLocator.WindowsAbsolute, windowsName),
            (VhdParentLocator.WindowsRelative, windowsName));
    }

    /// <exception cref="ImageOptionException">Parent or identity are missing, or cannot be written.</exception>
    internal static VhdParent Of(WriterOptions options)
    {
        if (string.IsNullOrEmpty(options.BackingFile))
        {
            throw new ImageOptionException(
                nameof(options.BackingFile), "A differencing VHD needs a parent. Name it with BackingFile.");
        }

        ThrowIfUnwritable(options.BackingFile, nameof(options.BackingFile));
        if (options.BackingFormat is not (ImageFormat.Unknown or ImageFormat.Vhd or ImageFormat.Raw))
        {
            throw new ImageOptionException(
                nameof(options.BackingFormat),
                $"A VHD's parent is a VHD, or raw; it cannot be {options.BackingFormat.ToName()}.");
        }

        return options.ParentId is { } id || options.BackingFormat == ImageFormat.Raw
            ? Named(
                options.BackingFile,
                options.ParentId ?? Guid.Empty,
                VhdWriterOptions.SecondsOf(options.ParentTimeStamp ?? VhdFooter.Epoch))
            : throw new ImageOptionException(
                nameof(options.ParentId), "A differencing VHD states its parent's unique id. Give it with ParentId.");
    }

    /// <summary>The header's eight entries for data that lies at an offset.</summary>
    internal VhdParentLocator[] MakeLocators(long hostOffset)
    {
        var locators = new VhdParentLocator[VhdDynamicHeader.LocatorCount];
        for (var index = 0; index < _names.Length; index++)
        {
            var (code, data) = _names[index];
            locators[index] = new VhdParentLocator(code, (uint)SpaceOf(data), (uint)data.Length, (ulong)hostOffset);
            hostOffset += SpaceOf(data);
        }

        return locators;
    }

    /// <summary>The locators' data, filled up to <see cref="DataSpace"/>.</summary>
    internal byte[] MakeData()
    {
        var data = new byte[DataSpace];
        var at = 0;
        foreach (var (_, name) in _names)
        {
            name.CopyTo(data, at);
            at += SpaceOf(name);
        }

        return data;
    }

    private static int SpaceOf(byte[] data) =>
        (data.Length + VhdFooter.SectorSize - 1) / VhdFooter.SectorSize * VhdFooter.SectorSize;

    private static VhdParent Named(string path, Guid id, uint timeStamp)
    {
        var windowsPath = path.Replace('/', '\\');
        var isDrivePath = windowsPath.Length > 1 && windowsPath[1] == ':' && char.IsAsciiLetter(windowsPath[0]);
        var isAbsolute = windowsPath[0] == '\\' || isDrivePath;
        var isDotted = windowsPath[0] == '.';
        return new VhdParent(
            id, timeStamp, windowsPath,
            (isAbsolute ? VhdParentLocator.WindowsAbsolute : VhdParentLocator.WindowsRelative,
                Encoding.Unicode.GetBytes(isAbsolute || isDotted ? windowsPath : @".\" + windowsPath)));
    }

    private static void ThrowIfUnwritable(string path, string option)
    {
        if (path.Contains('\0', StringComparison.Ordinal)
            || Math.Max(Encoding.UTF8.GetByteCount(path), path.Length * sizeof(char))
                > VhdSafetyChecks.MaximumLocatorLength - 16)
        {
            throw new ImageOptionException(
                option, "The parent's path is too long for a VHD, or has a NUL character.");
        }
    }
}
