using System.Management.Automation;
using ImageUtils.Glance;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Has Glance import data into images: what is staged, from the web, from another store or region.</summary>
[Cmdlet(VerbsLifecycle.Start, "GlanceImport", SupportsShouldProcess = true)]
[OutputType(typeof(GlanceImage))]
public sealed class StartGlanceImportCommand : GlanceCmdlet
{
    private static readonly TimeSpan s_progressInterval = TimeSpan.FromMilliseconds(200);

    /// <summary>Ids.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    [Alias("ImageId")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(GlanceImageIdCompleter))]
    public string[] Id { get; set; } = [];

    /// <summary>The method; without it, what -Path or -Uri says.</summary>
    [Parameter(Position = 1)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(GlanceImportMethodCompleter))]
    public string? Method { get; set; }

    /// <summary>For glance-direct: a file that is staged first. Without it, the data was staged already.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Path { get; set; }

    /// <summary>For web-download: from where.</summary>
    [Parameter]
    [ValidateNotNull]
    public Uri? Uri { get; set; }

    /// <summary>For glance-download: the other region.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? RemoteRegion { get; set; }

    /// <summary>For glance-download: the image's id there.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? RemoteImageId { get; set; }

    /// <summary>The stores to import into; without it, the default one.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(GlanceStoreCompleter))]
    public string[] Store { get; set; } = [];

    /// <summary>Import into all stores.</summary>
    [Parameter]
    public SwitchParameter AllStores { get; set; }

    /// <summary>Let a store fail without failing the others.</summary>
    [Parameter]
    public SwitchParameter AllowStoreFailure { get; set; }

    /// <summary>Wait until the import has ended.</summary>
    [Parameter]
    public SwitchParameter Wait { get; set; }

    /// <summary>How many seconds to wait, at most.</summary>
    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int TimeoutSec { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        Method ??= Path is not null ? GlanceImport.GlanceDirect : Uri is not null ? GlanceImport.WebDownload : null;
        if (Method is null)
        {
            ThrowTerminatingError(ErrorRecords.NoImportMethod());
        }

        foreach (var (parameter, method) in new[]
        {
            (nameof(Path), GlanceImport.GlanceDirect), (nameof(Uri), GlanceImport.WebDownload),
            (nameof(RemoteRegion), GlanceImport.GlanceDownload), (nameof(RemoteImageId), GlanceImport.GlanceDownload),
        })
        {
            if (MyInvocation.BoundParameters.ContainsKey(parameter) && Method != method)
            {
                ThrowTerminatingError(ErrorRecords.OtherImportMethod(parameter, method));
            }
        }
    }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (var id in Id)
        {
            ForItem(id, () => Import(id));
        }
    }

    private void Import(string id)
    {
        if (!ShouldProcess(id, $"Import by {Method}"))
        {
            return;
        }

        var import = new GlanceImport
        {
            Method = Method!,
            Uri = Uri,
            RemoteRegion = RemoteRegion,
            RemoteImageId = RemoteImageId,
            Stores = Store,
            AllStores = AllStores,
            AllStoresMustSucceed = AllowStoreFailure ? false : null,
        };
        if (Path is not null)
        {
            // Before gigabytes are staged for nothing.
            foreach (var store in Store)
            {
                Await(Client.ValidateStoreAsync(store, StopToken));
            }

            Await(StageAsync(id, GetUnresolvedProviderPathFromPSPath(Path)));
        }

        var ticket = Await(Client.StartImportAsync(id, import, StopToken));
        WriteObject(Wait ? WaitFor(ticket) : Await(Client.GetAsync(id, StopToken)));
    }

    private async Task<long> StageAsync(string id, string path)
    {
        await using var file = new FileStream(path, new FileStreamOptions
        {
            BufferSize = 0,
            Options = FileOptions.Asynchronous | FileOptions.SequentialScan,
        });
        return await Client.StageAsync(
            id, (body, token) => file.CopyToAsync(body, 1 << 20, token), file.Length, StopToken).ConfigureAwait(false);
    }

    private GlanceImage WaitFor(GlanceImportTicket ticket)
    {
        var latest = new Latest();
        var client = Client;
        var work = Task.Run(() => client.WaitForImportAsync(
            ticket, latest, TimeoutSec > 0 ? TimeSpan.FromSeconds(TimeoutSec) : null, StopToken));
        var record = new ProgressRecord(1, $"Importing {ticket.ImageId}", "…");
        while (!((IAsyncResult)work).AsyncWaitHandle.WaitOne(s_progressInterval))
        {
            if (latest.Value is { } now && !StopToken.IsCancellationRequested)
            {
                record.StatusDescription = now.Image.Status
                    + (now.Remaining.Count > 0 ? $", still to come: {string.Join(", ", now.Remaining)}" : "")
                    + (now.Failed.Count > 0 ? $", failed: {string.Join(", ", now.Failed)}" : "")
                    + (string.IsNullOrEmpty(now.Task?.Message) ? "" : $" ({now.Task.Message})");
                WriteProgress(record);
            }
        }

        record.RecordType = ProgressRecordType.Completed;
        if (latest.Value is not null && !StopToken.IsCancellationRequested)
        {
            WriteProgress(record);
        }

        var result = work.GetAwaiter().GetResult();
        if (result.FailedStores.Count > 0)
        {
            WriteWarning($"Image '{ticket.ImageId}' is not in {string.Join(", ", result.FailedStores)}: the import "
                + "into these stores failed.");
        }

        return result.Image;
    }

    private sealed class Latest : IProgress<GlanceImportProgress>
    {
        private volatile GlanceImportProgress? _value;

        public GlanceImportProgress? Value => _value;

        public void Report(GlanceImportProgress value) => _value = value;
    }
}
