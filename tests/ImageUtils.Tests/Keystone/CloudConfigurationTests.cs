using ImageUtils.Errors;
using ImageUtils.Keystone;
using ImageUtils.Tests.Support;
using Medallion.Shell;

namespace ImageUtils.Tests.Keystone;

public sealed class CloudConfigurationTests : IDisposable
{
    private const string Plain = """
        clouds:
          one:
            auth: {auth_url: 'https://one.example:5000', username: ann, password: pw-One, project_name: p}
            region_name: R1
            user_domain_name: Default
            project_domain_id: default
            image_endpoint_override: https://glance.example/v2
            interface: internal
            cacert: /etc/ca.pem
            api_timeout: 7.5
        """;

    private readonly TemporaryDirectory _directory = new();
    private readonly Dictionary<string, string> _environment = new();

    public CloudConfigurationTests()
    {
        _environment["HOME"] = Make("home");
        _environment["XDG_CONFIG_DIRS"] = Make("xdg");
        Make("work");
    }

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_cloud_is_read_with_all_that_it_says()
    {
        Write("work/clouds.yaml", Plain);
        using var cloud = Load().Get("one");
        Assert.Equal(
            ("https://one.example:5000/", "ann", "pw-One", "p", "R1", "Default", "default"),
            (cloud.AuthUrl!.ToString(), cloud.UserName, cloud.Password!.Reveal(), cloud.ProjectName, cloud.Region,
                cloud.UserDomainName, cloud.ProjectDomainId));
        Assert.Equal(
            ("https://glance.example/v2", "internal", "/etc/ca.pem", 7.5, KeystoneMethod.Password, false),
            (cloud.EndpointOverrides["image"].ToString(), cloud.Interface, cloud.CaFile, cloud.Timeout.TotalSeconds,
                cloud.Method, cloud.SkipCertificateCheck));
        Assert.DoesNotContain("pw-One", $"{cloud}{cloud.Password}", StringComparison.Ordinal);
    }

    [Fact]
    public void The_first_file_counts_in_the_sdk_s_order()
    {
        string[] places =
            ["named.yaml", "work/clouds.yaml", "work/clouds.yml", "work/clouds.json", "xdghome/openstack/clouds.yaml",
                "home/.config/openstack/clouds.yaml", "xdg/openstack/clouds.yaml"];
        _environment["OS_CLIENT_CONFIG_FILE"] = _directory["named.yaml"];
        _environment["XDG_CONFIG_HOME"] = _directory["xdghome"];
        foreach (var (place, index) in places.Select((place, index) => (place, index)))
        {
            Write(place, "{\"clouds\": {\"c" + index + "\": {}}}");
        }

        foreach (var (place, index) in places.Select((place, index) => (place, index)))
        {
            Assert.Equal([$"c{index}"], Load().Names);
            File.Delete(_directory[place]);
        }

        Assert.Empty(Load().Names);
    }

