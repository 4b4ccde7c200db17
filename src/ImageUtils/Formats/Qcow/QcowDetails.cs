using ImageUtils.Inspection;

namespace ImageUtils.Formats.Qcow;

/// <summary>What only qcow version 1 has.</summary>
/// <param name="EncryptionFormat">How the guest's data is encrypted (<c>aes</c>); null where it is not.</param>
public sealed record QcowDetails(string? EncryptionFormat) : FormatDetails;
