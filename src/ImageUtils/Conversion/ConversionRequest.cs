namespace ImageUtils.Conversion;

/// <summary>One conversion that is asked for.</summary>
public sealed record ConversionRequest
{
    /// <summary>The image: a file or block device.</summary>
    public required string SourcePath { get; init; }

    /// <summary>Where the new image goes: a file's name, or a block device that exists.</summary>
    public required string DestinationPath { get; init; }

    /// <summary>What it becomes.</summary>
    public required ImageFormat DestinationFormat { get; init; }

    /// <summary>How the source is opened: what it is claimed to be, what is allowed, which snapshot.</summary>
    public OpenOptions Source { get; init; } = OpenOptions.Default;

    /// <summary>
    /// What the new image is like. <see cref="WriterOptions.VirtualSize"/> is set from the source, or from
    /// <see cref="VirtualSize"/>.
    /// </summary>
    public WriterOptions Target { get; init; } = new() { VirtualSize = 0 };

    /// <summary>The new image's size in bytes, where it is not the source's: cut, or with zeros at the end.</summary>
    public long? VirtualSize { get; init; }

    /// <summary>What does it.</summary>
    public ConversionEngine Engine { get; init; }

    /// <summary>Whether a file that exists may be replaced, once the new one is complete.</summary>
    public bool Overwrite { get; init; }

    /// <summary>
    /// The file that is replaced is the source: its permissions are kept, and nothing else writes it meanwhile.
    /// </summary>
    public bool InPlace { get; init; }

    /// <summary>Whether the guest's data is read back and compared with what was read from the source.</summary>
    public bool Verify { get; init; }

    /// <summary>
    /// Whether an interrupted conversion leaves its partial file and a journal beside it, and goes on from those that
    /// are there, provided that source and options are the same.
    /// </summary>
    public bool Resume { get; init; }

    /// <summary>The most that is written, in bytes a second; null: no limit.</summary>
    public long? BandwidthLimit { get; init; }

    /// <summary>Whether free space is compared with what the image takes before anything is written.</summary>
    public bool CheckSpace { get; init; } = true;

    /// <summary>Whether any change of format is refused (<c>ConversionDisabled</c> of the configuration).</summary>
    public bool ConversionDisabled { get; init; }

    /// <summary>Where temporary files go, where one is needed; null: the system's directory for them.</summary>
    public string? TemporaryDirectory { get; init; }

    /// <summary>How often the journal of a conversion that can be resumed is written.</summary>
    internal TimeSpan CheckpointInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How qemu-img is run where it is: limits, cgroup, elevation, secrets.</summary>
    public QemuSettings Qemu { get; init; } = QemuSettings.Default;
}
