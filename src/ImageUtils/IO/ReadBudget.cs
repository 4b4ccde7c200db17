using ImageUtils.Errors;

namespace ImageUtils.IO;

/// <summary>A limit on the bytes that one format's inspection may read.</summary>
/// <param name="limit">The most that may be taken, in bytes.</param>
public sealed class ReadBudget(long limit)
{
    private long _taken;

    /// <summary>What has been taken so far, in bytes.</summary>
    public long Taken => _taken;

    /// <summary>Takes <paramref name="length"/> bytes.</summary>
    /// <exception cref="ReadBudgetException">That would be more than the limit.</exception>
    public void Take(long length)
    {
        if (_taken + length > limit)
        {
            throw new ReadBudgetException(limit);
        }

        _taken += length;
    }

    /// <summary>Raises the limit, for one known structure that is larger than an inspection's usual share.</summary>
    public void Grant(long length) => limit += length;
}
