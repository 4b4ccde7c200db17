using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.Keystone;

namespace ImageUtils.Glance;

/// <summary>
/// Glance's API v2, as a session may use it. It may be used by several threads at once; the session stays the caller's.
/// </summary>
/// <remarks>Reference: OpenStack Image Service API v2, https://docs.openstack.org/api-ref/image/v2/.</remarks>
/// <param name="session">The session.</param>
public sealed partial class GlanceClient(ImageServiceSession session)
{
    private const int MostNamesTold = 5;

    /// <summary>The session.</summary>
    public ImageServiceSession Session => session;

    /// <summary>How long a connection may bring, or take, no byte at all before it counts as cut.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long Glance may take for its answer once the whole body of an upload is there.</summary>
    public TimeSpan UploadAnswerTimeout { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>How often a download that was cut is continued before it is given up.</summary>
    public int MaximumContinuations { get; init; } = 5;

    /// <summary>How long is waited before a download is continued; longer each time.</summary>
    public TimeSpan ContinuationDelay { get; init; } = TimeSpan.FromSeconds(0.5);

    /// <summary>An image by its id.</summary>
    /// <param name="id">The id.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ImageNotFoundInGlanceException">There is none that the session may see.</exception>
    public Task<GlanceImage> GetAsync(string id, CancellationToken cancellationToken = default) =>
        ForImageAsync(id, () => ReadAsync(PathOf(id), Image, cancellationToken));

    /// <summary>
    /// An image by its id, or by its name among those that a list has and then among the hidden ones.
    /// </summary>
    /// <param name="idOrName">The id or the whole name.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ImageNotFoundInGlanceException">There is none that the session may see.</exception>
    /// <exception cref="ImageNameAmbiguousException">Several have the name.</exception>
    public async Task<GlanceImage> FindAsync(string idOrName, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(idOrName);
        if (Guid.TryParseExact(idOrName, "D", out _) || Guid.TryParseExact(idOrName, "N", out _))
        {
            try
            {
                return await GetAsync(idOrName, cancellationToken).ConfigureAwait(false);
            }
            catch (ImageNotFoundInGlanceException)
            {
                // Somebody may have given an image such a name.
            }
        }

        foreach (var isHidden in new[] { false, true })
        {
            var found = new List<GlanceImage>();
            var filter = new GlanceImageFilter { Name = idOrName, OsHidden = isHidden, PageSize = MostNamesTold };
            await foreach (var image in ListAsync(filter, cancellationToken).ConfigureAwait(false))
            {
                found.Add(image);
                if (found.Count == MostNamesTold)
                {
                    break;
                }
            }

            if (found.Count == 1)
            {
                return found[0];
            }

            if (found.Count > 1)
            {
                string[] ids = [.. found.Select(image => image.Id)];
                throw new ImageNameAmbiguousException(
                    idOrName, ids,
                    $"Several images have the name '{Printable.Text(idOrName)}': {string.Join(", ", ids)}"
                    + (found.Count == MostNamesTold ? " and perhaps more" : "") + ". Name one by its id.");
            }
        }

        throw new ImageNotFoundInGlanceException(
            idOrName,
            $"There is no image with the id or the name '{Printable.Text(idOrName)}' that {session} may see. "
            + "Check the name, the project and the region.",
            HttpStatusCode.NotFound, null);
    }

    /// <summary>Images, page by page as they are asked for.</summary>
    /// <param name="filter">Which; null for all that a list has.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public IAsyncEnumerable<GlanceImage> ListAsync(
        GlanceImageFilter? filter = null, CancellationToken cancellationToken = default) =>
        ListPagesAsync((filter ?? new GlanceImageFilter()).ToPath(), "images", GlanceJson.ReadImage, cancellationToken);

    /// <summary>Registers an image, which has no data yet.</summary>
    /// <param name="image">What it is to be.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ImageStateConflictException">There is an image of this id.</exception>
    public async Task<GlanceImage> CreateAsync(NewGlanceImage image, CancellationToken cancellationToken = default)
    {
        // With an id that nobody else has, it can be asked for again, and is found if only its answer was lost.
        var isOwnId = image.Id is null;
        var id = image.Id ?? Guid.NewGuid().ToString();
        try
        {
            return await ForImageAsync(isOwnId ? image.Name ?? "(new)" : id, () => SendAsync(
                new ServiceRequest(HttpMethod.Post, "v2/images")
                {
                    Content = GlanceBody.ToContent((image with { Id = id }).ToJson(), GlanceBody.Json),
                    IsIdempotent = isOwnId,
                },
                Image, cancellationToken)).ConfigureAwait(false);
        }
        catch (ImageUtilsException exception) when (isOwnId && MayHaveBeenDone(exception))
        {
            if (await FindMadeAsync(id, exception, cancellationToken).ConfigureAwait(false) is { } made)
            {
                return made;
            }

            throw;
        }
    }

