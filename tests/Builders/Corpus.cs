namespace ImageUtils.Builders;

/// <summary>Every valid and hostile image, format by format. Each format's cases are made in its own file.</summary>
public static class Corpus
{
    public static IReadOnlyList<CorpusCase> All { get; } =
    [
        .. Qcow2Cases.All,
        .. VhdCases.All,
        .. VhdxCases.All,
        .. VdiCases.All,
        .. VmdkCases.All,
        .. LuksCases.All,
        .. PartitionTableCases.All,
        .. IsoCases.All,
        .. WrapperCases.All,
        .. QcowCases.All,
        .. QedCases.All,
        .. ParallelsCases.All,
        .. DmgCases.All,
        .. OvaCases.All,
        .. BochsCases.All,
        .. CloopCases.All,
    ];
}
