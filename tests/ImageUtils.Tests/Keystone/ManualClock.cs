namespace ImageUtils.Tests.Keystone;

/// <summary>The real clock, put forward by hand.</summary>
internal sealed class ManualClock : TimeProvider
{
    public TimeSpan Ahead { get; set; }

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Ahead;
}
