using ImageUtils.Errors;
using ImageUtils.Inspection;

namespace ImageUtils.Remote;

/// <summary>Addresses on the web: which are used, and how they are shown.</summary>
public static class WebAddress
{
    /// <summary>
    /// What is shown of an address: where it leads, and not its user name, its password and its query, by which
    /// services grant access to whoever knows them.
    /// </summary>
    public static string ToText(Uri uri)
    {
        ArgumentNullException.ThrowIfNull(uri);
        return !uri.IsAbsoluteUri
            ? Printable.Text(uri.OriginalString.Split('?', '#')[0])
            : Printable.Text($"{uri.Scheme}://{uri.Authority}{uri.AbsolutePath}");
    }

    /// <summary>Whether an argument is meant as an address, and not as the name of a file.</summary>
    public static bool IsAddress(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.StartsWith("http://", StringComparison.OrdinalIgnoreCase)
            || text.StartsWith("https://", StringComparison.OrdinalIgnoreCase);
    }

    /// <exception cref="WebAddressException">It is not one of http or https, or has a user or password.</exception>
    internal static void ThrowIfUnusable(Uri uri)
    {
        if (!uri.IsAbsoluteUri || uri.Scheme is not ("http" or "https") || uri.Host.Length == 0)
        {
            throw new WebAddressException(
                WebAddressProblem.NotUsable,
                $"'{ToText(uri)}' is not an address that begins with http:// or https://. Name one; a "
                + "file is named with -Path.");
        }

        if (uri.UserInfo.Length > 0)
        {
            throw new WebAddressException(
                WebAddressProblem.NotUsable,
                $"The address of '{ToText(uri)}' has a user name or password in it, which is not sent. Leave it out; "
                + "what needs one is to be downloaded first.");
        }
    }

    /// <summary>Where a redirection leads.</summary>
    /// <param name="from">The address that was asked.</param>
    /// <param name="location">What it answered; null for nothing.</param>
    /// <exception cref="WebAddressException">It leads nowhere, or where nobody is to be led.</exception>
    internal static Uri Follow(Uri from, Uri? location)
    {
        if (location is null || !Uri.TryCreate(from, location, out var next))
        {
            throw new WebAddressException(
                WebAddressProblem.Redirection, $"'{ToText(from)}' is a redirection that does not say where to.");
        }

        ThrowIfUnusable(next);
        return from.Scheme == "https" && next.Scheme != "https"
            ? throw new WebAddressException(
                WebAddressProblem.Redirection,
                $"'{ToText(from)}' leads on to '{ToText(next)}', where anybody on the way could change what comes. "
                + "Name that address itself if that does not matter.")
            : next;
    }
}
