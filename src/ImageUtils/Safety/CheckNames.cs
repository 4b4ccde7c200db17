namespace ImageUtils.Safety;

/// <summary>The names of the safety checks. Those that oslo.utils' format_inspector has too bear its names.</summary>
public static class CheckNames
{
    /// <summary>Prefix of the checks of an image inside another (LUKS).</summary>
    public const string InnerPrefix = "inner_";

    /// <summary>A declared check that always passes: the format has nothing to check.</summary>
    public const string Null = "null";

    /// <summary>A declared check that always fails: the format is recognised in order to be refused.</summary>
    public const string Banned = "banned";

    /// <summary>qcow2, qcow, qed: no backing file.</summary>
    public const string BackingFile = "backing_file";

    /// <summary>qcow2: no external data file.</summary>
    public const string DataFile = "data_file";

    /// <summary>Known version and feature bits only.</summary>
    public const string UnknownFeatures = "unknown_features";

    /// <summary>VMDK: the descriptor is there, is understood whole, and its createType is allowed.</summary>
    public const string Descriptor = "descriptor";

    /// <summary>VMDK: footer and header agree.</summary>
    public const string Footer = "footer";

    /// <summary>VMDK: no extent names another file. OVA: no member's name leads out of its directory.</summary>
    public const string Extents = "extents";

    /// <summary>GPT and MBR: the boot record's partition entries are sound.</summary>
    public const string Mbr = "mbr";

    /// <summary>LUKS, QED, parallels, VHD and others: a version that is supported.</summary>
    public const string Version = "version";

    /// <summary>LUKS: the passphrase, where one is given, opens the volume.</summary>
    public const string Passphrase = "passphrase";

    /// <summary>LUKS: what is inside is safe.</summary>
    public const string InnerSafety = "inner_safety";

    /// <summary>VHD, VHDX, VDI: no parent.</summary>
    public const string Parent = "parent";

    /// <summary>Checksums of headers and of their copies hold, and the copies agree.</summary>
    public const string Checksum = "checksum";

    /// <summary>VHDX: no log that must be replayed first.</summary>
    public const string LogPending = "log_pending";

    /// <summary>VHD: no change of its size or parent was begun and not finished.</summary>
    public const string ChangePending = "change_pending";

    /// <summary>The file holds all that its header promises.</summary>
    public const string Truncated = "truncated";

    /// <summary>Tables lie inside the file, do not overlap the header, and are of sane size.</summary>
    public const string Tables = "tables";

    /// <summary>Exactly one format matches, and qemu would see no other.</summary>
    public const string Ambiguous = "ambiguous";

    /// <summary>Virtual size, and its ratio to the file, are within the policy's limits.</summary>
    public const string Expansion = "expansion";

    /// <summary>The policy allows the format.</summary>
    public const string Format = "format";
}
