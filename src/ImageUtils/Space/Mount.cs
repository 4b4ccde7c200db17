using System.Text;
using Microsoft.Win32.SafeHandles;

namespace ImageUtils.Space;

/// <summary>A mounted file system, as Linux lists it (proc(5), /proc/pid/mountinfo).</summary>
/// <param name="DeviceNumber">Major and minor number of the file system; the same for all of its mounts.</param>
/// <param name="MountPoint">Where it is mounted.</param>
/// <param name="FileSystem">The type.</param>
/// <param name="Source">What is mounted.</param>
internal sealed record Mount(string DeviceNumber, string MountPoint, string FileSystem, string Source)
{
    // A longer list is not read to its end; a machine with many containers has some thousand lines.
    private const int MaximumLines = 100_000;

    /// <summary>The mount that an open file is on; null where the kernel does not say, as without /proc.</summary>
    internal static Mount? Of(SafeFileHandle handle)
    {
        try
        {
            // The kernel's own word: names can be links, and one mount can hide another.
            const string Label = "mnt_id:";
            var id = File.ReadLines($"/proc/self/fdinfo/{handle.DangerousGetHandle()}")
                .FirstOrDefault(line => line.StartsWith(Label, StringComparison.Ordinal))?[Label.Length..].Trim();
            return id is null
                ? null
                : File.ReadLines("/proc/self/mountinfo").Take(MaximumLines)
                    .Where(line => line.AsSpan().StartsWith($"{id} ", StringComparison.Ordinal))
                    .Select(Parse).FirstOrDefault();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>
    /// Reads a line: mount ID, parent ID, major:minor, root, mount point, options, optional fields, a hyphen, file
    /// system type, source, super options.
    /// </summary>
    internal static Mount? Parse(string line)
    {
        var fields = line.Split(' ');
        var hyphen = Array.IndexOf(fields, "-", Math.Min(6, fields.Length));
        return hyphen < 0 || fields.Length < hyphen + 3
            ? null
            : new Mount(fields[2], Unescape(fields[4]), Unescape(fields[hyphen + 1]), Unescape(fields[hyphen + 2]));
    }

    // Blank, tabulator, newline and backslash are written as a backslash and three octal digits.
    private static string Unescape(string field)
    {
        if (!field.Contains('\\', StringComparison.Ordinal))
        {
            return field;
        }

        var text = new StringBuilder(field.Length);
        for (var index = 0; index < field.Length; index++)
        {
            if (field[index] == '\\' && field.Length - index > 3
                && field.AsSpan(index + 1, 3).IndexOfAnyExceptInRange('0', '7') < 0)
            {
                text.Append((char)(
                    ((field[index + 1] - '0') << 6) + ((field[index + 2] - '0') << 3) + field[index + 3] - '0'));
                index += 3;
            }
            else
            {
                text.Append(field[index]);
            }
        }

        return text.ToString();
    }
}