    [Fact]
    public void Secrets_come_from_secure_yaml_and_the_rest_from_a_profile()
    {
        Write("work/clouds.yaml", "clouds: {mine: {profile: vendor, auth: {username: ann}, region_name: Own}}");
        Write("home/.config/openstack/secure.yaml", "clouds: {mine: {auth: {password: hidden}}}");
        Write(
            "work/clouds-public.yaml",
            "public-clouds: {vendor: {auth: {auth_url: 'http://v:5000/v3', username: nobody}, region_name: Theirs}}");
        using var cloud = Load().Get();
        Assert.Equal(
            ("http://v:5000/v3", "ann", "hidden", "Own"),
            (cloud.AuthUrl!.ToString(), cloud.UserName, cloud.Password!.Reveal(), cloud.Region));
        File.Delete(_directory["work/clouds-public.yaml"]);
        using var without = Load().Get();
        Assert.Contains("clouds-public.yaml", Assert.Single(without.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void OS_variables_are_a_cloud_and_go_before_the_files()
    {
        Write("work/clouds.yaml", Plain);
        foreach (var (name, value) in new (string, string)[]
        {
            ("OS_AUTH_URL", "http://env:5000"), ("OS_AUTH_TYPE", "v3applicationcredential"), ("OS_REGION_NAME", "R9"),
            ("OS_APPLICATION_CREDENTIAL_ID", "abc"), ("OS_APPLICATION_CREDENTIAL_SECRET", "s3"), ("OS_LOG", "x"),
        })
        {
            _environment[name] = value;
        }

        using var cloud = Load().Get();
        Assert.Equal(
            ("envvars", KeystoneMethod.ApplicationCredential, "abc", "s3", "R9"),
            (cloud.Cloud, cloud.Method, cloud.ApplicationCredentialId, cloud.ApplicationCredentialSecret!.Reveal(),
                cloud.Region));
        _environment["OS_CLOUD"] = "one";
        using var named = Load().Get();
        Assert.Equal("one", named.Cloud);
    }

    [Fact]
    public void OS_variables_that_only_choose_are_no_cloud()
    {
        Write("work/clouds.yaml", Plain);
        _environment["OS_REGION_NAME"] = "R2";
        Assert.Equal(["one"], Load().Names);
    }

    [Fact]
    public void Of_several_clouds_one_must_be_chosen_and_exist()
    {
        Write("work/clouds.yaml", "clouds: {a: {}, b: {}}");
        var none = Assert.Throws<CloudConfigurationException>(() => Load().Get());
        var wrong = Assert.Throws<CloudConfigurationException>(() => Load().Get("c"));
        Assert.Equal(("NoCloudChosen", "CloudNotFound"), (none.ErrorId, wrong.ErrorId));
        Assert.Contains("a, b", none.Message, StringComparison.Ordinal);
        Assert.Contains("a, b", wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_region_brings_its_values_and_merge_keys_are_followed()
    {
        Write("work/clouds.yaml", """
            base: &base {auth_url: 'http://k', username: ann, password: x}
            clouds:
              c:
                auth:
                  <<: *base
                  username: bob
                regions:
                - {name: A, values: {image_endpoint_override: 'http://a'}}
                - {name: B, values: {image_endpoint_override: 'http://b'}}
                - C
            """);
        using var first = Load().Get("c");
        using var second = Load().Get("c", "B");
        Assert.Equal(("A", "http://a/", "bob"), (first.Region, $"{first.EndpointOverrides["image"]}", first.UserName));
        Assert.Equal(("B", "http://b/"), (second.Region, $"{second.EndpointOverrides["image"]}"));
        Assert.Throws<CloudConfigurationException>(() => Load().Get("c", "D"));
    }

    [Theory]
    [InlineData("clouds: {c: {auth: {password: *hush-hush}}}")]
    [InlineData("clouds: {c: {auth: {password: \"hush-hush")]
    [InlineData("- hush-hush")]
    [InlineData("clouds:\n  c: hush-hush: hush-hush: x\n")]
    public void A_malformed_file_is_named_with_its_line_and_not_with_what_stands_there(string text)
    {
        Write("work/clouds.yaml", text);
        var error = Assert.Throws<CloudConfigurationException>(Load);
        Assert.Equal("CloudFileMalformed", error.ErrorId);
        Assert.Contains("clouds.yaml", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hush", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_unfolds_without_end_is_refused()
    {
        var lines = Enumerable.Range(1, 12).Select(n =>
            $"a{n}: &a{n} [{string.Join(", ", Enumerable.Repeat($"*a{n - 1}", 9))}]");
        Write("work/clouds.yaml", $"a0: &a0 [x]\n{string.Join('\n', lines)}\n");
        Assert.Equal("CloudFileMalformed", Assert.Throws<CloudConfigurationException>(Load).ErrorId);
    }

    [Theory]
    [InlineData("auth_url: 'http://ann:hush@k'", "CloudSettingInvalid")]
    [InlineData("auth_url: ftp://hush", "CloudSettingInvalid")]
    [InlineData("api_timeout: hush", "CloudSettingInvalid")]
    [InlineData("auth_type: v3oidcpassword", "CloudAuthTypeNotSupported")]
    public void A_setting_that_cannot_be_is_named_without_its_value(string setting, string errorId)
    {
        Write("work/clouds.yaml", $"clouds: {{c: {{{setting}}}}}");
        var error = Assert.Throws<CloudConfigurationException>(() => Load().Get());
        Assert.Equal(errorId, error.ErrorId);
        Assert.DoesNotContain("hush", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_cannot_switch_the_check_of_certificates_off()
    {
        Write("work/clouds.yaml", "clouds: {c: {auth_url: 'https://k', verify: false}}");
        using var cloud = Load().Get();
        Assert.False(cloud.SkipCertificateCheck);
        Assert.Contains("-SkipCertificateCheck", Assert.Single(cloud.Warnings), StringComparison.Ordinal);
    }

    [SkippableFact]
    public void The_openstacksdk_reads_the_same()
    {
        Skip.IfNot(File.Exists("/usr/lib/python3/dist-packages/openstack/config/loader.py"), "no python3-openstacksdk");
        Write("work/clouds.yaml", """
            clouds:
              c:
                profile: v
                auth: {username: ann, project_name: p, domain_name: D}
                regions: [X, Y]
            """);
        Write("work/secure.yaml", "clouds: {c: {auth: {password: hidden}}}");
        Write("work/clouds-public.yaml", "public-clouds: {v: {auth: {auth_url: 'http://v:5000'}, interface: admin}}");
        const string Script = """
            import openstack.config as c
            r = c.OpenStackConfig().get_one('c', validate=False).config
            a = r['auth']
            print(a['auth_url'], a['username'], a['password'], a['project_name'], a['user_domain_name'],
                  a['project_domain_name'], r['region_name'], r['interface'])
            """;
        var theirs = Command.Run("/usr/bin/python3", ["-c", Script], options => options
            .WorkingDirectory(_directory["work"]).EnvironmentVariable("HOME", _environment["HOME"])
            .EnvironmentVariable("OS_CLIENT_CONFIG_FILE", "")).Result;
        using var ours = Load().Get("c");
        Assert.Equal(
            theirs.StandardOutput.Trim(),
            $"{ours.AuthUrl!.OriginalString} {ours.UserName} {ours.Password!.Reveal()} {ours.ProjectName} "
            + $"{ours.UserDomainName} {ours.ProjectDomainName} {ours.Region} {ours.Interface}");
    }

    private CloudConfiguration Load() => CloudConfiguration.Load(_directory["work"], _environment);

    private string Make(string name) => Directory.CreateDirectory(_directory[name]).FullName;

    private void Write(string name, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_directory[name])!);
        File.WriteAllText(_directory[name], text);
    }
}
