using System.Management.Automation;
using ImageUtils.Errors;
using ImageUtils.Glance;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Deletes images of Glance, with their data.</summary>
[Cmdlet(VerbsCommon.Remove, "GlanceImage", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(void))]
public sealed class RemoveGlanceImageCommand : GlanceCmdlet
{
    /// <summary>Ids.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    [Alias("ImageId")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(GlanceImageIdCompleter))]
    public string[] Id { get; set; } = [];

    /// <summary>Protected images as well: their protection is taken away first.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (var id in Id)
        {
            ForItem(id, () => Remove(id));
        }
    }

    private void Remove(string id)
    {
        var image = Await(Client.GetAsync(id, StopToken));
        if (!ShouldProcess($"{image}{(image.Protected ? ", which is protected" : "")}", "Delete the image"))
        {
            return;
        }

        if (!image.Protected || !Force)
        {
            Await(Client.DeleteAsync(id, StopToken));
            return;
        }

        Await(Client.UpdateAsync(id, new GlanceImageChange().Set("protected", false), StopToken));
        try
        {
            Await(Client.DeleteAsync(id, StopToken));
        }
        catch
        {
            Protect(id);
            throw;
        }
    }

    // An image that could not be deleted is not left without what protected it, even where the pipeline is stopping.
    private void Protect(string id)
    {
        try
        {
            Await(Client.UpdateAsync(id, new GlanceImageChange().Set("protected", true), CancellationToken.None));
        }
        catch (ImageUtilsException exception)
        {
            WriteVerbose($"Image '{id}' is not protected again: {exception.Message}");
        }
    }
}
