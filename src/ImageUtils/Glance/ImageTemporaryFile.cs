using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using ImageUtils.Errors;

namespace ImageUtils.Glance;

/// <summary>
/// A file in the conversion directory that an image's data goes through where that cannot be avoided, or a directory that
/// an image's chain is unpacked in. Its name says whose it is, of which image, and which process made it.
/// </summary>
public sealed partial class ImageTemporaryFile
{
    private const string Prefix = "imageutils-";
    private const string Suffix = ".image-tmp";

    private ImageTemporaryFile(FileSystemInfo file, Match name)
    {
        Path = file.FullName;
        Owner = name.Groups["owner"].Value.Replace('_', '-');
        ImageId = name.Groups["image"].Value.Replace('_', '-');
        ProcessId = int.Parse(name.Groups["process"].ValueSpan, CultureInfo.InvariantCulture);
        ProcessStarted = long.Parse(name.Groups["started"].ValueSpan, CultureInfo.InvariantCulture);
        Length = file is DirectoryInfo directory
            ? directory.EnumerateFiles("*", SearchOption.AllDirectories).Sum(one => one.Length)
            : ((FileInfo)file).Length;
        LastWriteTime = file.LastWriteTimeUtc;
    }

    /// <summary>The file's absolute path.</summary>
    public string Path { get; }

    /// <summary>The id of the project whose session made it; <c>none</c> without Keystone.</summary>
    public string Owner { get; }

    /// <summary>The image's id.</summary>
    public string ImageId { get; }

    /// <summary>The process that made it.</summary>
    public int ProcessId { get; }

    /// <summary>The length in bytes; a directory's is that of all files in it.</summary>
    public long Length { get; }

    /// <summary>When it was written to last.</summary>
    public DateTimeOffset LastWriteTime { get; }

    /// <summary>Whether the process that made it still runs.</summary>
    public bool IsInUse
    {
        get
        {
            try
            {
                using var process = Process.GetProcessById(ProcessId);

                // Another process may have got the number since.
                return StartedOf(process) == ProcessStarted;
            }
            catch (ArgumentException)
            {
                return false;
            }
        }
    }

    private long ProcessStarted { get; }

    /// <summary>Finds those of a directory.</summary>
    /// <param name="directory">The conversion directory.</param>
    /// <exception cref="ImageFileException">It is not there, or cannot be read.</exception>
    public static IReadOnlyList<ImageTemporaryFile> Find(string directory)
    {
        try
        {
            return
            [
                .. new DirectoryInfo(directory).EnumerateFileSystemInfos("*" + Prefix + "*" + Suffix + "*")
                    .Select(file => (File: file, Match: Name().Match(file.Name))).Where(one => one.Match.Success)
                    .OrderBy(one => one.File.Name, StringComparer.Ordinal)
                    .Select(one => new ImageTemporaryFile(one.File, one.Match)),
            ];
        }
        catch (DirectoryNotFoundException)
        {
            throw new ImageFileException(
                ImageFileProblem.NotFound, directory, $"The directory '{directory}' does not exist. Check the path.");
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new ImageFileException(ImageFileProblem.AccessDenied, directory, exception.Message);
        }
    }

    /// <summary>Removes it. One whose process still runs stays.</summary>
    /// <returns>Whether it was removed.</returns>
    /// <exception cref="ImageWriteException">It cannot be removed.</exception>
    public bool Remove()
    {
        if (IsInUse)
        {
            return false;
        }

        try
        {
            if (Directory.Exists(Path))
            {
                Directory.Delete(Path, recursive: true);
            }
            else
            {
                File.Delete(Path);
            }

            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new ImageWriteException(
                ImageWriteProblem.WriteFailed, Path, $"'{Path}' cannot be removed: {exception.Message}");
        }
    }

    /// <inheritdoc/>
    public override string ToString() => Path;

    /// <summary>The path of a new one of this process.</summary>
    /// <param name="directory">The conversion directory.</param>
    /// <param name="owner">The id of the session's project; null without Keystone.</param>
    /// <param name="imageId">The image's id.</param>
    internal static string NewPath(string directory, string? owner, string imageId)
    {
        using var process = Process.GetCurrentProcess();
        return System.IO.Path.Join(
            directory,
            string.Create(
                CultureInfo.InvariantCulture,
                $"{Prefix}{Plain(owner ?? "none")}-{Plain(imageId)}-{process.Id}-{StartedOf(process)}"
                + $"-{Guid.NewGuid():N}{Suffix}"));
    }

    // Ids are hexadecimal, with dashes. What is not is no part of a path.
    private static string Plain(string id) => NoId().Replace(id, "_").Replace('-', '_');

    private static long StartedOf(Process process)
    {
        try
        {
            return process.StartTime.ToUniversalTime().Ticks / TimeSpan.TicksPerSecond;
        }
        catch (Exception exception) when (exception is InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            return 0;
        }
    }

    [GeneratedRegex("[^0-9A-Za-z-]")]
    private static partial Regex NoId();

    // With the point in front and the ending, it was not complete when its process was gone (Destination.Create).
    [GeneratedRegex(
        "^(?<part>[.])?imageutils-(?<owner>[^-]+)-(?<image>[^-]+)-(?<process>[0-9]{1,9})-(?<started>[0-9]{1,18})"
        + "-[0-9a-f]{32}[.]image-tmp(?(part)[.][0-9a-f]{32}[.]imageutils-part)$")]
    private static partial Regex Name();
}
