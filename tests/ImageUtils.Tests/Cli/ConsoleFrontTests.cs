using System.Text.Json;
using ImageUtils.Builders;
using ImageUtils.Tests.Glance;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Cli;

public sealed class ConsoleFrontTests
{
    private static readonly string s_data = Path.Combine(Repository.Root, "tests", "data");

    [Fact]
    public void Safe_files_end_with_0_and_a_line_each()
    {
        var (code, output, error) = ConsoleFront.Run(
            "test", Path.Combine(s_data, "disk.qcow2"), Path.Combine(s_data, "disk.raw"));
        Assert.Equal(0, code);
        Assert.Empty(error);
        var lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(3, lines.Length);
        Assert.Matches(@"^safe\s+qcow2\s+1 MiB\s+1\.75 KiB\s+.*disk\.qcow2\s*$", lines[1]);
        Assert.DoesNotContain('\x1b', output);
    }

    [Fact]
    public void An_unsafe_file_ends_with_1_and_names_the_check()
    {
        var (code, output, _) = ConsoleFront.Run(
            "test", Path.Combine(s_data, "disk.raw"), Path.Combine(s_data, "overlay.qcow2"));
        Assert.Equal(1, code);
        Assert.Matches(@"UNSAFE\s+qcow2.*overlay\.qcow2\s+backing_file", output);
    }

    [Fact]
    public void What_is_configured_holds_where_nothing_is_said()
    {
        const string Allowed = "IMAGEUTILS_ALLOWED_VMDK_TYPES=monolithicFlat";
        var front = Path.Combine(ConsoleFront.Directory, "imageutils.dll");
        var image = Path.Combine(s_data, "disk-stream.vmdk");
        Assert.Equal(0, ConsoleFront.Run("test", image).Code);
        Assert.Equal(1, ConsoleFront.RunWith("env", Allowed, "dotnet", front, "test", image).Code);
        Assert.Equal(2, ConsoleFront.RunWith("env", Allowed, "dotnet", front, "map", image).Code);
        Assert.Equal(
            0,
            ConsoleFront.RunWith(
                "env", Allowed, "dotnet", front, "map", "--allow-vmdk-type", "streamOptimized", image).Code);
    }

    [Fact]
    public void An_address_on_the_web_is_inspected_where_private_addresses_are_allowed()
    {
        var image = File.ReadAllBytes(Path.Combine(s_data, "disk.qcow2"));
        using var server = new ScriptedServer((request, stream) =>
            ScriptedServer.AnswerRangeAsync(request, stream, image));
        var (code, output, error) = ConsoleFront.Run(
            "test", "--allow-private-address", $"{server.Address}disk.qcow2?secret", "http://[nonsense/");
        Assert.Equal(2, code);
        Assert.Matches(@"safe\s+qcow2\s+1 MiB\s+1\.75 KiB\s+http://127\.0\.0\.1:\d+/disk\.qcow2\s", output);
        Assert.Contains("not an address", error, StringComparison.Ordinal);
        (code, _, error) = ConsoleFront.Run("info", server.Address);
        Assert.Equal(2, code);
        Assert.Contains("loopback", error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_mismatch_ends_with_1()
    {
        var (code, output, _) = ConsoleFront.Run("test", "--expect", "vpc", Path.Combine(s_data, "disk.qcow2"));
        Assert.Equal(1, code);
        Assert.Contains("MISMATCH", output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_ends_with_2_and_the_others_are_tested()
    {
        var (code, output, error) = ConsoleFront.Run("test", "/nowhere/x", Path.Combine(s_data, "disk.qcow2"));
        Assert.Equal(2, code);
        Assert.Contains("/nowhere/x", error, StringComparison.Ordinal);
        Assert.Contains("disk.qcow2", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("test")]
    [InlineData("test", "--expect", "vpx", "file")]
    [InlineData("nonsense")]
    public void Arguments_that_make_no_sense_end_with_2(params string[] arguments) =>
        Assert.Equal(2, ConsoleFront.Run([.. arguments]).Code);

    [Fact]
    public void Standard_input_gets_the_verdict_of_a_file()
    {
        var image = Qcow2Cases.WithBacking("/etc/passwd").ToArray();
        using var file = new TemporaryFile(image);
        var (code, stream, _) = ConsoleFront.RunOn(image, "test", "--json", "-");
        Assert.Equal(1, code);
        var fromStream = JsonDocument.Parse(stream).RootElement;
        var fromFile = JsonDocument.Parse(ConsoleFront.Run("test", "--json", file.Path).Output).RootElement;
        Assert.Equal("-", fromStream.GetProperty("Path").GetString());
        Assert.Equal(
            fromFile.GetProperty("Checks").GetRawText(), fromStream.GetProperty("Checks").GetRawText());
    }

    [Fact]
    public void Json_is_an_object_a_line_with_the_report_s_property_names()
    {
        var (_, output, _) = ConsoleFront.Run(
            "test", "--json", Path.Combine(s_data, "disk.qcow2"), Path.Combine(s_data, "overlay.qcow2"));
        var reports = output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement).ToArray();
        Assert.Equal(2, reports.Length);
        var names = typeof(ImageUtils.Inspection.ImageFormatReport).GetProperties().Select(property => property.Name);
        Assert.Subset(names.ToHashSet(), reports[0].EnumerateObject().Select(property => property.Name).ToHashSet());
        Assert.Equal("qcow2", reports[0].GetProperty("Format").GetString());
        Assert.True(reports[0].GetProperty("IsSafe").GetBoolean());
        Assert.Equal(1 << 20, reports[0].GetProperty("VirtualSize").GetInt64());
        Assert.Equal("backing_file", reports[1].GetProperty("Failures")[0].GetProperty("Name").GetString());
    }

    [Fact]
    public void Checks_are_shown_with_their_reasons()
    {
        var (code, output, _) = ConsoleFront.Run("checks", Path.Combine(s_data, "overlay.qcow2"));
        Assert.Equal(1, code);
        Assert.Matches(@"backing_file\s+Failed\s+The image names the backing file '/etc/passwd'", output);
        Assert.Matches(@"data_file\s+Passed", output);
    }

    [Fact]
    public void A_directory_of_backing_files_can_be_allowed() => Assert.Equal(
        0, ConsoleFront.Run("test", "--allow-backing", "/etc", Path.Combine(s_data, "overlay.qcow2")).Code);

    [Fact]
    public void Images_are_made_and_resized_with_the_options_of_qemu_img()
    {
        using var directory = new TemporaryDirectory();
        Done(ConsoleFront.Run("create", "-f", "qcow2", "-o", "cluster_size=4K,compat=1.1", directory["base"], "4M"));
        Done(ConsoleFront.Run(
            "create", "-f", "qcow2", "-b", "base", "-F", "qcow2", directory["over"]));
        Done(ConsoleFront.Run("resize", "-f", "qcow2", "--allow-backing", directory.Path, directory["over"], "+2M"));
        Assert.Contains("6 MiB", ConsoleFront.Run("info", directory["over"]).Output, StringComparison.Ordinal);
        var (code, _, error) = ConsoleFront.Run("resize", directory["base"], "-1M");
        Assert.Equal(2, code);
        Assert.Contains("It has 4194304 bytes, and would have 3145728.", error, StringComparison.Ordinal);
        Done(ConsoleFront.Run("resize", "--shrink", directory["base"], "-1M"));
        Assert.Equal(2, ConsoleFront.Run("create", directory["base"], "1M").Code);

        static void Done((int Code, string Output, string Error) result) => Assert.Equal((0, "", ""), result);
    }
}
