using System.Collections.Concurrent;
using System.Globalization;
using System.Management.Automation;
using ImageUtils.PowerShell.Bases;
using ImageUtils.VhdChains;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Sets the disks of a chain of VHDs right.</summary>
[Cmdlet(VerbsDiagnostic.Repair, "VhdChain", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(VhdRepairResult))]
public sealed class RepairVhdChainCommand : VhdCmdlet<IReadOnlyList<string>>
{
    private readonly List<string> _paths = [];

    /// <inheritdoc/>
    protected override bool MayWorkBeside => false;

    /// <inheritdoc/>
    protected override ValueTask<IReadOnlyList<string>> WorkAsync(string path) =>
        ValueTask.FromResult<IReadOnlyList<string>>(Directory.Exists(path) ? DisksIn(path) : [path]);

    /// <inheritdoc/>
    protected override void Emit(string path, IReadOnlyList<string> result) => _paths.AddRange(result);

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        base.EndProcessing();
        if (_paths.Count == 0)
        {
            return;
        }

        ForItem(_paths[0], () =>
        {
            foreach (var result in Repair())
            {
                WriteObject(result);
            }
        });
    }

    // What asks a person must be on the pipeline's thread; the work is on another, and waits for the answer.
    private IReadOnlyList<VhdRepairResult> Repair()
    {
        using var questions = new BlockingCollection<(string Path, string Repair, TaskCompletionSource<bool> Answer)>();
        var request = new VhdRepairRequest
        {
            Paths = _paths,
            Source = Source,
            MayRepair = (path, repair) =>
            {
                var answer = new TaskCompletionSource<bool>();
                questions.Add((path, repair, answer));
                return answer.Task.GetAwaiter().GetResult();
            },
        };
        var work = Task.Run(async () =>
        {
            try
            {
                return await VhdRepair.RunAsync(request, StopToken).ConfigureAwait(false);
            }
            finally
            {
                questions.CompleteAdding();
            }
        });
        try
        {
            foreach (var (path, repair, answer) in questions.GetConsumingEnumerable())
            {
                try
                {
                    answer.SetResult(ShouldProcess(path, repair));
                }
                finally
                {
                    answer.TrySetCanceled();
                }
            }
        }
        finally
        {
            ((IAsyncResult)work).AsyncWaitHandle.WaitOne();
        }

        return work.GetAwaiter().GetResult();
    }

    // As XenServer numbers them: child first, up to the first gap. None: the directory itself is said to be no disk.
    private static List<string> DisksIn(string directory)
    {
        var disks = new List<string>();
        while (disks.Count <= VhdChain.MaximumDepth)
        {
            var path = System.IO.Path.Join(
                directory, string.Create(CultureInfo.InvariantCulture, $"{disks.Count}.vhd"));
            if (!File.Exists(path))
            {
                break;
            }

            disks.Add(path);
        }

        return disks.Count > 0 ? disks : [directory];
    }
}
