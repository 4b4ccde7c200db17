using ImageUtils.Errors;

namespace ImageUtils.Glance;

/// <summary>
/// What is done once an image was converted: the original hidden or removed, and the new one protected as it was. It is
/// done to the end whoever cancels, and undone where it fails.
/// </summary>
internal sealed class OriginalImageChange(GlanceConversionRequest request, GlanceImage original, string newImageId)
{
    private const string Active = "active";
    private const string Hidden = "os_hidden";
    private const string Protected = "protected";

    private GlanceClient Client => request.Client;

    /// <exception cref="OriginalImageException">It failed.</exception>
    internal async Task RunAsync(bool isHashVerified, CancellationToken cancellationToken)
    {
        if (!isHashVerified && request.Original != OriginalImage.Kept)
        {
            throw new ImageUnacceptableException(
                newImageId,
                $"Glance has no hash of it that could be compared, so the image {original.Id} is not given up for it. Keep "
                + "the original, and hide or remove it yourself.");
        }

        cancellationToken.ThrowIfCancellationRequested();
        if (request.Original == OriginalImage.Removed)
        {
            await RemoveAsync().ConfigureAwait(false);
            return;
        }

        var undo = new List<(string Id, string Name)>();
        try
        {
            if (request.Original == OriginalImage.Hidden && !original.OsHidden)
            {
                undo.Add((original.Id, Hidden));
                await SetAsync(original.Id, Hidden, true).ConfigureAwait(false);
            }

            // Last: what is protected could not be deleted if anything else failed.
            if (original.Protected)
            {
                undo.Add((newImageId, Protected));
                await SetAsync(newImageId, Protected, true).ConfigureAwait(false);
            }
        }
        catch (ImageNotFoundInGlanceException exception) when (undo[^1].Id == original.Id)
        {
            throw Kept("it was removed by somebody else meanwhile.", exception);
        }
        catch (ImageUtilsException exception)
        {
            if (exception is ServiceResponseException { IsRefusal: true })
            {
                undo.RemoveAt(undo.Count - 1);
            }

            throw await UndoAsync(undo, exception).ConfigureAwait(false);
        }
    }

    private async Task RemoveAsync()
    {
        try
        {
            await Client.DeleteIfThereAsync(original.Id).ConfigureAwait(false);
        }
        catch (ImageUtilsException exception)
        {
            if (await IsLeftAsync(exception).ConfigureAwait(false))
            {
                throw new OriginalImageException(
                    original.Id, newImageId, false,
                    $"The image {original.Id} was converted, but cannot be removed. It is as it was, and the new image is "
                    + $"not kept. {exception.Message}",
                    exception);
            }
        }
    }

    // The answer to a deletion may have been lost, with or without the image.
    private async Task<bool> IsLeftAsync(ImageUtilsException reason)
    {
        string status;
        try
        {
            status = (await Client.GetAsync(original.Id, CancellationToken.None).ConfigureAwait(false)).Status;
        }
        catch (ImageNotFoundInGlanceException)
        {
            return false;
        }
        catch (ImageUtilsException)
        {
            status = "not known";
        }

        return status == Active
            ? true
            : throw Kept(
                $"its status is {Inspection.Printable.Text(status)}. Look at it, and remove it if it is still there.",
                reason);
    }

    private OriginalImageException Kept(string state, ImageUtilsException reason) => new(
        original.Id, newImageId, true,
        $"The image {original.Id} was converted to {newImageId}, which is complete and stays. The original was to be "
        + $"{request.Original.ToString().ToLowerInvariant()}, and {state} {reason.Message}",
        reason);

    private async Task<OriginalImageException> UndoAsync(
        List<(string Id, string Name)> undo, ImageUtilsException reason)
    {
        var left = "It is as it was, and the new image is not kept.";
        foreach (var (id, name) in undo)
        {
            try
            {
                await SetAsync(id, name, false).ConfigureAwait(false);
            }
            catch (ImageUtilsException exception) when (id == original.Id)
            {
                left = "The new image is not kept, but this one may be hidden now; show it again (Set-GlanceImage -Hidden "
                    + $"$false). {exception.Message}";
            }
            catch (ImageUtilsException)
            {
                // Whether it can be deleted nevertheless shows when it is.
            }
        }

        return new OriginalImageException(
            original.Id, newImageId, false,
            $"The image {original.Id} was converted, but it cannot be hidden, or the new one not be protected as it is. "
            + $"{left} {reason.Message}",
            reason);
    }

    private Task<GlanceImage> SetAsync(string id, string name, bool value) =>
        Client.UpdateAsync(id, new GlanceImageChange().Set(name, value), CancellationToken.None);
}
