using ImageUtils.Errors;
using ImageUtils.Qemu;

namespace ImageUtils.Tests.Qemu;

public sealed class CipherSpecTests
{
    [Theory]
    [InlineData("aes-xts-plain64", 512, "aes-256", "xts", "plain64")]
    [InlineData("aes-xts-plain64", 256, "aes-256", "xts", "plain64")]
    [InlineData("aes-xts-plain64", 384, "aes-192", "xts", "plain64")]
    [InlineData("aes-xts-plain64", 128, "aes-128", "xts", "plain64")]
    [InlineData("aes-xts-essiv", 256, "aes-256", "xts", "essiv")]
    [InlineData(" AES-CBC-Plain ", 192, "aes-192", "cbc", "plain")]
    [InlineData("serpent-xts-plain64", 512, "serpent-256", "xts", "plain64")]
    [InlineData("cast5-cbc-plain64", 128, "cast5-128", "cbc", "plain64")]
    public void What_cinder_and_cryptsetup_write_becomes_qemus_names(
        string spec, int keySizeBits, string algorithm, string mode, string ivGenerator)
    {
        var cipher = CipherSpec.Parse(spec, keySizeBits);
        Assert.Equal((algorithm, mode, ivGenerator), (cipher.CipherAlgorithm, cipher.CipherMode, cipher.IvGenerator));
        Assert.Equal($"{algorithm}-{mode}-{ivGenerator}", cipher.ToString());
    }

    [Theory]
    [InlineData("", 256, "not three names")]
    [InlineData("aes", 256, "not three names")]
    [InlineData("aes-xts", 256, "not three names")]
    [InlineData("aes-xts-plain64-x", 256, "not three names")]
    [InlineData("--", 256, "cipher ''")]
    [InlineData("aes:64-cbc-plain", 256, "'aes'")]
    [InlineData("aes-cbc-essiv:sha256", 256, "essiv is with sha256")]
    [InlineData("3des-cbc-plain64", 192, "cipher '3des'")]
    [InlineData("aes-gcm-plain64", 256, "mode 'gcm'")]
    [InlineData("aes-xts-random", 256, "IV generator 'random'")]
    [InlineData("aes,x=y-xts-plain64", 256, "cipher 'aes,x=y'")]
    [InlineData("aes-cbc-plain64", 512, "128, 192, 256.")]
    [InlineData("aes-xts-plain64", 1024, "128, 192, 256, 384, 512.")]
    [InlineData("aes-xts-plain64", 0, "128, 192, 256, 384, 512.")]
    [InlineData("cast5-xts-plain64", 128, "blocks of 16 bytes")]
    public void Another_shape_is_a_clear_error(string spec, int keySizeBits, string reason)
    {
        var error = Assert.Throws<CipherSpecException>(() => CipherSpec.Parse(spec, keySizeBits));
        Assert.Equal("CipherSpecInvalid", error.ErrorId);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }
}
