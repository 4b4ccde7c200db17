namespace ImageUtils.Mapping;

/// <summary>
/// Makes one of neighbours that continue each other, as a walk comes upon them. Keep it in a local variable that is
/// not readonly: it changes.
/// </summary>
internal struct ExtentMerger
{
    private Extent _pending;

    /// <summary>Takes the next extent of the walk.</summary>
    /// <param name="next">It, of at least one byte.</param>
    /// <param name="whole">The one that it does not continue, and which is complete by that.</param>
    /// <returns>Whether there is such a one.</returns>
    internal bool Add(in Extent next, out Extent whole)
    {
        whole = _pending;
        if (whole.Length > 0 && whole.IsContinuedBy(next))
        {
            _pending = whole.Extend(next.Length);
            return false;
        }

        _pending = next;
        return whole.Length > 0;
    }

    /// <summary>Ends the walk.</summary>
    /// <param name="whole">What was taken last.</param>
    /// <returns>Whether anything was taken.</returns>
    internal readonly bool Finish(out Extent whole)
    {
        whole = _pending;
        return whole.Length > 0;
    }
}
