using ImageUtils.Inspection;

namespace ImageUtils.Formats.Iso;

/// <summary>What only an optical disc has.</summary>
public sealed record IsoDetails : FormatDetails
{
    /// <summary>The size of the ISO 9660 volume in bytes; null where there is none.</summary>
    public long? VolumeSize { get; init; }

    /// <summary>The size of a logical block in bytes; null where there is no ISO 9660 volume.</summary>
    public int? BlockSize { get; init; }

    /// <summary>The volume's name.</summary>
    public string? VolumeId { get; init; }

    /// <summary>The system that the volume is meant for.</summary>
    public string? SystemId { get; init; }

    /// <summary>Who made the volume's content.</summary>
    public string? PublisherId { get; init; }

    /// <summary>What made the volume.</summary>
    public string? ApplicationId { get; init; }

    /// <summary>Whether there is an El Torito boot record.</summary>
    public bool IsBootable { get; init; }

    /// <summary>Whether there is a second directory tree with Unicode names.</summary>
    public bool IsJoliet { get; init; }

    /// <summary>Whether there is a UDF volume.</summary>
    public bool IsUdf { get; init; }

    /// <summary>The UDF volume's standard, <c>NSR02</c> (ECMA-167, 2nd edition) or <c>NSR03</c> (3rd).</summary>
    public string? UdfDescriptor { get; init; }
}
