namespace ImageUtils.Cli;

/// <summary>What the process ends with; the worst of all files counts.</summary>
internal static class ExitCode
{
    internal const int Safe = 0;
    internal const int Unacceptable = 1;
    internal const int Error = 2;
}
