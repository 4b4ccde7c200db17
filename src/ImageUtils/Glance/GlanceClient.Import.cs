using System.Diagnostics;
using System.Net;
using System.Text.Json;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.Keystone;

namespace ImageUtils.Glance;

/// <content>Stores, import methods, tasks and imports.</content>
public sealed partial class GlanceClient
{
    private static readonly TimeSpan s_longestPolling = TimeSpan.FromSeconds(5);

    /// <summary>How soon an import is looked after; then less and less often, every five seconds at last.</summary>
    public TimeSpan PollingDelay { get; init; } = TimeSpan.FromSeconds(0.25);

    /// <summary>The stores; empty where Glance has one only, which has no name.</summary>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<IReadOnlyList<GlanceStore>> GetStoresAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            return await ReadAsync(
                "v2/info/stores",
                static root => root.ValueKind == JsonValueKind.Object && root.TryGetProperty("stores", out _)
                    ? GlanceJson.GetItems(root, "stores").Select(GlanceJson.ReadStore).OfType<GlanceStore>().ToArray()
                    : null,
                cancellationToken).ConfigureAwait(false);
        }
        catch (ServiceResponseException exception) when (exception.Status == HttpStatusCode.NotFound)
        {
            return [];
        }
    }

    /// <summary>Makes sure that there is a store and that it can be written to.</summary>
    /// <param name="storeId">Its id.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <remarks>The rule is Cinder's (image_utils.validate_stores_id).</remarks>
    /// <exception cref="GlanceStoreNotFoundException">There is none of this id.</exception>
    /// <exception cref="GlanceStoreReadOnlyException">It is read-only.</exception>
    public async Task<GlanceStore> ValidateStoreAsync(string storeId, CancellationToken cancellationToken = default)
    {
        var stores = await GetStoresAsync(cancellationToken).ConfigureAwait(false);
        var usable = string.Join(", ", stores.Where(one => !one.IsReadOnly).Select(one => one.Id));
        var store = stores.FirstOrDefault(one => one.Id == storeId) ?? throw new GlanceStoreNotFoundException(
            storeId, $"Glance has no store '{Printable.Text(storeId)}'. " + (stores.Count == 0
                ? "It has one store only: name none."
                : $"Use one of: {usable}."));
        return store.IsReadOnly
            ? throw new GlanceStoreReadOnlyException(
                storeId, $"The store '{Printable.Text(storeId)}' can only be read. Use one of: {usable}.")
            : store;
    }

    /// <summary>The import methods; empty where Glance has none.</summary>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<IReadOnlyList<string>> GetImportMethodsAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            return await ReadAsync(
                "v2/info/import",
                static root => root.ValueKind == JsonValueKind.Object
                    && root.TryGetProperty("import-methods", out var methods)
                    ? GlanceJson.GetItems(methods, "value").Where(one => one.ValueKind == JsonValueKind.String)
                        .Select(one => one.GetString()!).ToArray()
                    : null,
                cancellationToken).ConfigureAwait(false);
        }
        catch (ServiceResponseException exception) when (exception.Status == HttpStatusCode.NotFound)
        {
            return [];
        }
    }

    /// <summary>The tasks that work, or worked, on an image and that Glance still knows.</summary>
    /// <param name="imageId">The image's id.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public Task<IReadOnlyList<GlanceTask>> GetImageTasksAsync(
        string imageId, CancellationToken cancellationToken = default) =>
        ForImageAsync<IReadOnlyList<GlanceTask>>(imageId, async () => await ReadAsync(
            PathOf(imageId, "/tasks"),
            static root => root.ValueKind == JsonValueKind.Object && root.TryGetProperty("tasks", out _)
                ? GlanceJson.GetItems(root, "tasks").Select(GlanceJson.ReadTask).OfType<GlanceTask>().ToArray()
                : null,
            cancellationToken).ConfigureAwait(false));

    /// <summary>The project's tasks, the latest first, page by page; Glance may keep them to its administrators.</summary>
    /// <param name="status">pending, processing, success or failure; null for all.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public IAsyncEnumerable<GlanceTask> ListTasksAsync(
        string? status = null, CancellationToken cancellationToken = default) => ListPagesAsync(
            status is null ? "v2/tasks" : $"v2/tasks?status={Uri.EscapeDataString(status)}",
            "tasks", GlanceJson.ReadTask, cancellationToken);

    /// <summary>A task with what it was given and what it made.</summary>
    /// <param name="taskId">The task's id.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ServiceResponseException">There is none that the session may see.</exception>
    public Task<GlanceTask> GetTaskAsync(string taskId, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(taskId);
        return ReadAsync($"v2/tasks/{Uri.EscapeDataString(taskId)}", GlanceJson.ReadTask, cancellationToken);
    }

    /// <summary>Begins an import, after a look at whether Glance has the method and the stores.</summary>
    /// <param name="id">The image's id. For glance-direct its data is staged; for copy-image it is active; else it is queued.</param>
    /// <param name="import">What, and where to.</param>
    /// <param name="cancellationToken">Ends it; what has begun goes on.</param>
    /// <exception cref="ImportMethodException">Glance has no such method, or it lacks something.</exception>
    /// <exception cref="GlanceStoreNotFoundException">There is no such store.</exception>
    /// <exception cref="GlanceStoreReadOnlyException">A store can be read only.</exception>
    /// <exception cref="ImageStateConflictException">The image is not in the state that the method wants.</exception>
    public async Task<GlanceImportTicket> StartImportAsync(
        string id, GlanceImport import, CancellationToken cancellationToken = default)
    {
        ThrowIfIncomplete(import);
        var methods = await GetImportMethodsAsync(cancellationToken).ConfigureAwait(false);
        if (!methods.Contains(import.Method))
        {
            throw new ImportMethodException(
                import.Method, $"Glance does not import by '{Printable.Text(import.Method)}'. " + (methods.Count == 0
                    ? "It imports by no method: upload the data."
                    : $"Use one of: {string.Join(", ", methods)}."));
        }

        foreach (var store in import.Stores)
        {
            await ValidateStoreAsync(store, cancellationToken).ConfigureAwait(false);
        }

        var requestId = await ForImageAsync(id, () => SendForIdAsync(
            new ServiceRequest(HttpMethod.Post, PathOf(id, "/import"))
            {
                Content = GlanceBody.ToContent(import.ToJson(), GlanceBody.Json),
            },
            cancellationToken)).ConfigureAwait(false);
        return new GlanceImportTicket(id, requestId.Length > 0 ? requestId : null);
    }

    /// <summary>Waits until an import has ended.</summary>
    /// <param name="ticket">What <see cref="StartImportAsync"/> returned.</param>
    /// <param name="progress">Told each time that Glance was asked.</param>
    /// <param name="timeout">How long; null for as long as it takes.</param>
    /// <param name="cancellationToken">Ends the waiting, not the import.</param>
    /// <exception cref="ImageImportFailedException">It failed.</exception>
    /// <exception cref="ImageImportTimedOutException">It did not end in time, and goes on.</exception>
    /// <exception cref="ImageNotFoundInGlanceException">The image was deleted.</exception>
    public async Task<GlanceImportResult> WaitForImportAsync(
        GlanceImportTicket ticket,
        IProgress<GlanceImportProgress>? progress = null,
        TimeSpan? timeout = null,
        CancellationToken cancellationToken = default)
    {
        var began = Stopwatch.GetTimestamp();
        for (var delay = PollingDelay; ; delay = Min(delay * 1.5, s_longestPolling))
        {
            // The task first: an image that is looked at after its task has ended is as the task left it.
            var task = await FindTaskAsync(ticket, cancellationToken).ConfigureAwait(false);
            var image = await GetAsync(ticket.ImageId, cancellationToken).ConfigureAwait(false);
            var elapsed = Stopwatch.GetElapsedTime(began);
            progress?.Report(new GlanceImportProgress(image, task, elapsed));
            if (HasFailed(task, image))
            {
                throw new ImageImportFailedException(
                    image.Id, image.FailedImport,
                    $"Image '{image.Id}': the import failed"
                    + (image.FailedImport.Count > 0 ? $" for {string.Join(", ", image.FailedImport)}" : "")
                    + (string.IsNullOrWhiteSpace(task?.Message) ? "" : $": {Printable.Text(task.Message).TrimEnd('.')}")
                    + $". The image is {image.Status}. Look into Glance's log"
                    + (ticket.RequestId is null ? "." : $" for {ticket.RequestId}."),
                    ticket.RequestId);
            }

            if (task is null or { IsEnded: true } && image.Status == "active" && image.ImportingToStores.Count == 0)
            {
                return new GlanceImportResult(image, task, image.FailedImport);
            }

            if (elapsed + delay > timeout)
            {
                throw new ImageImportTimedOutException(
                    image.Id, $"Image '{image.Id}': the import has not ended after {elapsed.TotalSeconds:0} s; the image is "
                    + $"{image.Status}{(task is null ? "" : $" and the task {task.Id} {task.Status}")}. It goes on: look "
                    + "again later with Get-GlanceImage.");
            }

            await Task.Delay(delay, cancellationToken).ConfigureAwait(false);
        }
    }

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;

    private static bool HasFailed(GlanceTask? task, GlanceImage image) =>
        task?.Status == "failure"
        || image.Status is "killed" or "deleted" or "pending_delete" or "deactivated"
        // Without a task the image tells: it was put back, and no store is left.
        || (task is null or { IsEnded: true } && image is { Status: "queued", ImportingToStores.Count: 0 }
            && image.FailedImport.Count > 0);

    private static void ThrowIfIncomplete(GlanceImport import)
    {
        var missing = import switch
        {
            { Method: GlanceImport.WebDownload, Uri: not { IsAbsoluteUri: true, Scheme: "http" or "https" } } =>
                "an address that begins with http:// or https://",
            { Method: GlanceImport.GlanceDownload, RemoteRegion: null } => "the other region",
            { Method: GlanceImport.GlanceDownload, RemoteImageId: null } => "the image's id in the other region",
            { Method: GlanceImport.CopyImage, AllStores: false, Stores.Count: 0 } => "the stores to copy to",
            _ => null,
        };
        if (missing is not null)
        {
            throw new ImportMethodException(
                import.Method, $"An import by {Printable.Text(import.Method)} needs {missing}. Name it.");
        }
    }

    // Older services have no such list, and one that has may have forgotten the task, or may not let everybody look.
    private async Task<GlanceTask?> FindTaskAsync(GlanceImportTicket ticket, CancellationToken cancellationToken)
    {
        if (ticket.RequestId is null)
        {
            return null;
        }

        try
        {
            var tasks = await GetImageTasksAsync(ticket.ImageId, cancellationToken).ConfigureAwait(false);
            return tasks.FirstOrDefault(task => task.RequestId == ticket.RequestId);
        }
        catch (ServiceResponseException exception) when (exception.Status is HttpStatusCode.NotFound
            or HttpStatusCode.Forbidden)
        {
            return null;
        }
    }

    private async Task<string> SendForIdAsync(ServiceRequest request, CancellationToken cancellationToken) =>
        await SendAsync(request, cancellationToken).ConfigureAwait(false) ?? "";
}
