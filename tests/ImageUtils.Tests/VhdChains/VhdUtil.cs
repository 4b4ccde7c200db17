using System.Diagnostics;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.VhdChains;

/// <summary>The real vhd-util; it builds from xapi-project/blktap.</summary>
internal static class VhdUtil
{
    public static void Require() => Tool.Require("vhd-util", "blktap of XenServer; Debian has none");

    /// <summary>Has it check a disk; <c>-p</c>: those below as well.</summary>
    public static void Check(string path, params string[] options) => Assert.Contains(
        " is valid", Tool.Run("vhd-util", ["check", "-n", path, .. options]), StringComparison.Ordinal);

    public static string Query(string path, string option) => Tool.Run("vhd-util", "query", "-n", path, option).Trim();

    /// <summary>What a guest of XenServer's would see of the beginning of a disk.</summary>
    public static byte[] Read(string path, long length)
    {
        var info = new ProcessStartInfo("vhd-util") { RedirectStandardOutput = true };
        foreach (var argument in new[] { "read", "-n", path, "-r", "0", "-c", (length / 512).ToString() })
        {
            info.ArgumentList.Add(argument);
        }

        using var process = Process.Start(info)!;
        using var output = new MemoryStream();
        process.StandardOutput.BaseStream.CopyTo(output);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return output.ToArray();
    }
}
