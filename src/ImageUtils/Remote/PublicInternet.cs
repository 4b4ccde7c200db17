using System.Net;
using System.Net.Sockets;

namespace ImageUtils.Remote;

/// <summary>Which network addresses are those of machines on the public internet.</summary>
/// <remarks>
/// IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890): those that are not globally reachable. Of IPv6
/// only global unicast, 2000::/3, is public at all (IANA IPv6 Address Space).
/// </remarks>
internal static class PublicInternet
{
    private static readonly (IPNetwork Network, string Kind)[] s_special =
    [
        (IPNetwork.Parse("0.0.0.0/8"), "an unspecified address"),
        (IPNetwork.Parse("10.0.0.0/8"), "a private address"),
        (IPNetwork.Parse("100.64.0.0/10"), "a provider's private address"),
        (IPNetwork.Parse("127.0.0.0/8"), "a loopback address"),
        (IPNetwork.Parse("169.254.0.0/16"), "a link-local address"),
        (IPNetwork.Parse("172.16.0.0/12"), "a private address"),
        (IPNetwork.Parse("192.0.0.0/24"), "a reserved address"),
        (IPNetwork.Parse("192.0.2.0/24"), "an address for documentation"),
        (IPNetwork.Parse("192.88.99.0/24"), "a reserved address"),
        (IPNetwork.Parse("192.168.0.0/16"), "a private address"),
        (IPNetwork.Parse("198.18.0.0/15"), "an address for benchmarks"),
        (IPNetwork.Parse("198.51.100.0/24"), "an address for documentation"),
        (IPNetwork.Parse("203.0.113.0/24"), "an address for documentation"),
        (IPNetwork.Parse("224.0.0.0/4"), "a multicast address"),
        (IPNetwork.Parse("240.0.0.0/4"), "a reserved address"),
        (IPNetwork.Parse("::/128"), "an unspecified address"),
        (IPNetwork.Parse("::1/128"), "a loopback address"),
        (IPNetwork.Parse("fc00::/7"), "a unique local address"),
        (IPNetwork.Parse("fe80::/10"), "a link-local address"),
        (IPNetwork.Parse("ff00::/8"), "a multicast address"),
        (IPNetwork.Parse("2001::/23"), "a reserved address"),
        (IPNetwork.Parse("2001:db8::/32"), "an address for documentation"),
        (IPNetwork.Parse("2002::/16"), "an IPv4 address in IPv6"),
        (IPNetwork.Parse("3fff::/20"), "an address for documentation"),
    ];

    private static readonly IPNetwork s_globalUnicast = IPNetwork.Parse("2000::/3");

    // RFC 6052: how networks without IPv4 reach what has nothing else. The last four bytes are its address.
    private static readonly IPNetwork s_translated = IPNetwork.Parse("64:ff9b::/96");

    /// <summary>What an address is instead of public, in words; null where it is public.</summary>
    internal static string? WhyNot(IPAddress address)
    {
        // Whatever it is mapped to: no public machine is reached by one.
        if (address.IsIPv4MappedToIPv6)
        {
            return "an IPv4 address in IPv6";
        }

        if (Array.Find(s_special, one => one.Network.Contains(address)) is { Kind: { } kind })
        {
            return kind;
        }

        return address.AddressFamily switch
        {
            AddressFamily.InterNetwork => null,
            AddressFamily.InterNetworkV6 when s_translated.Contains(address) =>
                WhyNot(new IPAddress(address.GetAddressBytes().AsSpan(12))),
            AddressFamily.InterNetworkV6 when s_globalUnicast.Contains(address) => null,
            _ => "a reserved address",
        };
    }
}
