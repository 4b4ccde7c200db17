namespace ImageUtils.Builders;

/// <summary>One image of the corpus, with what must be said of it under the default policy.</summary>
/// <param name="Name">Unique, such as <c>qcow2/backing-file</c>.</param>
/// <param name="Format">The format's name, in lower case.</param>
/// <param name="FailedChecks">The names of the checks that must fail, no more and no fewer; none: it is safe.</param>
/// <param name="Bytes">Makes the image.</param>
public sealed record CorpusCase(string Name, string Format, string[] FailedChecks, Func<byte[]> Bytes)
{
    public override string ToString() => Name;
}
