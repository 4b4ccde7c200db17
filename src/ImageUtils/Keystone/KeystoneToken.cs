namespace ImageUtils.Keystone;

/// <summary>A token, what it is good for, and until when by this machine's clock.</summary>
internal sealed class KeystoneToken(Secret value, TokenBody? body, DateTimeOffset received)
{
    internal Secret Value => value;

    internal TokenBody? Body => body;

    /// <summary>
    /// When it expires: its life is counted from when it was received, so that a clock that is wrong does no harm. Null
    /// where it is not known.
    /// </summary>
    internal DateTimeOffset? Expires => body?.ExpiresAt is { } expires
        ? received + (expires - (body.IssuedAt ?? received))
        : null;

    /// <summary>When to ask for another: two minutes before, or a quarter of its life.</summary>
    internal bool IsToBeRenewed(DateTimeOffset now) => Expires is { } expires
        && now >= expires - TimeSpan.FromTicks(Math.Min(TimeSpan.FromMinutes(2).Ticks, (expires - received).Ticks / 4));

    /// <inheritdoc/>
    public override string ToString() => "(token)";
}
