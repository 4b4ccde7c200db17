using ImageUtils.Errors;
using ImageUtils.Inspection;

namespace ImageUtils.Keystone;

/// <summary>The endpoints that came with a token.</summary>
internal static class ServiceCatalog
{
    /// <summary>A service's address without a version, and the region that it is in.</summary>
    /// <param name="catalog">The catalogue; null where the token has none.</param>
    /// <param name="serviceType">The service's type, such as <c>image</c>.</param>
    /// <param name="interfaceName">public, internal or admin, with or without <c>URL</c> at its end.</param>
    /// <param name="region">The region; null takes the first.</param>
    /// <exception cref="EndpointNotFoundException">There is none.</exception>
    internal static (Uri Endpoint, string? Region) Find(
        IReadOnlyList<CatalogService>? catalog, string serviceType, string interfaceName, string? region)
    {
        var wanted = interfaceName.EndsWith("URL", StringComparison.Ordinal) ? interfaceName[..^3] : interfaceName;
        var ofService = (catalog ?? []).Where(service => service.Type == serviceType)
            .SelectMany(service => service.Endpoints ?? []).ToList();
        var found = ofService.FirstOrDefault(endpoint =>
            endpoint.Interface == wanted && (region is null || RegionOf(endpoint) == region));
        if (found is null)
        {
            var there = catalog is null
                ? "The token has no catalogue: name a project, a domain or the system, or an endpoint."
                : ofService.Count == 0
                    ? "It has these services: "
                        + $"{Printable.Text(string.Join(", ", catalog.Select(service => service.Type).Order()))}."
                    : "It has: " + Printable.Text(string.Join(", ", ofService.Select(endpoint =>
                        $"{endpoint.Interface} in {RegionOf(endpoint)}"))) + ".";
            throw new EndpointNotFoundException(
                serviceType,
                $"The catalogue has no {serviceType} endpoint for the interface '{Printable.Text(wanted)}'"
                + (region is null ? "" : $" in the region '{Printable.Text(region)}'") + $". {there}");
        }

        return (ServiceUri.TryParse(found.Url ?? "") is { } uri
            ? ServiceUri.WithoutVersion(uri)
            : throw new EndpointNotFoundException(
                serviceType,
                $"The catalogue's {serviceType} endpoint in {RegionOf(found)} is no http or https address. Have it "
                + "corrected, or name the endpoint."), RegionOf(found));
    }

    private static string? RegionOf(CatalogEndpoint endpoint) => endpoint.RegionId ?? endpoint.Region;
}
