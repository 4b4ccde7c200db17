using System.Text;
using ImageUtils.Signatures;

namespace ImageUtils.Tests.Signatures;

public sealed class Sha224Tests
{
    // NIST's examples of FIPS 180, and the empty message.
    [Theory]
    [InlineData("", 1, "d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f")]
    [InlineData("abc", 1, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7")]
    [InlineData(
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
        "75388b16512776cc5dba5da1fd890150b0c6455cb4f58b1952522525")]
    [InlineData("a", 1_000_000, "20794655980c91d8bbb4c1ea97618a4bf03f42581948b2ee4ee7ad67")]
    public void A_message_has_the_hash_that_nist_says(string text, int times, string expected)
    {
        var message = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(text, times)));
        Assert.Equal(expected, Convert.ToHexStringLower(Sha224.HashData(message)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(63)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(1000)]
    public void Pieces_have_the_hash_of_the_whole(int piece)
    {
        var message = new byte[4321];
        new Random(1).NextBytes(message);
        var hash = new Sha224();
        for (var at = 0; at < message.Length; at += piece)
        {
            hash.Append(message.AsSpan(at, Math.Min(piece, message.Length - at)));
            hash.Append([]);
        }

        Assert.Equal(Sha224.HashData(message), hash.Finish());
    }
}
