using ImageUtils.Inspection;

namespace ImageUtils.Formats.Ova;

/// <summary>What only appliances have.</summary>
/// <param name="Descriptor">The name of the OVF descriptor in the archive.</param>
/// <param name="Entries">The names of the archive's first entries, as many as were looked at.</param>
public sealed record OvaDetails(string Descriptor, IReadOnlyList<string> Entries) : FormatDetails;
