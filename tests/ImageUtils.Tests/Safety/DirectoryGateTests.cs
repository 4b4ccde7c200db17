using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Safety;

public sealed class DirectoryGateTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly IReferenceGate _gate;

    public DirectoryGateTests()
    {
        Directory.CreateDirectory(_directory["allowed/sub"]);
        Directory.CreateDirectory(_directory["allowed-not"]);
        File.WriteAllText(_directory["allowed/base"], "");
        File.CreateSymbolicLink(_directory["allowed/out"], _directory["allowed-not"]);
        File.CreateSymbolicLink(_directory["allowed/passwd"], "/etc/passwd");
        File.CreateSymbolicLink(_directory["into"], _directory["allowed"]);
        File.CreateSymbolicLink(_directory["allowed/loop"], _directory["allowed/loop"]);
        _gate = DirectoryGate.For([_directory["allowed"]]);
    }

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("base", "allowed/base")]
    [InlineData("sub/../base", "allowed/base")]
    [InlineData("./sub/missing", "allowed/sub/missing")]
    [InlineData("../into/base", "allowed/base")]
    public void Names_that_end_up_below_the_directory_are_allowed(string reference, string expected)
    {
        var decision = _gate.Decide(reference, _directory["allowed/disk.qcow2"]);
        Assert.True(decision.IsAllowed, decision.Reason);
        Assert.Equal(_directory[expected], decision.Path);
    }

    [Theory]
    [InlineData("")]
    [InlineData("/etc/passwd")]
    [InlineData("passwd")]
    [InlineData("../allowed-not/base")]
    [InlineData("out/base")]
    [InlineData("out/../allowed-not/base")]
    [InlineData("loop")]
    [InlineData("../allowed")]
    [InlineData("nbd:unix:/tmp/socket")]
    [InlineData("json:{\"driver\":\"file\",\"filename\":\"base\"}")]
    [InlineData("fat:rw:base")]
    [InlineData("base\0/etc/passwd")]
    [InlineData("ba\ufffdse")]
    public void Names_that_lead_elsewhere_are_denied_with_a_reason(string reference)
    {
        var decision = _gate.Decide(reference, _directory["allowed/disk.qcow2"]);
        Assert.False(decision.IsAllowed);
        Assert.NotEmpty(decision.Reason);
    }

    [Fact]
    public void A_relative_name_needs_an_image_with_a_directory() => Assert.False(_gate.Decide("base", null).IsAllowed);

    [Fact]
    public void Without_directories_nothing_is_allowed() =>
        Assert.False(DirectoryGate.For([]).Decide(_directory["allowed/base"], null).IsAllowed);
}
