using ImageUtils.Configuration;
using ImageUtils.Errors;
using ImageUtils.PowerShell.Commands;
using ImageUtils.Qemu;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Configuration;

/// <summary>What is read from where, and what is refused.</summary>
public sealed class ConfigurationTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly Dictionary<string, string> _variables = [];

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void What_is_built_in_is_what_the_limits_and_the_policy_say()
    {
        var configuration = Load();
        Assert.Equal(ProcessLimits.Default, configuration.QemuLimits);
        Assert.Equal(ProcessLimits.Default with { WallTime = null }, configuration.QemuConversionLimits);
        Assert.Equal(SafetyPolicy.Default.AllowedVmdkTypes, configuration.AllowedVmdkTypes);
        Assert.Equal(["os_glance"], configuration.ReservedNamespaces);
        Assert.True(Path.IsPathFullyQualified(configuration.ConversionDirectory));
        Assert.True(configuration.CompressOnUpload);
        Assert.False(configuration.ConversionDisabled);
        Assert.Null(configuration.BandwidthLimit);
        Assert.Null(configuration.DefaultFormat);
        Assert.Empty(configuration.ElevationCommand);
        Assert.All(configuration.Settings, setting =>
        {
            Assert.Equal(SettingSource.Default, setting.Source);
            Assert.Null(setting.Origin);
        });
    }

    [Fact]
    public void Each_source_goes_over_those_below_it_and_says_so()
    {
        WriteFile(
            "machine", """{ "TimeLimit": 1, "CpuTimeLimit": 1, "BandwidthLimit": "100M", "DefaultFormat": "vpc" }""");
        WriteFile("user", """{ "TimeLimit": 2, "CpuTimeLimit": 2, "BandwidthLimit": null }""");
        _variables["IMAGEUTILS_TIME_LIMIT"] = "3";
        var configuration = Load();
        Assert.Equal(TimeSpan.FromSeconds(3), configuration.TimeLimit);
        Assert.Equal(TimeSpan.FromSeconds(2), configuration.CpuTimeLimit);
        Assert.Null(configuration.BandwidthLimit);
        Assert.Equal(ImageFormat.Vhd, configuration.DefaultFormat);
        Assert.Equal(
            [
                ("CpuTimeLimit", SettingSource.UserFile, Sources.UserFile),
                ("TimeLimit", SettingSource.Environment, "IMAGEUTILS_TIME_LIMIT"),
                ("BandwidthLimit", SettingSource.UserFile, Sources.UserFile),
                ("DefaultFormat", SettingSource.MachineFile, Sources.MachineFile),
            ],
            configuration.Settings.Where(setting => setting.Source != SettingSource.Default)
                .Select(setting => (setting.Name, setting.Source, setting.Origin)));
    }

    [Theory]
    [InlineData("CONVERSION_DISABLED", "Yes", true)]
    [InlineData("COMPRESS_ON_UPLOAD", "0", false)]
    [InlineData("BANDWIDTH_LIMIT", "100M", 100L << 20)]
    [InlineData("BANDWIDTH_LIMIT", "1.5 GiB", 3L << 29)]
    [InlineData("BANDWIDTH_LIMIT", "None", null)]
    [InlineData("ADDRESS_SPACE_LIMIT", "0", null)]
    [InlineData("ADDRESS_SPACE_LIMIT", "2147483648", 2L << 30)]
    [InlineData("DEFAULT_FORMAT", "QCOW2", ImageFormat.Qcow2)]
    [InlineData("DEFAULT_FORMAT", "none", null)]
    [InlineData("CONVERSION_DIRECTORY", "/srv/conversion", "/srv/conversion")]
    [InlineData("ALLOWED_VMDK_TYPES", "streamOptimized, monolithicFlat", "streamOptimized,monolithicFlat")]
    [InlineData("ALLOWED_VMDK_TYPES", "none", "")]
    [InlineData("ELEVATION_COMMAND", "sudo  -n -u root", "sudo,-n,-u,root")]
    public void A_variable_is_read_as_its_setting_is(string variable, string text, object? value)
    {
        _variables["IMAGEUTILS_" + variable] = text;
        var setting = Load().Settings.Single(setting => setting.VariableName == "IMAGEUTILS_" + variable);
        Assert.Equal(value, setting.Value is IReadOnlyList<string> list ? string.Join(',', list) : setting.Value);
        Assert.Equal(SettingSource.Environment, setting.Source);
    }

    [Theory]
    [InlineData("CONVERSION_DISABLED", "maybe")]
    [InlineData("TIME_LIMIT", "5 minutes")]
    [InlineData("TIME_LIMIT", "-1")]
    [InlineData("TIME_LIMIT", "2592001")]
    [InlineData("BANDWIDTH_LIMIT", "fast")]
    [InlineData("BANDWIDTH_LIMIT", "0.3K")]
    [InlineData("ADDRESS_SPACE_LIMIT", "1")]
    [InlineData("DEFAULT_FORMAT", "iso")]
    [InlineData("CONVERSION_DIRECTORY", "relative")]
    [InlineData("ALLOWED_VMDK_TYPES", "a,,b")]
    [InlineData("RESERVED_NAMESPACES", "os glance")]
    [InlineData("ELEVATION_COMMAND", "./sudo -n")]
    [InlineData("ELEVATION_COMMAND", "'sudo' -n")]
    public void A_variable_that_is_no_value_is_refused_by_name(string variable, string text)
    {
        _variables["IMAGEUTILS_" + variable] = text;
        var error = Assert.Throws<ConfigurationException>(() => Load());
        Assert.Equal("ConfigurationValueInvalid", error.ErrorId);
        Assert.Equal("IMAGEUTILS_" + variable, error.Origin);
        Assert.Contains($"IMAGEUTILS_{variable}", error.Message, StringComparison.Ordinal);
        Assert.Contains(text, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "ConfigurationFileMalformed", "line 1")]
    [InlineData("[]", "ConfigurationFileMalformed", "not one JSON object")]
    [InlineData("{\n  \"TimeLimit\": 5,\n}", "ConfigurationFileMalformed", "line 3")]
    [InlineData("{\n}\n{ }", "ConfigurationFileMalformed", "line 3")]
    [InlineData("{\n// five\n\"TimeLimit\": 5 }", "ConfigurationFileMalformed", "line 2")]
    [InlineData("{ \"TimeLimit\": 5,\n \"timelimit\": 6 }", "ConfigurationFileMalformed", "2, sets timelimit a second")]
    [InlineData("{ \"x\": 1,\n \"x\": 2 }", "ConfigurationFileMalformed", "line 2, sets x a second")]
    [InlineData("{\n\n\"TimeLimit\": 5.5 }", "ConfigurationValueInvalid", "line 3: TimeLimit is 5.5,")]
    [InlineData("{\n\"TimeLimit\":\n { \"a\": 1 } }", "ConfigurationValueInvalid", "line 3: TimeLimit is { \"a")]
    [InlineData("{\n\"ConversionDisabled\": null }", "ConfigurationValueInvalid", "line 2: ConversionDisabled is null")]
    [InlineData("{ \"AllowedVmdkTypes\": [\"a\", [1], 3] }", "ConfigurationValueInvalid", "line 1: AllowedVmdkTypes")]
    [InlineData("{ \"ElevationCommand\": [\"sudo -n\"] }", "ConfigurationValueInvalid", "each by itself")]
    [InlineData("{ \"ElevationCommand\": [\"-n\"] }", "ConfigurationValueInvalid", "each by itself")]
    public void A_file_that_is_wrong_is_named_with_the_line(string content, string errorId, string says)
    {
        WriteFile("user", content);
        var error = Assert.Throws<ConfigurationException>(() => Load());
        Assert.Equal(errorId, error.ErrorId);
        Assert.Contains($"'{Sources.UserFile}'", error.Message, StringComparison.Ordinal);
        Assert.Contains(says, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_no_text_is_malformed()
    {
        WriteFile("user", "");
        File.WriteAllBytes(Sources.UserFile!, [(byte)'{', (byte)'"', 0xFF, (byte)'"', (byte)':', (byte)'1', (byte)'}']);
        Assert.Equal("ConfigurationFileMalformed", Assert.Throws<ConfigurationException>(() => Load()).ErrorId);
    }

    [Fact]
    public void A_newer_versions_settings_are_named_and_no_error()
    {
        WriteFile("user", "\uFEFF{\n  \"Colour\": { \"TimeLimit\": [1] },\n  \"timelimit\": 7\n}");
        var configuration = Load();
        Assert.Equal(TimeSpan.FromSeconds(7), configuration.TimeLimit);
        Assert.Equal([$"'{Sources.UserFile}', line 2: Colour"], configuration.UnknownSettings);
    }

    [SkippableTheory]
    [InlineData("620")]
    [InlineData("602")]
    public void A_file_that_others_can_write_is_refused(string mode)
    {
        Skip.If(OperatingSystem.IsWindows(), "modes are a Unix matter");
        WriteFile("machine", "{}");
        File.SetUnixFileMode(Sources.MachineFile, (UnixFileMode)Convert.ToInt32(mode, 8));
        var error = Assert.Throws<ConfigurationException>(() => Load());
        Assert.Equal("ConfigurationFileUnsafe", error.ErrorId);
        Assert.Contains($"chmod go-w '{Sources.MachineFile}'", error.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_file_in_a_directory_that_others_can_write_is_refused()
    {
        Skip.If(OperatingSystem.IsWindows(), "modes are a Unix matter");
        WriteFile("user", "{}");
        var directory = Path.GetDirectoryName(Sources.UserFile)!;
        File.SetUnixFileMode(directory, (UnixFileMode)0x1FF);
        Assert.Equal(directory, Assert.Throws<ConfigurationException>(() => Load()).Origin);
        File.SetUnixFileMode(directory, (UnixFileMode)0x1FF | UnixFileMode.StickyBit);
        Load();
    }

    [SkippableFact]
    public void A_file_of_another_user_is_refused()
    {
        Skip.IfNot(OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess, "giving files away needs root");
        WriteFile("user", "{}");
        Tool.Run("chown", "12345", Sources.UserFile!);
        var error = Assert.Throws<ConfigurationException>(() => Load());
        Assert.Equal("ConfigurationFileUnsafe", error.ErrorId);
        Assert.Contains("12345", error.Message, StringComparison.Ordinal);
        Assert.Throws<ConfigurationException>(() => Change(new() { ["TimeLimit"] = 5 }));
        Assert.Equal("{}", File.ReadAllText(Sources.UserFile!));
    }

    [Fact]
    public void A_change_is_read_back_and_keeps_what_it_does_not_know()
    {
        WriteFile("user", """{ "Newer": 1.50e3, "timelimit": 5, "BandwidthLimit": 9, "CpuTimeLimit": 8 }""");
        Change(
            new()
            {
                ["TimeLimit"] = 60,
                ["ConversionTimeLimit"] = 0,
                ["ConversionDisabled"] = true,
                ["AddressSpaceLimit"] = 1L << 31,
                ["DefaultFormat"] = ImageFormat.Vhd,
                ["AllowedVmdkTypes"] = Array.Empty<string>(),
                ["ElevationCommand"] = new[] { "sudo", "-n" },
                ["ConversionDirectory"] = "/srv/ü",
            },
            "bandwidthlimit", "ReservedNamespaces");
        Assert.Equal(
            """
            {
              "Newer": 1.50e3,
              "CpuTimeLimit": 8,
              "TimeLimit": 60,
              "ConversionTimeLimit": null,
              "ConversionDisabled": true,
              "AddressSpaceLimit": 2147483648,
              "DefaultFormat": "vhd",
              "AllowedVmdkTypes": [],
              "ElevationCommand": [
                "sudo",
                "-n"
              ],
              "ConversionDirectory": "/srv/ü"
            }

            """,
            File.ReadAllText(Sources.UserFile!));
        var configuration = Load();
        Assert.Equal(TimeSpan.FromMinutes(1), configuration.TimeLimit);
        Assert.Equal(ImageFormat.Vhd, configuration.DefaultFormat);
        Assert.Empty(configuration.AllowedVmdkTypes);
        Assert.Equal(["sudo", "-n"], configuration.ElevationCommand);
        Assert.Null(configuration.BandwidthLimit);
        Assert.Single(Directory.GetFiles(Path.GetDirectoryName(Sources.UserFile)!));
    }

    [SkippableTheory]
    [InlineData(ConfigurationScope.User, "600", "700")]
    [InlineData(ConfigurationScope.Machine, "644", "755")]
    public void A_new_file_has_the_mode_of_its_scope(ConfigurationScope scope, string mode, string directoryMode)
    {
        Skip.If(OperatingSystem.IsWindows(), "modes are a Unix matter");
        var path = ImageUtilsConfiguration.Change(
            scope, new Dictionary<string, object?> { ["TimeLimit"] = 5 }, [], Sources);
        Assert.Equal(mode, Convert.ToString((int)File.GetUnixFileMode(path), 8));
        Assert.Equal(directoryMode, Convert.ToString((int)File.GetUnixFileMode(Path.GetDirectoryName(path)!), 8));
        Assert.Equal(TimeSpan.FromSeconds(5), Load().TimeLimit);
    }

    [Fact]
    public void A_change_that_is_refused_leaves_the_file_as_it_was()
    {
        WriteFile("user", "{ \"TimeLimit\": 5 }");
        Assert.Contains(
            "The new value: BandwidthLimit is '-1'",
            Assert.Throws<ConfigurationException>(
                () => Change(new() { ["TimeLimit"] = 6, ["BandwidthLimit"] = -1L })).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "There is no setting 'Speed'",
            Assert.Throws<ConfigurationException>(() => Change([], "Speed")).Message, StringComparison.Ordinal);
        Assert.Equal("{ \"TimeLimit\": 5 }", File.ReadAllText(Sources.UserFile!));
        WriteFile("user", "{ oh");
        Assert.Equal(
            "ConfigurationFileMalformed",
            Assert.Throws<ConfigurationException>(() => Change(new() { ["TimeLimit"] = 6 })).ErrorId);
        Assert.Equal("{ oh", File.ReadAllText(Sources.UserFile!));
    }

    [Fact]
    public void Removing_from_a_file_that_is_not_there_makes_none()
    {
        Change([], "TimeLimit");
        Assert.False(Directory.Exists(Path.GetDirectoryName(Sources.UserFile)));
    }

    [Fact]
    public void A_file_that_cannot_be_written_is_named()
    {
        File.WriteAllText(_directory["user"], "a file where the directory should be");
        var error = Assert.Throws<ConfigurationException>(() => Change(new() { ["TimeLimit"] = 6 }));
        Assert.Contains(Sources.UserFile!, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_linked_file_is_changed_where_it_lies()
    {
        WriteFile("user", "{}");
        WriteFile("elsewhere", "{}");
        File.Delete(Sources.UserFile!);
        File.CreateSymbolicLink(Sources.UserFile!, _directory["elsewhere/configuration.json"]);
        Change(new() { ["TimeLimit"] = 6 });
        Assert.NotNull(File.ResolveLinkTarget(Sources.UserFile!, returnFinalTarget: false));
        Assert.Contains("\"TimeLimit\": 6", File.ReadAllText(_directory["elsewhere/configuration.json"]));
    }

    [Fact]
    public void The_cmdlet_has_a_parameter_for_each_setting() => Assert.All(
        ImageUtilsConfiguration.Names,
        name => Assert.NotNull(typeof(SetImageUtilsConfigurationCommand).GetProperty(name)));

    [Fact]
    public void Each_setting_has_its_property_and_reads_as_one() => Assert.All(
        ImageUtilsConfiguration.Default.Settings,
        setting => Assert.Equal(
            setting.Value, typeof(ImageUtilsConfiguration).GetProperty(setting.Name)!.GetValue(Load())));

    private ConfigurationSources Sources => new()
    {
        MachineFile = _directory["machine/configuration.json"],
        UserFile = _directory["user/configuration.json"],
        GetVariable = _variables.GetValueOrDefault,
    };

    private ImageUtilsConfiguration Load() => ImageUtilsConfiguration.Load(Sources);

    private void Change(Dictionary<string, object?> values, params string[] removed) =>
        ImageUtilsConfiguration.Change(ConfigurationScope.User, values, removed, Sources);

    private void WriteFile(string scope, string content)
    {
        Directory.CreateDirectory(_directory[scope]);
        File.WriteAllText(_directory[$"{scope}/configuration.json"], content);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(_directory[scope], (UnixFileMode)0x1C0);
            File.SetUnixFileMode(_directory[$"{scope}/configuration.json"], (UnixFileMode)0x180);
        }
    }
}
