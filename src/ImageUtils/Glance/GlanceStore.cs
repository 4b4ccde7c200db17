namespace ImageUtils.Glance;

/// <summary>A store of Glance.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Description">What its operator says of it.</param>
/// <param name="IsDefault">Whether it takes what names no store.</param>
/// <param name="IsReadOnly">Whether nothing can be written to it.</param>
/// <param name="Type">Its kind, such as <c>file</c> or <c>rbd</c>; null where Glance does not tell.</param>
public sealed record GlanceStore(string Id, string? Description, bool IsDefault, bool IsReadOnly, string? Type)
{
    /// <inheritdoc/>
    public override string ToString() => Id;
}
