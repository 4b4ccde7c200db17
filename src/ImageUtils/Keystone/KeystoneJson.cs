using System.Text.Json.Serialization;

namespace ImageUtils.Keystone;

/// <summary>What Keystone v3 and the other services answer, as far as it is needed. Names are the API's.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(TokenAnswer))]
[JsonSerializable(typeof(ErrorAnswer))]
internal sealed partial class KeystoneJson : JsonSerializerContext;

/// <summary>The answer to <c>POST /v3/auth/tokens</c>.</summary>
internal sealed record TokenAnswer(TokenBody? Token);

internal sealed record TokenBody(
    NamedThing? User,
    NamedThing? Project,
    NamedThing? Domain,
    TokenSystem? System,
    IReadOnlyList<NamedThing>? Roles,
    DateTimeOffset? ExpiresAt,
    DateTimeOffset? IssuedAt,
    IReadOnlyList<CatalogService>? Catalog);

internal sealed record NamedThing(string? Id, string? Name, NamedThing? Domain);

internal sealed record TokenSystem(bool All);

internal sealed record CatalogService(string? Type, string? Name, IReadOnlyList<CatalogEndpoint>? Endpoints);

internal sealed record CatalogEndpoint(string? Interface, string? Region, string? RegionId, string? Url);

/// <summary>What a service of OpenStack says where it refuses.</summary>
internal sealed record ErrorAnswer(ErrorBody? Error);

internal sealed record ErrorBody(string? Message);
