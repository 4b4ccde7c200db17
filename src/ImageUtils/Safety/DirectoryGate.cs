namespace ImageUtils.Safety;

/// <summary>
/// Allows files below listed directories, after every symbolic link on the way is resolved. Protocol names
/// (<c>nbd:…</c>) and <c>json:</c> pseudo-names are never allowed.
/// </summary>
public sealed class DirectoryGate : IReferenceGate
{
    // Linux gives up after 40 links (path_resolution(7)).
    private const int MaximumLinks = 40;

    private readonly string[] _directories;

    private DirectoryGate(IEnumerable<string> directories) =>
        _directories = [.. directories.Select(directory => Resolve(Path.GetFullPath(directory)))];

    /// <summary>The gate that denies everything.</summary>
    public static IReferenceGate DenyAll { get; } = new DirectoryGate([]);

    /// <summary>A gate for the directories, which denies everything where there are none.</summary>
    public static IReferenceGate For(IReadOnlyList<string> directories) =>
        directories.Count == 0 ? DenyAll : new DirectoryGate(directories);

    /// <inheritdoc/>
    public GateDecision Decide(string reference, string? referrerPath)
    {
        if (_directories.Length == 0)
        {
            return new GateDecision(null, "the policy allows none");
        }

        if (reference.Length == 0 || reference.Contains('\0', StringComparison.Ordinal))
        {
            return new GateDecision(null, "the name is empty or has a NUL character");
        }

        // Bytes that are no text were replaced on reading: what would be judged is not the name that others open.
        if (reference.Contains('\ufffd', StringComparison.Ordinal))
        {
            return new GateDecision(null, "the name is not valid UTF-8");
        }

        // qemu takes everything before a colon as a protocol, unless a slash comes first.
        var colon = reference.IndexOf(':', StringComparison.Ordinal);
        var slash = reference.IndexOf('/', StringComparison.Ordinal);
        if (colon >= 0 && (slash < 0 || colon < slash))
        {
            return new GateDecision(null, "it names a protocol or a json: description, not a file");
        }

        if (!Path.IsPathRooted(reference) && referrerPath is null)
        {
            return new GateDecision(null, "the name is relative, and the image has no directory");
        }

        string full;
        try
        {
            // A relative name is relative to the directory of the image as it was named, as qemu does it.
            // Its ".." parts are left to Resolve, which takes them after the links before them, as the system does.
            var directory = referrerPath is null
                ? "/"
                : Path.GetDirectoryName(Path.Join(
                    Path.IsPathRooted(referrerPath) ? "" : Environment.CurrentDirectory, referrerPath)) ?? "/";
            full = Resolve(Path.IsPathRooted(reference) ? reference : Path.Join(directory, reference));
        }
        catch (IOException exception)
        {
            return new GateDecision(null, $"it cannot be resolved: {exception.Message}");
        }

        return Array.Exists(_directories, directory => IsBelow(full, directory))
            ? new GateDecision(full, "")
            : new GateDecision(null, $"'{full}' is not below {string.Join(" or ", _directories)}");
    }

    private static bool IsBelow(string path, string directory) =>
        path.StartsWith(
            directory.EndsWith(Path.DirectorySeparatorChar) ? directory : directory + Path.DirectorySeparatorChar,
            StringComparison.Ordinal);

    /// <summary>The path without symbolic links and dots.</summary>
    /// <exception cref="IOException">Links lead round in a circle.</exception>
    internal static string Resolve(string path)
    {
        var links = 0;
        var root = Path.GetPathRoot(path)!;
        var resolved = root;
        var pending = new Stack<string>(Split(path[root.Length..]));
        while (pending.TryPop(out var part))
        {
            if (part == "..")
            {
                resolved = Path.GetDirectoryName(resolved) ?? root;
                continue;
            }

            var next = Path.Join(resolved, part);
            var target = new FileInfo(next).LinkTarget;
            if (target is null)
            {
                resolved = next;
                continue;
            }

            if (++links > MaximumLinks)
            {
                throw new IOException($"'{path}' leads through more than {MaximumLinks} symbolic links");
            }

            if (Path.IsPathRooted(target))
            {
                resolved = root;
                target = target[Path.GetPathRoot(target)!.Length..];
            }

            foreach (var piece in Split(target))
            {
                pending.Push(piece);
            }
        }

        return resolved;
    }

    // In reverse, to be pushed on a stack.
    private static IEnumerable<string> Split(string path) =>
        path.Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries)
            .Where(part => part != ".").Reverse();
}
