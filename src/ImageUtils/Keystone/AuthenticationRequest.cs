using System.Buffers;
using System.Text.Json;
using ImageUtils.Errors;

namespace ImageUtils.Keystone;

/// <summary>
/// The body of <c>POST /v3/auth/tokens</c>: Identity API v3, "Password", "Token" and "Application credential".
/// </summary>
internal static class AuthenticationRequest
{
    /// <summary>Fails where the settings are not enough to authenticate.</summary>
    /// <exception cref="CloudConfigurationException">One that is needed is missing.</exception>
    internal static void ThrowIfIncomplete(CloudSettings settings)
    {
        var who = settings.ToString();
        if (settings.AuthUrl is null)
        {
            throw Missing("auth_url");
        }

        switch (settings.Method)
        {
            case KeystoneMethod.Password:
                _ = settings.UserId ?? settings.UserName ?? throw Missing("username or user_id");
                ThrowIfEmpty(settings.Password, "password");
                ThrowIfNoDomain(settings.UserId, settings.UserDomainId ?? settings.UserDomainName, "user_domain_name");
                break;
            case KeystoneMethod.Token:
                ThrowIfEmpty(settings.Token, "token");
                break;
            case KeystoneMethod.ApplicationCredential:
                ThrowIfEmpty(settings.ApplicationCredentialSecret, "application_credential_secret");
                if (settings.ApplicationCredentialId is null)
                {
                    _ = settings.ApplicationCredentialName
                        ?? throw Missing("application_credential_id or application_credential_name");
                    _ = settings.UserId ?? settings.UserName
                        ?? throw Missing("username or user_id, which an application credential's name needs");
                    ThrowIfNoDomain(
                        settings.UserId, settings.UserDomainId ?? settings.UserDomainName, "user_domain_name");
                }

                break;
        }

        if (settings.ProjectName is not null)
        {
            ThrowIfNoDomain(
                settings.ProjectId, settings.ProjectDomainId ?? settings.ProjectDomainName, "project_domain_name");
        }

        void ThrowIfEmpty(Secret? secret, string setting)
        {
            if (secret is null or { IsEmpty: true })
            {
                throw Missing(setting);
            }
        }

        void ThrowIfNoDomain(string? id, string? domain, string setting)
        {
            if (id is null && domain is null)
            {
                throw Missing(setting);
            }
        }

        CloudConfigurationException Missing(string setting) => new(
            CloudConfigurationProblem.SettingMissing, setting, $"{who} has no {setting}. Add it.");
    }

    /// <summary>The body in UTF-8, which has the secret in it: whoever gets it zeroes it.</summary>
    internal static byte[] Write(CloudSettings settings)
    {
        // Large enough that it never grows and leaves a copy behind.
        var buffer = new ArrayBufferWriter<byte>(16384 + (6 * SecretLength(settings)));
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteStartObject("auth");
            WriteIdentity(json, settings);
            WriteScope(json, settings);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        var body = buffer.WrittenSpan.ToArray();
        // This zeroes it.
        buffer.Clear();
        return body;
    }

    private static int SecretLength(CloudSettings settings) =>
        (settings.Password?.Utf8.Length ?? 0) + (settings.Token?.Utf8.Length ?? 0)
        + (settings.ApplicationCredentialSecret?.Utf8.Length ?? 0);

    private static void WriteIdentity(Utf8JsonWriter json, CloudSettings settings)
    {
        json.WriteStartObject("identity");
        var method = settings.Method switch
        {
            KeystoneMethod.Password => "password",
            KeystoneMethod.Token => "token",
            _ => "application_credential",
        };
        json.WriteStartArray("methods");
        json.WriteStringValue(method);
        json.WriteEndArray();
        json.WriteStartObject(method);
        switch (settings.Method)
        {
            case KeystoneMethod.Password:
                json.WriteStartObject("user");
                WriteNamed(
                    json, settings.UserId, settings.UserName, settings.UserDomainId, settings.UserDomainName);
                json.WriteString("password", settings.Password!.Utf8);
                json.WriteEndObject();
                break;
            case KeystoneMethod.Token:
                json.WriteString("id", settings.Token!.Utf8);
                break;
            default:
                if (settings.ApplicationCredentialId is { } id)
                {
                    json.WriteString("id", id);
                }
                else
                {
                    json.WriteString("name", settings.ApplicationCredentialName);
                    json.WriteStartObject("user");
                    WriteNamed(
                        json, settings.UserId, settings.UserName, settings.UserDomainId, settings.UserDomainName);
                    json.WriteEndObject();
                }

                json.WriteString("secret", settings.ApplicationCredentialSecret!.Utf8);
                break;
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteScope(Utf8JsonWriter json, CloudSettings settings)
    {
        // An application credential has a project of its own, and Keystone takes no other.
        if (settings.Method == KeystoneMethod.ApplicationCredential || !settings.HasScope)
        {
            return;
        }

        json.WriteStartObject("scope");
        if (settings.IsSystemScope)
        {
            json.WriteStartObject("system");
            json.WriteBoolean("all", true);
            json.WriteEndObject();
        }
        else if ((settings.ProjectId ?? settings.ProjectName) is not null)
        {
            json.WriteStartObject("project");
            WriteNamed(
                json, settings.ProjectId, settings.ProjectName, settings.ProjectDomainId, settings.ProjectDomainName);
            json.WriteEndObject();
        }
        else
        {
            WriteIdOrName(json, "domain", settings.DomainId, settings.DomainName);
        }

        json.WriteEndObject();
    }

    private static void WriteNamed(Utf8JsonWriter json, string? id, string? name, string? domainId, string? domainName)
    {
        if (id is not null)
        {
            json.WriteString("id", id);
            return;
        }

        json.WriteString("name", name);
        WriteIdOrName(json, "domain", domainId, domainName);
    }

    private static void WriteIdOrName(Utf8JsonWriter json, string property, string? id, string? name)
    {
        json.WriteStartObject(property);
        json.WriteString(id is null ? "name" : "id", id ?? name);
        json.WriteEndObject();
    }
}
