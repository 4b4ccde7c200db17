namespace ImageUtils.Errors;

/// <summary>Something is compressed with Zstandard, or should be, and there is no library for it.</summary>
public sealed class ZstdMissingException() : ImageUtilsException(
    "Zstandard (zstd) needs the library libzstd.so.1, which was not found. Install it (Debian and Ubuntu: libzstd1; "
    + "Fedora and RHEL: libzstd), or use compression type zlib.")
{
    /// <inheritdoc/>
    public override string ErrorId => "ZstdMissing";
}
