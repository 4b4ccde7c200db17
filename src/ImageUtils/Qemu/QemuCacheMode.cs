namespace ImageUtils.Qemu;

/// <summary>How qemu-img goes through the host's page cache (its <c>-t</c> and <c>-T</c>).</summary>
public enum QemuCacheMode
{
    /// <summary>Through the page cache; what is written is flushed at the end.</summary>
    Writeback,

    /// <summary>Past the page cache (O_DIRECT), flushed at the end.</summary>
    None,

    /// <summary>Through the page cache, each write flushed.</summary>
    Writethrough,

    /// <summary>Past the page cache, each write flushed.</summary>
    DirectSync,

    /// <summary>Through the page cache, and never flushed: a crash afterwards may lose anything.</summary>
    Unsafe,
}
