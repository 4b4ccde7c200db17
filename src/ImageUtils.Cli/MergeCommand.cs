using System.CommandLine;
using ImageUtils.Conversion;
using ImageUtils.VhdChains;

namespace ImageUtils.Cli;

/// <summary><c>imageutils merge</c>: the disks of a VHD chain into the one below them, in place.</summary>
internal sealed class MergeCommand
{
    private readonly Argument<string> _leaf = new("LEAF") { Description = "The topmost disk of the chain." };

    private readonly Option<int?> _depth = new("--depth")
    {
        Description = "How many disks below the leaf the one is that is merged into; without it the base.",
        HelpName = "N",
    };

    private readonly Option<string[]> _allowBacking = new("--allow-backing")
    {
        Description = "A directory, beside the leaf's own, below which parents may lie.",
        HelpName = "DIRECTORY",
    };

    private readonly Option<bool> _keep = new("--keep-children") { Description = "Leave the merged disks in place." };

    private readonly Option<bool> _verify = new("--verify") { Description = "Compare the result with what the leaf was." };

    private readonly Option<bool> _force = new("--force")
    {
        Description = "Merge although other disks depend on one that changes or goes.",
    };

    private readonly Option<bool> _progress = new("-p", "--progress") { Description = "Show how far it is." };

    internal static Command Create()
    {
        var self = new MergeCommand();
        var command = new Command(
            "merge", "Merge the disks of a VHD chain into their base, in place. Interrupted, the same command finishes it.")
        {
            self._leaf, self._depth, self._allowBacking, self._keep, self._verify, self._force, self._progress,
        };
        command.SetAction((parsed, token) => CommandErrors.RunAsync(() => self.RunAsync(parsed, token)));
        return command;
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var leaf = parsed.GetValue(_leaf)!;
        if (await VhdMerger.TryFinishAsync(leaf, cancellationToken).ConfigureAwait(false) is not null)
        {
            return ExitCode.Safe;
        }

        var options = new OpenOptions
        {
            Inspection = SourceOptions.Allowing(parsed.GetValue(_allowBacking) ?? []),
        };
        var chain = await VhdChainFinder.FindAsync(leaf, options, cancellationToken).ConfigureAwait(false);
        var directories = chain.Links.Select(link => Path.GetDirectoryName(link.Path)!).Distinct();
        using var progress = new ProgressLine(parsed.GetValue(_progress));
        await VhdMerger.MergeAsync(
            new VhdMergeRequest
            {
                Chain = chain,
                Into = parsed.GetValue(_depth),
                Source = options with { Inspection = SourceOptions.Allowing([.. directories]) },
                KeepChildren = parsed.GetValue(_keep),
                Force = parsed.GetValue(_force),
                Verify = parsed.GetValue(_verify),
            },
            progress,
            cancellationToken).ConfigureAwait(false);
        return ExitCode.Safe;
    }
}
