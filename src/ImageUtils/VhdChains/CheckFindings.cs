namespace ImageUtils.VhdChains;

/// <summary>Collects what a check finds; of many problems the first are kept, and all are counted.</summary>
internal sealed class CheckFindings
{
    private const int MostKept = 100;

    private readonly HashSet<string> _problems = new(StringComparer.Ordinal);
    private readonly List<string> _kept = [];
    private readonly List<string> _warnings = [];

    internal IReadOnlyList<string> Problems => _kept;

    internal IReadOnlyList<string> Warnings => _warnings;

    internal long ProblemCount { get; private set; }

    internal long Blocks { get; set; }

    internal void AddProblem(string? problem)
    {
        if (problem is null || (_problems.Count < MostKept ? !_problems.Add(problem) : _problems.Contains(problem)))
        {
            return;
        }

        ProblemCount++;
        if (_kept.Count < MostKept)
        {
            _kept.Add(problem);
        }
    }

    internal void AddWarning(string warning) => _warnings.Add(warning);
}
