using ImageUtils.Errors;
using ImageUtils.IO;
using Microsoft.Win32.SafeHandles;

namespace ImageUtils.Configuration;

/// <summary>
/// A file that nobody but this user and root can have written. The configuration names a program to run, so that one
/// whom the file lets in could run his own; ssh holds its configuration to the same rule. On Linux owner and mode of
/// the file and of its directory count, on other Unix systems their modes, on Windows only the directory's protection.
/// </summary>
internal static class TrustedFile
{
    // No configuration comes near it.
    private const int MaximumLength = 1 << 20;

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    /// <summary>The content, without a byte order mark; null where there is no such file.</summary>
    /// <exception cref="ConfigurationException">It is not to be trusted, not readable, or longer than any.</exception>
    internal static byte[]? Read(string path)
    {
        try
        {
            using var handle = File.OpenHandle(
                path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            ThrowIfOthersCanWrite(path, handle);
            var length = RandomAccess.GetLength(handle);
            if (length > MaximumLength)
            {
                throw new ConfigurationException(
                    ConfigurationProblem.Malformed, path,
                    $"The configuration file '{path}' is {length} bytes long, which no configuration is. Remove it.");
            }

            var content = new byte[length];
            var read = 0;
            int now;
            while ((now = RandomAccess.Read(handle, content.AsSpan(read), read)) > 0)
            {
                read += now;
            }

            var start = content.AsSpan().StartsWith(ByteOrderMark) ? ByteOrderMark.Length : 0;
            return content[start..read];
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException(
                ConfigurationProblem.CannotRead, path,
                $"The configuration file '{path}' cannot be read: {exception.Message.TrimEnd('.')}. See that this user "
                + "may read it, or, where it is another user's, that XDG_CONFIG_HOME and HOME are this one's.",
                exception);
        }
    }

    private static void ThrowIfOthersCanWrite(string path, SafeFileHandle handle)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        var directory = Path.GetDirectoryName(path)!;
        if (!OperatingSystem.IsLinux())
        {
            ThrowIfOthersCanWrite(path, File.GetUnixFileMode(handle), isDirectory: false);
            ThrowIfOthersCanWrite(directory, File.GetUnixFileMode(directory), isDirectory: true);
            return;
        }

        ThrowIfOthersOwn(path, Posix.GetOwnership(handle), isDirectory: false);
        using var opened = Posix.OpenForReading(directory, out var error);
        if (error == 0)
        {
            ThrowIfOthersOwn(directory, Posix.GetOwnership(opened), isDirectory: true);
        }
    }

    private static void ThrowIfOthersOwn(string path, Posix.Ownership found, bool isDirectory)
    {
        var user = Posix.GetEffectiveUser();
        if (found.Owner != 0 && found.Owner != user)
        {
            throw new ConfigurationException(
                ConfigurationProblem.Unsafe, path,
                $"'{path}' belongs to the user with the number {found.Owner}, neither to root nor to this "
                + $"one ({user}), and is not trusted. Look at what it says, then: chown {user} '{path}'. "
                + "Under sudo, see that XDG_CONFIG_HOME and HOME are root's.");
        }

        ThrowIfOthersCanWrite(path, found.Mode, isDirectory);
    }

    // Where the sticky bit is set, nobody can put another file in the place of one that is not his.
    private static void ThrowIfOthersCanWrite(string path, UnixFileMode mode, bool isDirectory)
    {
        if ((mode & (UnixFileMode.GroupWrite | UnixFileMode.OtherWrite)) == 0
            || (isDirectory && (mode & UnixFileMode.StickyBit) != 0))
        {
            return;
        }

        throw new ConfigurationException(
            ConfigurationProblem.Unsafe, path,
            $"'{path}' can be written by others than its owner (mode {Convert.ToString((int)mode, 8)}), and is not "
            + $"trusted. Look at what it says, then: chmod go-w '{path}'.");
    }
}
