using ImageUtils.Inspection;

namespace ImageUtils.Qemu;

/// <summary>What qemu-img says under <c>format-specific</c>, of a format that has no type of its own here.</summary>
public sealed record QemuFormatDetails : FormatDetails
{
    /// <summary>qemu's name for the kind of data, such as <c>vmdk</c>.</summary>
    public required string Type { get; init; }

    /// <summary>
    /// The fields by qemu's names, such as <c>create-type</c>. A value is a string, <see cref="long"/>,
    /// <see cref="double"/>, <see cref="bool"/> or null, a list of values, or a dictionary like this one.
    /// </summary>
    /// <remarks>From the human text, what looks like a number is one: it does not say what was meant.</remarks>
    public IReadOnlyDictionary<string, object?> Data { get; init; } = new Dictionary<string, object?>();
}
