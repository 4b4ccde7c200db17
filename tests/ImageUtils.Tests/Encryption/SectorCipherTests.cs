using System.Security.Cryptography;
using ImageUtils.Builders;
using ImageUtils.Encryption;
using ImageUtils.IO;

namespace ImageUtils.Tests.Encryption;

public sealed class SectorCipherTests
{
    [Fact]
    public void XTS_decrypts_the_standards_fourth_vector()
    {
        // IEEE 1619-2007, annex B, vector 4: the cipher text is known by its hash.
        var key = Convert.FromHexString("2718281828459045235360287471352631415926535897932384626433832795");
        byte[] plain = [.. Enumerable.Range(0, 512).Select(value => (byte)value)];
        var data = LuksBuilder.Encrypt(plain, key, "xts-plain64", 512, 0);
        Assert.Equal(
            "EBEE4D64DD2395BB2D6A2D37A0A48ECB2BF4913CFC99D27C2214F2F4144715EA",
            Convert.ToHexString(SHA256.HashData(data)));
        using var cipher = SectorCipher.TryCreate(new("aes", "xts", "plain64", null), key, 512)!;
        cipher.Decrypt(data, 0);
        Assert.Equal(plain, data);
    }

    [Theory]
    [InlineData("xts-plain64", 64, 512, 0UL)]
    [InlineData("xts-plain64", 32, 4096, 0x1_0000_0003UL)]
    [InlineData("xts-plain64", 64, 2048, 7UL)]
    [InlineData("xts-plain64", 48, 512, 7UL)]
    [InlineData("xts-plain", 64, 512, 0xFFFF_FFFEUL)]
    [InlineData("cbc-plain", 16, 512, 0xFFFF_FFFEUL)]
    [InlineData("cbc-plain64", 24, 1024, 0xFFFF_FFFEUL)]
    [InlineData("cbc-essiv:sha256", 32, 512, 5UL)]
    [InlineData("cbc-essiv:sha256", 16, 4096, 5UL)]
    [InlineData("xts-essiv:sha256", 64, 512, 5UL)]
    public void What_was_encrypted_block_by_block_is_decrypted(string mode, int keyLength, int sectorSize, ulong first)
    {
        var key = LuksBuilder.Salt(keyLength, 3);
        var plain = LuksBuilder.Salt(3 * 4096 + 4096, 17);
        var data = LuksBuilder.Encrypt(plain, key, mode, sectorSize, first);
        Assert.NotEqual(plain, data);
        using var cipher = SectorCipher.TryCreate(SectorCipherName.Parse("aes", mode), key, sectorSize)!;
        cipher.Decrypt(data, first);
        Assert.Equal(plain, data);
    }

    [Theory]
    [InlineData("aes-xts-plain64", 40)]
    [InlineData("aes-cbc-plain64", 64)]
    [InlineData("aes-cbc-essiv:sha1", 32)]
    [InlineData("aes-cbc-essiv:md5", 32)]
    [InlineData("aes-cbc-essiv", 32)]
    [InlineData("aes-cbc-benbi", 32)]
    [InlineData("aes-ecb", 32)]
    [InlineData("serpent-xts-plain64", 64)]
    [InlineData("aes", 32)]
    [InlineData("", 0)]
    public void A_cipher_that_is_not_known_is_not_made(string name, int keyLength)
    {
        Assert.Null(SectorCipher.TryCreate(SectorCipherName.Parse(name), new byte[keyLength], 512));
        Assert.Equal(name, SectorCipherName.Parse(name).ToString());
    }

    [Theory]
    [InlineData(512, 20000, 20000 / 512 * 512)]
    [InlineData(4096, 81920, 81920)]
    [InlineData(4096, 20000, 16384)]
    [InlineData(512, 100, 0)]
    public async Task Odd_reads_of_a_decrypted_area_are_the_plain_bytes(int sectorSize, int length, int expectedLength)
    {
        const int HostOffset = 1024;
        var key = LuksBuilder.Salt(64, 3);
        var plain = LuksBuilder.Salt(length, 17);
        byte[] host = [.. new byte[HostOffset], .. LuksBuilder.Encrypt(plain, key, "xts-plain64", sectorSize, 9)];
        var below = new ForwardOnlySource();
        below.Push(host.AsSpan(0, HostOffset));
        using var cipher = SectorCipher.TryCreate(SectorCipherName.Parse("aes-xts-plain64"), key, sectorSize)!;
        var source = new DecryptingSource(below, cipher, HostOffset, 9);

        // Forward, with pieces that begin and end within sectors, while the stream below is far behind. A push drives
        // the reader as far as it gets, unless the test's own context puts off its steps.
        SynchronizationContext.SetSynchronizationContext(null);
        var task = ReadAllAsync(source);
        foreach (var chunk in host[HostOffset..].Chunk(777))
        {
            below.Push(chunk);
        }

        below.Complete();
        Assert.True(task.IsCompleted);
        Assert.Equal(plain[..expectedLength], await task);
        Assert.Equal(expectedLength, await source.GetLengthAsync(default));
        foreach (var tailLength in new[] { 1, 512, 513, 1536 })
        {
            var tail = new byte[tailLength];
            var read = await source.ReadTailAsync(tail, default);
            Assert.Equal(plain[..expectedLength].TakeLast(read), tail.Take(read));
            Assert.True(read == Math.Min(tailLength, expectedLength) || sectorSize == 4096, $"{read} of {tailLength}");
        }
    }

    [Fact]
    public async Task An_area_of_fixed_length_ends_there()
    {
        var key = LuksBuilder.Salt(64, 3);
        var plain = LuksBuilder.Salt(4096, 17);
        var below = new ForwardOnlySource();
        below.Push(LuksBuilder.Encrypt(plain, key, "xts-plain64", 512, 0));
        below.Complete();
        using var cipher = SectorCipher.TryCreate(SectorCipherName.Parse("aes-xts-plain64"), key, 512)!;
        var source = new DecryptingSource(below, cipher, 0, 0, 2048);
        Assert.Equal(plain[..2048], await ReadAllAsync(source));
        Assert.Equal(2048, await source.GetLengthAsync(default));
        Assert.Equal(0, await source.ReadAsync(long.MaxValue - 1, new byte[10], default));
        var tail = new byte[700];
        Assert.Equal(700, await source.ReadTailAsync(tail, default));
        Assert.Equal(plain[1348..2048], tail);
    }

    private static async Task<byte[]> ReadAllAsync(DecryptingSource source)
    {
        var all = new List<byte>();
        for (var length = 1; ; length = length * 5 % 997 + 1)
        {
            var buffer = new byte[length];
            var read = await source.ReadAsync(all.Count, buffer, default);
            all.AddRange(buffer.AsSpan(0, read));
            if (read < length)
            {
                return [.. all];
            }
        }
    }
}
