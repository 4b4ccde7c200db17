namespace ImageUtils.Tests.Support;

/// <summary>A loop device over a file, detached when the test ends.</summary>
internal sealed class LoopDevice : IDisposable
{
    private LoopDevice(string path) => Path = path;

    public string Path { get; }

    /// <summary>Attaches a device, or skips the calling test where the kernel or the user does not allow it.</summary>
    public static LoopDevice Attach(string file)
    {
        Tool.Require("losetup", "mount");
        Skip.IfNot(Environment.IsPrivilegedProcess, "loop devices need root");
        try
        {
            return new LoopDevice(Tool.Run("losetup", "--find", "--show", file).Trim());
        }
        catch (InvalidOperationException exception)
        {
            throw new SkipException($"no loop device can be had: {exception.Message}");
        }
    }

    public void Dispose() => Tool.Run("losetup", "--detach", Path);
}
