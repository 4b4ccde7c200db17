using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.IO;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Conversion;

/// <summary>What somebody else may have put into the destination's directory, and who may read what comes out.</summary>
public sealed class SharedDirectoryTests : IDisposable
{
    private const UnixFileMode Owners = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Everybodys = Owners | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    private readonly TemporaryDirectory _directory = new();

    public SharedDirectoryTests() => File.WriteAllBytes(_directory["a.raw"], SampleDisk.Make());

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("qcow2", false)]
    [InlineData("qcow2", true)]
    [InlineData("raw", false)]
    public async Task A_copy_is_not_more_readable_than_its_source(string kind, bool resume)
    {
        File.SetUnixFileMode(_directory["a.raw"], Owners);
        await ImageConverter.ConvertAsync(Request(kind) with { Resume = resume });
        Assert.Equal(Owners, File.GetUnixFileMode(_directory["b"]));

        File.SetUnixFileMode(_directory["a.raw"], Everybodys | UnixFileMode.UserExecute);
        File.Delete(_directory["b"]);
        await ImageConverter.ConvertAsync(Request(kind) with { Resume = resume });
        Assert.Equal(Everybodys, File.GetUnixFileMode(_directory["b"]));
    }

    [SkippableTheory]
    [InlineData(ConversionEngine.Native, false)]
    [InlineData(ConversionEngine.Native, true)]
    [InlineData(ConversionEngine.Qemu, false)]
    public async Task What_replaces_a_file_has_its_permissions(ConversionEngine engine, bool resume)
    {
        if (engine == ConversionEngine.Qemu)
        {
            Tool.Require("qemu-img", "qemu-utils");
        }

        foreach (var mode in new[] { Owners, Owners | UnixFileMode.GroupRead, Everybodys | UnixFileMode.OtherWrite })
        {
            await File.WriteAllTextAsync(_directory["b"], "old");
            File.SetUnixFileMode(_directory["b"], mode);
            await ImageConverter.ConvertAsync(
                Request("qcow2") with { Overwrite = true, Resume = resume, Engine = engine });
            Assert.Equal(mode, File.GetUnixFileMode(_directory["b"]));
        }
    }

    [Fact]
    public async Task A_second_name_of_another_file_is_not_gone_on_with()
    {
        await File.WriteAllTextAsync(_directory["precious"], "precious");
        PosixWriting.Link(_directory["precious"], Destination.PartPathOf(_directory["b"]));
        var error = await Assert.ThrowsAsync<ImageWriteException>(
            () => ImageConverter.ConvertAsync(Request("raw") with { Resume = true }));
        Assert.Equal("DestinationAccessDenied", error.ErrorId);
        Assert.Equal("precious", await File.ReadAllTextAsync(_directory["precious"]));
    }

    [SkippableFact]
    public async Task A_pipe_or_somebody_elses_file_is_not_gone_on_with()
    {
        Tool.Require("mkfifo", "coreutils");
        var part = Destination.PartPathOf(_directory["b"]);
        Tool.Run("mkfifo", part);
        var request = Request("raw") with { Resume = true };
        var error = await Assert.ThrowsAsync<ImageWriteException>(() => ImageConverter.ConvertAsync(request));
        Assert.Equal("DestinationAccessDenied", error.ErrorId);

        Skip.IfNot(Environment.IsPrivilegedProcess, "giving files away needs root");
        File.Delete(part);
        await File.WriteAllTextAsync(part, "");
        Tool.Run("chown", "65534", part);
        error = await Assert.ThrowsAsync<ImageWriteException>(() => ImageConverter.ConvertAsync(request));
        Assert.Equal("DestinationAccessDenied", error.ErrorId);
    }

    [SkippableFact]
    public async Task A_link_or_pipe_in_the_place_of_the_journal_is_neither_followed_nor_waited_for()
    {
        Tool.Require("mkfifo", "coreutils");
        var journal = ResumeJournal.PathOf(_directory["b"]);
        await File.WriteAllTextAsync(_directory["precious"], "precious");
        File.CreateSymbolicLink(journal + ".new", _directory["precious"]);
        Tool.Run("mkfifo", journal);
        var request = Request("raw") with { Resume = true, CheckpointInterval = TimeSpan.Zero };
        await Task.Run(() => ImageConverter.ConvertAsync(request)).WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal("precious", await File.ReadAllTextAsync(_directory["precious"]));
        Assert.Equal(["a.raw", "b", "precious"], _directory.Names());
    }

    [Fact]
    public async Task A_partial_file_that_became_the_target_meanwhile_is_not_taken()
    {
        // Opened by a second process just before the first one finishes, and locked just after.
        var path = _directory["b"];
        await File.WriteAllTextAsync(Destination.PartPathOf(path), "complete");
        using var opened = PosixWriting.Open(Destination.PartPathOf(path), PosixWriting.OpenReadWrite, 0, out _);
        File.Move(Destination.PartPathOf(path), path);
        var error = Assert.Throws<ImageWriteException>(
            () => Destination.Claim(opened, Destination.PartPathOf(path), path));
        Assert.Equal("DestinationInUse", error.ErrorId);
    }

    [Fact]
    public async Task A_temporary_file_is_the_owners_alone_and_has_no_name_left_where_it_cannot_be_made_without()
    {
        using var file = UnnamedFile.CreateNamed(_directory.Path);
        Assert.Equal(["a.raw"], _directory.Names());
        await file.Sink.WriteAsync(0, "secret"u8.ToArray(), default);
        Assert.Equal("secret", await File.ReadAllTextAsync(file.ReadablePath));
        Assert.Equal(Owners, File.GetUnixFileMode(file.ReadablePath));
    }

    private ConversionRequest Request(string kind) => SampleDisk.Request(_directory["a.raw"], _directory["b"], kind);
}
