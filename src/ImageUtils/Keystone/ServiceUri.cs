namespace ImageUtils.Keystone;

/// <summary>Addresses of services.</summary>
internal static class ServiceUri
{
    /// <summary>
    /// An address that a credential may be sent to: http or https, and no user name or password in it, which every
    /// error would print. Null where it is none.
    /// </summary>
    internal static Uri? TryParse(string text) => Uri.TryCreate(text, UriKind.Absolute, out var uri) && IsUsable(uri)
        ? uri
        : null;

    internal static bool IsUsable(Uri uri) => uri is
    { IsAbsoluteUri: true, Scheme: "http" or "https", UserInfo: "", Query: "", Fragment: "" };

    /// <summary>Keystone's v3, whatever version or none the address names.</summary>
    internal static Uri ToIdentityRoot(Uri uri) => Combine(WithoutVersion(uri), "v3/");

    /// <summary>A service's address without the version that catalogues put there, ending in a slash.</summary>
    internal static Uri WithoutVersion(Uri uri)
    {
        var path = uri.AbsolutePath.TrimEnd('/');
        var last = path[(path.LastIndexOf('/') + 1)..];
        if (last.Length is >= 2 and <= 5 && last[0] == 'v' && char.IsAsciiDigit(last[1])
            && last.Skip(1).All(letter => char.IsAsciiDigit(letter) || letter == '.'))
        {
            path = path[..^last.Length].TrimEnd('/');
        }

        return new UriBuilder(uri) { Path = path + "/", Query = "", Fragment = "" }.Uri;
    }

    /// <summary>An address under a root, which ends in a slash.</summary>
    /// <exception cref="ArgumentException">It leads away from the root's machine; a token would go along.</exception>
    internal static Uri Combine(Uri root, string relative)
    {
        var uri = new Uri(root, relative.TrimStart('/'));
        return uri.GetLeftPart(UriPartial.Authority) == root.GetLeftPart(UriPartial.Authority)
            ? uri
            : throw new ArgumentException($"'{relative}' is not under {root}.", nameof(relative));
    }
}