    /// <summary>Changes an image.</summary>
    /// <param name="id">The id.</param>
    /// <param name="change">What is changed; all or nothing.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>The image as it is then.</returns>
    /// <exception cref="ImageNotFoundInGlanceException">There is none that the session may see.</exception>
    /// <exception cref="ImageStateConflictException">A property that is to be removed is not there.</exception>
    public Task<GlanceImage> UpdateAsync(
        string id, GlanceImageChange change, CancellationToken cancellationToken = default) =>
        ForImageAsync(id, () => SendAsync(
            new ServiceRequest(HttpMethod.Patch, PathOf(id))
            {
                Content = GlanceBody.ToContent(change.ToJson(), GlanceImageChange.MediaType),
                IsIdempotent = change.IsIdempotent,
            },
            Image, cancellationToken));

    /// <summary>Deletes an image and its data.</summary>
    /// <param name="id">The id.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ImageNotFoundInGlanceException">There is none that the session may see.</exception>
    /// <exception cref="ImageProtectedException">It is protected.</exception>
    /// <exception cref="ImageStateConflictException">It is in use.</exception>
    public Task DeleteAsync(string id, CancellationToken cancellationToken = default) =>
        DeleteAsync(id, mayRepeat: false, cancellationToken);

    /// <summary>Sees to it that there is no such image, in several attempts where one fails.</summary>
    internal async Task DeleteIfThereAsync(string id)
    {
        try
        {
            await DeleteAsync(id, mayRepeat: true, CancellationToken.None).ConfigureAwait(false);
        }
        catch (ImageNotFoundInGlanceException)
        {
            // It is gone already, perhaps by an attempt whose answer was lost.
        }
    }

    private async Task DeleteAsync(string id, bool mayRepeat, CancellationToken cancellationToken)
    {
        try
        {
            await ForImageAsync(id, () => SendAsync(
                new ServiceRequest(HttpMethod.Delete, PathOf(id)) { IsIdempotent = mayRepeat }, cancellationToken))
                .ConfigureAwait(false);
        }
        catch (ServiceResponseException exception) when (exception.Status == HttpStatusCode.Forbidden)
        {
            if (await IsProtectedAsync(id, cancellationToken).ConfigureAwait(false))
            {
                throw new ImageProtectedException(
                    id, $"Image '{id}' is protected and was not deleted. Take its protection away first. "
                    + exception.Message, exception.Status, exception.RequestId);
            }

            throw;
        }
    }

    /// <summary>Has Glance give an image's data to nobody but administrators.</summary>
    /// <param name="id">The id.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ImageStateConflictException">It is neither active nor deactivated.</exception>
    public Task DeactivateAsync(string id, CancellationToken cancellationToken = default) =>
        ForImageAsync(id, () => SendAsync(
            new ServiceRequest(HttpMethod.Post, PathOf(id, "/actions/deactivate")) { IsIdempotent = true },
            cancellationToken));

    /// <summary>Puts a tag on an image, which may have it already.</summary>
    /// <param name="id">The id.</param>
    /// <param name="tag">The tag.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public Task AddTagAsync(string id, string tag, CancellationToken cancellationToken = default) =>
        ForImageAsync(id, () => SendAsync(
            new ServiceRequest(HttpMethod.Put, TagPathOf(id, tag)) { IsIdempotent = true }, cancellationToken));

    /// <summary>Takes a tag from an image.</summary>
    /// <inheritdoc cref="AddTagAsync"/>
    /// <exception cref="ImageNotFoundInGlanceException">There is no such image, or it has no such tag.</exception>
    public Task RemoveTagAsync(string id, string tag, CancellationToken cancellationToken = default) =>
        ForImageAsync(id, () => SendAsync(
            new ServiceRequest(HttpMethod.Delete, TagPathOf(id, tag)), cancellationToken));

    private static string PathOf(string id, string rest = "")
    {
        ArgumentException.ThrowIfNullOrEmpty(id);
        // "." and ".." would lead elsewhere; no id is one.
        var escaped = Uri.EscapeDataString(id);
        return escaped is "." or ".."
            ? throw new ArgumentException($"'{id}' is no image's id.", nameof(id))
            : $"v2/images/{escaped}{rest}";
    }

