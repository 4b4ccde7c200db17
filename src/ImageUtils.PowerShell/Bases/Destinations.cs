using System.Management.Automation;

namespace ImageUtils.PowerShell.Bases;

/// <summary>Where a cmdlet puts what it makes of files: a new file, a directory for many, or their place.</summary>
internal sealed class Destinations
{
    private readonly HashSet<string> _taken = new(StringComparer.Ordinal);
    private readonly PSCmdlet _cmdlet;
    private readonly string? _path;

    /// <summary>Reads the parameters; where they contradict each other, the cmdlet ends.</summary>
    /// <param name="cmdlet">Whose they are.</param>
    /// <param name="destination">What -Destination says.</param>
    /// <param name="isInPlace">What -InPlace says.</param>
    internal Destinations(PSCmdlet cmdlet, string? destination, bool isInPlace)
    {
        _cmdlet = cmdlet;
        if (destination is null != isInPlace)
        {
            cmdlet.ThrowTerminatingError(isInPlace ? ErrorRecords.TwoDestinations() : ErrorRecords.NoDestination());
        }

        _path = destination is null ? null : cmdlet.GetUnresolvedProviderPathFromPSPath(destination);
        if (destination is not null && Path.EndsInDirectorySeparator(destination) && !Directory.Exists(_path))
        {
            cmdlet.ThrowTerminatingError(ErrorRecords.NoSuchDirectory(_path!));
        }
    }

    /// <summary>The format that a new file's extension names; unknown where it names none.</summary>
    internal ImageFormat FormatOfExtension =>
        _path is not null && !Directory.Exists(_path)
        && ImageFormatNames.TryParse(Path.GetExtension(_path).TrimStart('.'), out var format)
            ? format
            : ImageFormat.Unknown;

    /// <summary>The new file's path; null: what is made takes the file's place.</summary>
    /// <param name="nameInDirectory">Its name, where the destination is a directory.</param>
    internal string? Find(string nameInDirectory) =>
        _path is not null && Directory.Exists(_path) ? Path.Join(_path, nameInDirectory) : _path;

    /// <summary>Takes a path for a file's result; reports the error where an earlier one has it.</summary>
    internal bool Take(string file, string destination)
    {
        if (_taken.Add(destination))
        {
            return true;
        }

        _cmdlet.WriteError(ErrorRecords.DestinationIsTaken(file, destination));
        return false;
    }
}
