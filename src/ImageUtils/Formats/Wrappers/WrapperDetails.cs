using ImageUtils.Inspection;

namespace ImageUtils.Formats.Wrappers;

/// <summary>What only a compressed file or archive has.</summary>
/// <param name="ContentName">
/// The name of the file inside, as the header has it (gzip), or of the first one (zip, lha); null where there is none.
/// </param>
public sealed record WrapperDetails(string? ContentName) : FormatDetails;
