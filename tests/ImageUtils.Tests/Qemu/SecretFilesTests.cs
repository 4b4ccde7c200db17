using ImageUtils.Errors;
using ImageUtils.Qemu;

namespace ImageUtils.Tests.Qemu;

public sealed class SecretFilesTests
{
    [SkippableFact]
    public void A_passphrase_is_its_owners_alone_and_is_zeroed_and_removed()
    {
        Skip.If(OperatingSystem.IsWindows(), "Windows has no file modes");
        var passphrase = "gr\u00fcn, \"x\"=y\n"u8.ToArray();
        var secrets = new SecretFiles();
        Assert.Equal("secret0", secrets.Add(passphrase, "/image"));
        Assert.Equal("secret1", secrets.Add("other"u8.ToArray(), "/image"));
        Assert.Equal(["--object", "--object"], secrets.Arguments.Where((_, index) => index % 2 == 0));
        var path = secrets.Arguments[1].Split("file=")[1];
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        var directory = Path.GetDirectoryName(path)!;
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(directory));
        Assert.Equal(passphrase, File.ReadAllBytes(path));
        using var open = File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);
        secrets.Dispose();
        Assert.False(Directory.Exists(directory));
        var left = new byte[passphrase.Length];
        Assert.Equal(left.Length, RandomAccess.Read(open, left, 0));
        Assert.Equal(new byte[left.Length], left);
        secrets.Dispose();
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("73656300", "NUL")]
    [InlineData("736563c3", "UTF-8")]
    public void What_qemu_would_read_otherwise_is_refused_without_being_quoted(string hexadecimal, string reason)
    {
        using var secrets = new SecretFiles();
        var error = Assert.Throws<PassphraseException>(
            () => secrets.Add(Convert.FromHexString(hexadecimal), "/image"));
        Assert.Equal(("PassphraseUnusable", PassphraseProblem.Unusable), (error.ErrorId, error.Problem));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("sec", error.Message, StringComparison.Ordinal);
        Assert.Empty(secrets.Arguments);
    }
}
