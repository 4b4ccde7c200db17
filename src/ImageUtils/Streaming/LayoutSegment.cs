namespace ImageUtils.Streaming;

/// <summary>A part of a file that is to be sent: a range of the guest's disk, or bytes of the format's.</summary>
/// <param name="HostOffset">Where it lies in the file; what is between segments is zero.</param>
/// <param name="Length">Its length in bytes.</param>
/// <param name="GuestOffset">Where it lies on the guest's disk; -1 for the format's bytes.</param>
/// <param name="Bytes">The format's bytes, valid until the next segment is asked for.</param>
internal readonly record struct LayoutSegment(
    long HostOffset, long Length, long GuestOffset, ReadOnlyMemory<byte> Bytes)
{
    /// <summary>Whether it is a range of the guest's disk.</summary>
    internal bool IsGuest => GuestOffset >= 0;
}
