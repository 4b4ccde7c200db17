using System.Management.Automation;
using ImageUtils.PowerShell.Bases;
using ImageUtils.VhdChains;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Finds the disks of a chain of VHDs or VHDXs.</summary>
[Cmdlet(VerbsCommon.Get, "VhdChain", DefaultParameterSetName = PathSet)]
[OutputType(typeof(VhdChainLink))]
public sealed class GetVhdChainCommand : VhdCmdlet<VhdChain>
{
    // Directories that come with files, by a pattern or from the pipeline, are meant only if they have a chain in them.
    private bool IsMeant(string directory) =>
        File.Exists(System.IO.Path.Join(directory, "0.vhd"))
        || !(MyInvocation.ExpectingInput || Array.Exists(Path, WildcardPattern.ContainsWildcardCharacters));

    /// <inheritdoc/>
    protected override async ValueTask<VhdChain> WorkAsync(string path) =>
        Directory.Exists(path) && IsMeant(path)
            ? await VhdChainFinder.FindInDirectoryAsync(path, Source, StopToken).ConfigureAwait(false)
            : await VhdChainFinder.FindAsync(path, Source, StopToken).ConfigureAwait(false);

    /// <inheritdoc/>
    protected override void Emit(string path, VhdChain result) => WriteObject(result.Links, enumerateCollection: true);
}
