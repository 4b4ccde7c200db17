using System.Text.RegularExpressions;
using ImageUtils.Errors;
using ImageUtils.Inspection;

namespace ImageUtils.Qemu;

/// <summary>Which qemu-img it is.</summary>
/// <param name="Version">Its version.</param>
/// <param name="Package">
/// What the distribution added, such as <c>Debian 1:7.2+dfsg-7+deb12u18</c>; null where nothing.
/// </param>
/// <param name="Path">The program.</param>
public sealed partial record QemuImgVersion(Version Version, string? Package, string Path)
{
    /// <summary>Reads the first line of <c>qemu-img --version</c>.</summary>
    /// <exception cref="QemuOutputException">This is not it.</exception>
    internal static QemuImgVersion Parse(string output, string path)
    {
        var line = output.AsSpan().TrimStart().ToString().Split('\n')[0].Trim();
        var match = VersionPattern().Match(line);
        return match.Success && Version.TryParse(match.Groups["version"].ValueSpan, out var version)
            ? new QemuImgVersion(
                version, match.Groups["package"] is { Success: true } package ? package.Value : null, path)
            : throw new QemuOutputException(
                $"'{path} --version' should say 'qemu-img version…', but says '{Printable.Text(line)}'. "
                + "Is this qemu-img?");
    }

    // Old ones go on with ", Copyright (c)" in the same line; that is no package.
    [GeneratedRegex(
        @"^qemu-img version (?<version>\d{1,9}(\.\d{1,9}){1,3})[^\s,(]*(\s*\((?<package>[^)]*)\))?",
        RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant)]
    private static partial Regex VersionPattern();
}
