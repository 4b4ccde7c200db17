using System.Globalization;
using ImageUtils.Errors;
using ImageUtils.Inspection;

namespace ImageUtils.Keystone;

/// <summary>A cloud's map as settings, with the older names that openstacksdk still takes.</summary>
internal sealed class CloudSettingsReader
{
    private const string OverrideSuffix = "_endpoint_override";

    private readonly CloudMap _values = [];
    private readonly string _cloud;

    private CloudSettingsReader(CloudMap cloud, string name)
    {
        _cloud = name;
        // A key is looked for in auth and beside it; - and _ are the same; auth goes before.
        foreach (var source in (CloudMap?[])[cloud, cloud.GetMap("auth")])
        {
            foreach (var (key, value) in source ?? [])
            {
                _values[key.Replace('-', '_').ToLowerInvariant()] = value;
            }
        }
    }

    /// <exception cref="CloudConfigurationException">A setting has a value that it cannot have.</exception>
    internal static CloudSettings Read(CloudMap cloud, string name) => new CloudSettingsReader(cloud, name).Read();

    private CloudSettings Read()
    {
        var settings = new CloudSettings
        {
            AuthUrl = GetUri("auth_url"),
            UserName = Get("username", "user_name"),
            UserId = Get("user_id"),
            UserDomainName = Get("user_domain_name"),
            UserDomainId = Get("user_domain_id"),
            Password = GetSecret("password"),
            Token = GetSecret("token", "auth_token"),
            ApplicationCredentialId = Get("application_credential_id"),
            ApplicationCredentialName = Get("application_credential_name"),
            ApplicationCredentialSecret = GetSecret("application_credential_secret"),
            ProjectName = Get("project_name", "tenant_name"),
            ProjectId = Get("project_id", "tenant_id"),
            ProjectDomainName = Get("project_domain_name"),
            ProjectDomainId = Get("project_domain_id"),
            DomainName = Get("domain_name"),
            DomainId = Get("domain_id"),
            Region = Get("region_name"),
            Interface = Get("image_interface", "interface", "endpoint_type") ?? "public",
            CaFile = GetCaFile(),
        };
        if (Get("cert") is not null)
        {
            settings.Warnings.Add("A client's certificate (cert) is not used.");
        }

        // openstacksdk takes a domain for the user's and the project's, where a project is named.
        if ((settings.ProjectId ?? settings.ProjectName) is not null)
        {
            settings.UserDomainName ??= settings.UserDomainId is null ? settings.DomainName : null;
            settings.UserDomainId ??= settings.UserDomainName is null ? settings.DomainId : null;
            settings.ProjectDomainName ??= settings.ProjectDomainId is null ? settings.DomainName : null;
            settings.ProjectDomainId ??= settings.ProjectDomainName is null ? settings.DomainId : null;
            settings.DomainName = settings.DomainId = null;
        }

        // A domain for all that name none.
        settings.UserDomainName ??= settings.UserDomainId is null ? Get("default_domain_name") : null;
        settings.UserDomainId ??= settings.UserDomainName is null ? Get("default_domain_id", "default_domain") : null;
        settings.ProjectDomainName ??= settings.ProjectDomainId is null ? Get("default_domain_name") : null;
        settings.ProjectDomainId ??=
            settings.ProjectDomainName is null ? Get("default_domain_id", "default_domain") : null;
        settings.IsSystemScope = Get("system_scope") is { } scope && (scope == "all" ? true : throw ToInvalid(
            "system_scope", "all"));
        settings.Method = GetMethod(settings);
        ReadEndpoints(settings);
        ReadTimes(settings);
        if (IsTrue("insecure") || Get("verify") is { } verify && IsFalse(verify))
        {
            settings.Warnings.Add($"The cloud '{Printable.Text(_cloud)}' asks not to check certificates. They are "
                + "checked, unless -SkipCertificateCheck is given.");
        }

        return settings;
    }

    private static bool IsFalse(string text) => text.ToLowerInvariant() is "false" or "no" or "off" or "0";

    private KeystoneMethod GetMethod(CloudSettings settings)
    {
        var type = Get("auth_type", "auth_plugin");
        return type switch
        {
            null or "password" when type is null && settings.Token is not null && settings.Password is null =>
                settings.AuthUrl is null ? KeystoneMethod.FixedToken : KeystoneMethod.Token,
            null when settings.ApplicationCredentialSecret is not null => KeystoneMethod.ApplicationCredential,
            null when settings.AuthUrl is null && Get("endpoint", "url") is not null => KeystoneMethod.None,
            null or "password" or "v3password" => KeystoneMethod.Password,
            "token" or "v3token" => KeystoneMethod.Token,
            "v3applicationcredential" => KeystoneMethod.ApplicationCredential,
            "admin_token" or "token_endpoint" => KeystoneMethod.FixedToken,
            "none" or "None" => KeystoneMethod.None,
            _ => throw new CloudConfigurationException(
                CloudConfigurationProblem.UnsupportedMethod, _cloud,
                $"The cloud '{Printable.Text(_cloud)}' authenticates by '{Printable.Text(type)}', which is not "
                + "supported. Use password, token, v3applicationcredential, admin_token or none."),
        };
    }

    private void ReadEndpoints(CloudSettings settings)
    {
        foreach (var key in _values.Keys.Where(key => key.EndsWith(OverrideSuffix, StringComparison.Ordinal)))
        {
            if (GetUri(key) is { } uri)
            {
                settings.EndpointOverrides[key[..^OverrideSuffix.Length].Replace('_', '-')] = uri;
            }
        }

        // Without a catalogue the endpoint is the service's own.
        if (settings.Method is KeystoneMethod.None or KeystoneMethod.FixedToken
            && GetUri("endpoint", "url") is { } endpoint)
        {
            settings.EndpointOverrides.TryAdd("image", endpoint);
        }
    }

    private void ReadTimes(CloudSettings settings)
    {
        if (Get("api_timeout", "timeout") is { } text)
        {
            settings.Timeout = double.TryParse(text, CultureInfo.InvariantCulture, out var seconds)
                && seconds is > 0 and < 86400
                ? TimeSpan.FromSeconds(seconds)
                : throw ToInvalid("api_timeout", "a number of seconds");
        }
    }

    private string? GetCaFile()
    {
        var file = Get("cacert") ?? (Get("verify") is { } verify && verify.Contains('/') ? verify : null);
        return file is { Length: > 1 } && file[0] == '~' && file[1] is '/' or '\\'
            ? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), file[2..])
            : file;
    }

    private string? Get(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (_values.GetText(name) is { } text)
            {
                return text;
            }
        }

        return null;
    }

    private Secret? GetSecret(params ReadOnlySpan<string> names) => Get(names) is { } text ? new Secret(text) : null;

    private bool IsTrue(string name) => Get(name)?.ToLowerInvariant() is "true" or "yes" or "on" or "1";

    private Uri? GetUri(params ReadOnlySpan<string> names)
    {
        if (Get(names) is not { } text)
        {
            return null;
        }

        return ServiceUri.TryParse(text) ?? throw ToInvalid(
            names[0], "an http or https address without a user name, such as https://cloud.example:5000/v3");
    }

    // The value itself stays out of it: it may be a secret in the wrong place.
    private CloudConfigurationException ToInvalid(string setting, string expected) => new(
        CloudConfigurationProblem.InvalidValue, setting,
        $"{setting} of the cloud '{Printable.Text(_cloud)}' should be {expected}. Correct it.");
}
