using System.ComponentModel;
using System.Globalization;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using Medallion.Shell;

namespace ImageUtils.Qemu;

/// <summary>Where a process runs, and with whose rights: what is put before the program for that.</summary>
/// <param name="ElevationCommand">A program that gives rights, and its arguments; may be empty.</param>
/// <param name="CgroupPath">The absolute path of a control group (cgroup v2), or null.</param>
internal sealed record ProcessPlacement(IReadOnlyList<string> ElevationCommand, string? CgroupPath)
{
    /// <summary>Says that the control group could not be joined; no exit code of qemu-img or a shell.</summary>
    internal const int JoinFailed = 121;

    // The shell puts itself under the group, and becomes the program: nothing of that runs elsewhere, not for a
    // moment. All that varies is passed as arguments, and is never read as a script.
    private const string JoinScript = "echo $$ > \"$0/cgroup.procs\" || exit 121; exec \"$@\"";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    internal static ProcessPlacement Here { get; } = new([], null);

    internal bool IsElevated => ElevationCommand.Count > 0;

    /// <exception cref="QemuRequestException">The elevation command is not there.</exception>
    /// <exception cref="CgroupException">Nothing can be put under the control group.</exception>
    internal List<string> GetPrefix()
    {
        var prefix = new List<string>();
        if (IsElevated)
        {
            // What is started by another user's rights may get another environment; messages are read in English.
            prefix.AddRange([FindElevation(), .. ElevationCommand.Skip(1), Require("env"), "LC_ALL=C"]);
        }

        if (CgroupPath is not null)
        {
            ThrowIfNoCgroup(CgroupPath);
            prefix.AddRange(["/bin/sh", "-c", JoinScript, CgroupPath]);
        }

        return prefix;
    }

    internal CgroupException ToJoinError(string error) => new(
        CgroupPath!,
        $"qemu-img could not be put under the control group '{Printable.Text(CgroupPath!)}': "
        + $"{Printable.Text(error.Trim().ReplaceLineEndings(" "))}. A group that has controllers for its children, or "
        + "that is threaded, takes no processes: name a leaf.");

    /// <summary>
    /// Kills a process that has other rights, and all below it, with those rights: without them it cannot be done.
    /// </summary>
    internal async Task KillElevatedAsync(int processId)
    {
        if (LimitedProcess.FindInPath("kill") is not { } kill)
        {
            return;
        }

        object[] ids = [.. FindTree(processId).Select(id => id.ToString(CultureInfo.InvariantCulture))];
        try
        {
            var command = Command.Run(
                FindElevation(), [.. ElevationCommand.Skip(1), kill, "-KILL", .. ids],
                options => options.Timeout(s_patience));
            _ = await Task.WhenAny(command.Task).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is Win32Exception or QemuRequestException)
        {
            // It is gone since it was used; what can be killed without it is killed next.
        }
    }

    private static List<int> FindTree(int root)
    {
        var parents = new List<(int Id, int Parent)>();
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory), CultureInfo.InvariantCulture, out var id)
                && FindParent(directory) is { } parent)
            {
                parents.Add((id, parent));
            }
        }

        var tree = new List<int> { root };
        for (var at = 0; at < tree.Count; at++)
        {
            tree.AddRange(parents.Where(one => one.Parent == tree[at] && !tree.Contains(one.Id)).Select(one => one.Id));
        }

        return tree;
    }

    // proc(5): "pid (name) state ppid", and a name may have parentheses.
    private static int? FindParent(string directory)
    {
        try
        {
            var status = File.ReadAllText(Path.Combine(directory, "stat"));
            return status[(status.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries)
                is [_, var parent, ..] ? int.Parse(parent, CultureInfo.InvariantCulture) : null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private string FindElevation()
    {
        var name = ElevationCommand[0];
        var found = Path.IsPathFullyQualified(name)
            ? LimitedProcess.IsExecutable(name) ? name : null
            : name.Length > 0 && !name.Contains(Path.DirectorySeparatorChar, StringComparison.Ordinal)
                ? LimitedProcess.FindInPath(name)
                : null;
        return found ?? throw new QemuRequestException(
            QemuRequestProblem.ElevationCommand,
            $"The elevation command '{Printable.Text(name)}' is neither a program in a directory of PATH nor the "
            + "absolute path of one. Install it, or configure another one, such as 'sudo', '-n'.");
    }

    private static string Require(string name) => LimitedProcess.FindInPath(name) ?? $"/usr/bin/{name}";

    private void ThrowIfNoCgroup(string path)
    {
        var shown = $"'{Printable.Text(path)}'";
        if (!OperatingSystem.IsLinux())
        {
            throw new CgroupException(path, "Control groups are a feature of Linux. Leave the group out.");
        }

        if (!Path.IsPathFullyQualified(path) || path.Contains('\0', StringComparison.Ordinal)
            || !Directory.Exists(path))
        {
            throw new CgroupException(
                path, $"There is no control group {shown}. Name the absolute path of an existing directory below "
                + "/sys/fs/cgroup.");
        }

        if (!new DriveInfo(path).DriveFormat.StartsWith("cgroup2", StringComparison.Ordinal)
            || !File.Exists(Path.Combine(path, "cgroup.procs")))
        {
            throw new CgroupException(
                path, $"{shown} is no control group of version 2. Name a directory where 'stat -f' says cgroup2fs.");
        }

        if (IsElevated)
        {
            return;
        }

        try
        {
            using var handle = File.OpenHandle(Path.Combine(path, "cgroup.procs"), access: FileAccess.Write);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CgroupException(
                path, $"This user cannot put processes under {shown}. Have its cgroup.procs, and that of the group "
                + "above both, made writable, or use an elevation command.");
        }
    }
}