    private static string TagPathOf(string id, string tag)
    {
        ArgumentException.ThrowIfNullOrEmpty(tag);
        return tag is "." or ".."
            ? throw new ArgumentException($"'{tag}' is no tag that Glance can have.", nameof(tag))
            : PathOf(id, $"/tags/{Uri.EscapeDataString(tag)}");
    }

    // A refusal was one. A conflict is one with an earlier attempt, whose answer was lost.
    private static bool MayHaveBeenDone(ImageUtilsException exception) => exception is ServiceUnreachableException
        or ServiceAnswerException or ImageStateConflictException
        or ServiceResponseException { Status: >= HttpStatusCode.InternalServerError };

    private async Task<GlanceImage?> FindMadeAsync(
        string id, ImageUtilsException reason, CancellationToken cancellationToken)
    {
        try
        {
            return await GetAsync(id, cancellationToken).ConfigureAwait(false);
        }
        catch (ImageNotFoundInGlanceException)
        {
            return null;
        }
        catch (ImageUtilsException)
        {
            throw new ServiceUnreachableException(
                $"{reason.Message} Image '{id}' may have been registered nevertheless: look whether it is there. Delete it.",
                session.Endpoint, reason);
        }
    }

    private static GlanceImage? Image(JsonElement root) => GlanceJson.ReadImage(root);

    private static async Task<bool> ForImageAsync(string image, Func<Task> work) =>
        await ForImageAsync(image, async () =>
        {
            await work().ConfigureAwait(false);
            return true;
        }).ConfigureAwait(false);

    /// <summary>Gives the answers that a caller can act on types of their own.</summary>
    private static async Task<T> ForImageAsync<T>(string image, Func<Task<T>> work)
    {
        try
        {
            return await work().ConfigureAwait(false);
        }
        catch (ServiceResponseException exception) when (exception.GetType() == typeof(ServiceResponseException))
        {
            var about = $"Image '{Printable.Text(image)}'";
            var (said, status, request) = (exception.Message, exception.Status, exception.RequestId);
            throw status switch
            {
                HttpStatusCode.NotFound or HttpStatusCode.Gone => new ImageNotFoundInGlanceException(
                    image, $"{about} is not in Glance, or not for this project to see. Check the id. {said}",
                    status, request),
                HttpStatusCode.Conflict => new ImageStateConflictException(
                    image, $"{about}: its state does not allow it. Look at it (Get-GlanceImage). {said}", status, request),
                HttpStatusCode.RequestEntityTooLarge => new ImageQuotaException(
                    image, $"{about} is more than Glance takes. Have the quota or the limit raised. {said}",
                    status, request),
                _ => exception,
            };
        }
    }

    private async Task<bool> IsProtectedAsync(string id, CancellationToken cancellationToken)
    {
        try
        {
            return (await GetAsync(id, cancellationToken).ConfigureAwait(false)).Protected;
        }
        catch (ImageUtilsException)
        {
            // The refusal itself says more than that there is no second answer.
            return false;
        }
    }

    private async IAsyncEnumerable<T> ListPagesAsync<T>(
        string path, string list, Func<JsonElement, T?> read,
        [EnumeratorCancellation] CancellationToken cancellationToken)
        where T : class
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (string? next = path; next is not null;)
        {
            if (!seen.Add(next))
            {
                throw new ServiceAnswerException(
                    $"GET {session.Endpoint}v2/{list}: the list goes round in circles: page '{Printable.Text(next)}' "
                    + "names itself as a later one. The service's log may have the reason.",
                    HttpStatusCode.OK, null);
            }

            var (items, following) = await ReadAsync(
                next,
                root => root.ValueKind != JsonValueKind.Object || !root.TryGetProperty(list, out _)
                    ? null
                    : Tuple.Create(
                        GlanceJson.GetItems(root, list).Select(read).OfType<T>().ToArray(),
                        GlanceJson.GetText(root, "next")),
                cancellationToken).ConfigureAwait(false);
            foreach (var item in items)
            {
                yield return item;
            }

            next = ToPath(path, following);
        }
    }

    // Glance names the next page without all of several tags, and by whatever address it believes itself to have; its
    // marker is all that is needed.
    private static string? ToPath(string path, string? next)
    {
        var query = next?.IndexOf('?', StringComparison.Ordinal) ?? -1;
        var marker = query < 0
            ? null
            : next![(query + 1)..].Split('&').FirstOrDefault(
                one => one.StartsWith("marker=", StringComparison.Ordinal));
        return marker is null ? null : path + (path.Contains('?', StringComparison.Ordinal) ? '&' : '?') + marker;
    }
}
