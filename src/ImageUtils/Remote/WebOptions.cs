using System.Net;

namespace ImageUtils.Remote;

/// <summary>How files on the web are read.</summary>
public sealed record WebOptions
{
    /// <summary>What is built in.</summary>
    public static WebOptions Default { get; } = new();

    /// <summary>Whether machines that are not on the public internet may be asked.</summary>
    public bool AllowPrivateAddresses { get; init; }

    /// <summary>
    /// The proxy; null: none, whatever the environment says. It chooses itself which machine it asks, so that
    /// <see cref="AllowPrivateAddresses"/> must be set as well.
    /// </summary>
    public Uri? Proxy { get; init; }

    /// <summary>How long an answer may take to begin.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a range, or the next 256 KiB of a file that is read as a whole, may take to come.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How often a request is made again after a fault that may pass.</summary>
    public int Retries { get; init; } = 3;

    /// <summary>How long is waited before; longer each time.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromSeconds(0.5);

    /// <summary>What an address is instead of public, for tests, which have no public ones.</summary>
    internal Func<IPAddress, string?> WhyNotPublic { get; init; } = PublicInternet.WhyNot;

    /// <summary>Which addresses a name leads to, for tests.</summary>
    internal Func<string, CancellationToken, Task<IPAddress[]>> Resolve { get; init; } = Dns.GetHostAddressesAsync;
}
