using System.Security.Cryptography;
using System.Text;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;

namespace ImageUtils.Qemu;

/// <summary>
/// Passphrases on their way to qemu: each in a file that nobody else can read (0600, in a directory of mode 0700, in
/// memory where the system has a file system there), zeroed and removed on disposal.
/// </summary>
/// <remarks>What is passed on the command line is the file's name and the secret's, never what is in it.</remarks>
internal sealed class SecretFiles : IDisposable
{
    private const UnixFileMode OwnersDirectory =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private const UnixFileMode OwnersFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private static readonly UTF8Encoding s_strictUtf8 = new(false, throwOnInvalidBytes: true);

    private readonly List<(string Path, int Length)> _files = [];
    private readonly List<string> _arguments = [];
    private string? _directory;

    /// <summary>The <c>--object</c> arguments, one pair for each passphrase.</summary>
    internal IReadOnlyList<string> Arguments => _arguments;

    /// <summary>Writes a passphrase down and returns the name by which qemu knows it.</summary>
    /// <exception cref="PassphraseException">qemu would read another one.</exception>
    internal string Add(ReadOnlyMemory<byte> passphrase, string imagePath)
    {
        ThrowIfUnusable(passphrase.Span, imagePath);
        _directory ??= CreateDirectory();
        var id = $"secret{_files.Count}";
        var path = Path.Combine(_directory, id);
        using (var file = Open(path, FileMode.CreateNew))
        {
            _files.Add((path, passphrase.Length));
            if (!OperatingSystem.IsWindows())
            {
                // The umask can have taken bits from the mode that it was made with, the owner's included.
                File.SetUnixFileMode(file.SafeFileHandle, OwnersFile);
            }

            RandomAccess.Write(file.SafeFileHandle, passphrase.Span, 0);
        }

        _arguments.Add("--object");
        _arguments.Add(new QemuOptionList()
            .Add("qom-type", "secret").Add("id", id).Add("format", "raw").Add("file", path).ToString());
        return id;
    }

    public void Dispose()
    {
        foreach (var (path, length) in _files)
        {
            try
            {
                using var file = Open(path, FileMode.Open);
                RandomAccess.Write(file.SafeFileHandle, new byte[length], 0);
                RandomAccess.FlushToDisk(file.SafeFileHandle);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // It is removed below all the same.
            }
        }

        if (_directory is not null)
        {
            try
            {
                Directory.Delete(_directory, recursive: true);
            }
            catch (DirectoryNotFoundException)
            {
                // Somebody was faster, which is no harm.
            }
        }
    }

    // qemu takes the passphrase for a text that ends at the first NUL (crypto/block-luks.c).
    private static void ThrowIfUnusable(ReadOnlySpan<byte> passphrase, string imagePath)
    {
        var reason = passphrase.IsEmpty
            ? "is empty"
            : passphrase.Contains((byte)0) ? "has a NUL character, where qemu would cut it" : null;
        try
        {
            s_strictUtf8.GetCharCount(passphrase);
        }
        catch (DecoderFallbackException)
        {
            // Not as an inner exception: it quotes bytes.
            reason = "is not UTF-8, and qemu takes nothing else";
        }

        if (reason is not null)
        {
            throw new PassphraseException(
                PassphraseProblem.Unusable, imagePath,
                $"The passphrase of '{Printable.Text(imagePath)}' {reason}. Give it another one, or convert the volume "
                + "where cryptsetup has opened it.");
        }
    }

    private static string CreateDirectory()
    {
        var path = Path.Combine(FindParent(), $"imageutils-{RandomNumberGenerator.GetHexString(32, lowercase: true)}");
        if (OperatingSystem.IsWindows())
        {
            return Directory.CreateDirectory(path).FullName;
        }

        Directory.CreateDirectory(path, OwnersDirectory);
        File.SetUnixFileMode(path, OwnersDirectory);
        return path;
    }

    private static string FindParent()
    {
        if (OperatingSystem.IsWindows())
        {
            return Path.GetTempPath();
        }

        string?[] inMemory = [Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR"), "/dev/shm"];
        return Array.Find(inMemory, path => Path.IsPathFullyQualified(path ?? "") && Posix.CanMakeFilesIn(path!))
            ?? Path.GetTempPath();
    }

    private static FileStream Open(string path, FileMode mode)
    {
        var options = new FileStreamOptions
        {
            Mode = mode,
            Access = FileAccess.Write,
            Share = FileShare.ReadWrite | FileShare.Delete,
            BufferSize = 0,
        };
        if (!OperatingSystem.IsWindows() && mode == FileMode.CreateNew)
        {
            options.UnixCreateMode = OwnersFile;
        }

        return new FileStream(path, options);
    }
}
