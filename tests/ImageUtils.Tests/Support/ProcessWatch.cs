using System.Text;

namespace ImageUtils.Tests.Support;

/// <summary>Reads all processes' command lines and environments, again and again, until it is disposed of.</summary>
internal sealed class ProcessWatch : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly HashSet<string> _seen = new(StringComparer.Ordinal);
    private readonly Thread _thread;

    public ProcessWatch(string onlyWith)
    {
        Skip.IfNot(Directory.Exists("/proc/self"), "there is no /proc");
        _thread = new Thread(() => Watch(onlyWith));
        _thread.Start();
    }

    /// <summary>Each command line that had the text in it, with the environment that belongs to it.</summary>
    public IReadOnlyList<string> Seen
    {
        get
        {
            lock (_seen)
            {
                return [.. _seen];
            }
        }
    }

    /// <summary>Processes, by their ids, that have a text in their command line now.</summary>
    public static IEnumerable<(int Id, string CommandLine)> Find(string text) =>
        Directory.EnumerateDirectories("/proc")
            .Select(directory => (IsId: int.TryParse(Path.GetFileName(directory), out var id), Id: id))
            .Where(one => one.IsId && one.Id != Environment.ProcessId)
            .Select(one => (one.Id, CommandLine: Read($"/proc/{one.Id}/cmdline")))
            .Where(one => one.CommandLine.Contains(text, StringComparison.Ordinal));

    public void Dispose()
    {
        _stop.Cancel();
        _thread.Join();
        _stop.Dispose();
    }

    private static string Read(string path)
    {
        try
        {
            return Encoding.UTF8.GetString(File.ReadAllBytes(path)).Replace('\0', '\n');
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private void Watch(string onlyWith)
    {
        while (!_stop.IsCancellationRequested)
        {
            foreach (var (id, commandLine) in Find(onlyWith))
            {
                var whole = commandLine + Read($"/proc/{id}/environ");
                lock (_seen)
                {
                    _seen.Add(whole);
                }
            }

            Thread.Sleep(5);
        }
    }
}
