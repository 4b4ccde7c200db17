using System.Net.Sockets;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.IO;

public sealed class FileByteSourceTests
{
    [Fact]
    public void A_missing_file_says_so()
    {
        var error = Assert.Throws<ImageFileException>(() => FileByteSource.Open("/nowhere/disk.qcow2"));
        Assert.Equal(ImageFileProblem.NotFound, error.Problem);
        Assert.Equal("FileNotFound", error.ErrorId);
    }

    [Fact]
    public void A_directory_says_so()
    {
        using var directory = new TemporaryDirectory();
        Assert.Equal(
            ImageFileProblem.IsDirectory,
            Assert.Throws<ImageFileException>(() => FileByteSource.Open(directory.Path)).Problem);
    }

    [SkippableFact]
    public void A_fifo_is_refused_without_waiting_for_a_writer()
    {
        Tool.Require("mkfifo", "coreutils");
        using var directory = new TemporaryDirectory();
        Tool.Run("mkfifo", directory["fifo"]);
        var open = Task.Run(() => Assert.Throws<ImageFileException>(() => FileByteSource.Open(directory["fifo"])));
        Assert.True(open.Wait(TimeSpan.FromSeconds(10)), "opening a FIFO hangs");
        Assert.Equal(ImageFileProblem.NotAFile, open.Result.Problem);
        Assert.Contains("FIFO", open.Result.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_socket_is_refused()
    {
        using var directory = new TemporaryDirectory();
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(directory["socket"]));
        Assert.Equal(
            ImageFileProblem.NotAFile,
            Assert.Throws<ImageFileException>(() => FileByteSource.Open(directory["socket"])).Problem);
    }

    [Fact]
    public void A_character_device_is_refused() => Assert.Equal(
        ImageFileProblem.NotAFile,
        Assert.Throws<ImageFileException>(() => FileByteSource.Open("/dev/zero")).Problem);

    [Fact]
    public async Task An_empty_file_is_an_error_of_its_own()
    {
        using var file = new TemporaryFile([]);
        var error = await Assert.ThrowsAsync<ImageFileException>(
            async () => await ImageInspector.InspectFileAsync(file.Path));
        Assert.Equal("FileIsEmpty", error.ErrorId);
    }

    [Fact]
    public async Task A_file_that_shrinks_while_it_is_read_says_so()
    {
        using var file = new TemporaryFile(new byte[10_000]);
        using var source = FileByteSource.Open(file.Path);
        using (var writer = File.OpenWrite(file.Path))
        {
            writer.SetLength(5_000);
        }

        var error = await Assert.ThrowsAsync<ImageFileException>(
            async () => await source.ReadAsync(4_000, new byte[2_000], default));
        Assert.Equal(ImageFileProblem.Changed, error.Problem);
        Assert.Contains("5000", error.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_file_that_may_not_be_read_says_so()
    {
        // Root may read everything, so another user asks.
        Tool.Require("setpriv", "util-linux");
        Skip.IfNot(Environment.IsPrivilegedProcess, "only root can become another user");
        using var directory = new TemporaryDirectory();
        File.SetUnixFileMode(directory.Path, (UnixFileMode)Convert.ToInt32("755", 8));
        File.WriteAllBytes(directory["secret.raw"], new byte[512]);
        File.SetUnixFileMode(directory["secret.raw"], UnixFileMode.UserRead);
        foreach (var assembly in Directory.GetFiles(ConsoleFront.Directory))
        {
            File.Copy(assembly, directory[Path.GetFileName(assembly)]);
        }

        // Root's home need not be open to the other, and a configuration that cannot be read is an error of its own.
        var (code, _, error) = ConsoleFront.RunWith(
            "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "--unset=XDG_CONFIG_HOME",
            $"HOME={directory.Path}", "dotnet", directory["imageutils.dll"], "test", directory["secret.raw"]);
        Assert.Equal(2, code);
        Assert.Contains("was denied", error, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task A_block_device_has_its_true_length()
    {
        using var image = new TemporaryFile(new byte[4 << 20]);
        using var device = LoopDevice.Attach(image.Path);
        using var source = FileByteSource.Open(device.Path);
        Assert.True(source.IsBlockDevice);
        Assert.Equal(4 << 20, source.Length);
        Assert.Equal(100, await source.ReadTailAsync(new byte[100], default));
    }
}
