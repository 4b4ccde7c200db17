namespace ImageUtils;

/// <summary>
/// A disk image format, or a claim about one. <see cref="Ami"/>, <see cref="Ari"/> and <see cref="Aki"/> are names
/// that Glance accepts as a claim; inspection never finds them.
/// </summary>
/// <remarks>Names and aliases in text are the business of <see cref="ImageFormatNames"/>.</remarks>
public enum ImageFormat
{
    /// <summary>Not stated.</summary>
    Unknown = 0,

    /// <summary>No known structure: the bytes are the disk.</summary>
    Raw,

    /// <summary>QEMU copy-on-write, version 1.</summary>
    Qcow,

    /// <summary>QEMU copy-on-write, versions 2 and 3.</summary>
    Qcow2,

    /// <summary>QEMU enhanced disk.</summary>
    Qed,

    /// <summary>Virtual Hard Disk; qemu calls it vpc.</summary>
    Vhd,

    /// <summary>Virtual Hard Disk version 2 (MS-VHDX).</summary>
    Vhdx,

    /// <summary>VMware virtual disk, every createType.</summary>
    Vmdk,

    /// <summary>VirtualBox disk image.</summary>
    Vdi,

    /// <summary>Parallels expanding disk; Virtuozzo's ploop uses the same file; qemu calls it parallels.</summary>
    Ploop,

    /// <summary>Linux Unified Key Setup, versions 1 and 2.</summary>
    Luks,

    /// <summary>Optical disc image: ISO 9660 or UDF.</summary>
    Iso,

    /// <summary>A raw disk with a GUID partition table.</summary>
    Gpt,

    /// <summary>A raw disk with a master boot record.</summary>
    Mbr,

    /// <summary>Apple disk image (UDIF, <c>koly</c> trailer).</summary>
    Dmg,

    /// <summary>Open Virtual Appliance: a tar whose first entry is an OVF descriptor.</summary>
    Ova,

    /// <summary>Bochs growing image.</summary>
    Bochs,

    /// <summary>Linux compressed loop image.</summary>
    Cloop,

    /// <summary>A gzip stream around something else.</summary>
    Gzip,

    /// <summary>An xz stream around something else.</summary>
    Xz,

    /// <summary>A bzip2 stream around something else.</summary>
    Bzip2,

    /// <summary>A Zstandard frame around something else.</summary>
    Zstd,

    /// <summary>A zip archive.</summary>
    Zip,

    /// <summary>An LHA archive.</summary>
    Lha,

    /// <summary>Amazon machine image, as Glance names it: any content.</summary>
    Ami,

    /// <summary>Amazon ramdisk image, as Glance names it: any content.</summary>
    Ari,

    /// <summary>Amazon kernel image, as Glance names it: any content.</summary>
    Aki,
}
