using System.Management.Automation;
using ImageUtils.Errors;
using ImageUtils.Glance;
using ImageUtils.Keystone;
using ImageUtils.PowerShell.Binding;
using ImageUtils.Remote;

namespace ImageUtils.PowerShell.Bases;

/// <summary>A cmdlet that inspects files, and images in Glance and on the web without downloading them.</summary>
/// <typeparam name="TResult">What the work on one file results in.</typeparam>
public abstract class RemoteInspectingCmdlet<TResult> : InspectingCmdlet<TResult>
{
    /// <summary>The parameter set of <see cref="GlanceImageId"/>.</summary>
    protected const string GlanceImageIdSet = "GlanceImageId";

    /// <summary>The parameter set of <see cref="GlanceImage"/>.</summary>
    protected const string GlanceImageSet = "GlanceImage";

    /// <summary>The parameter set of <see cref="Uri"/>.</summary>
    protected const string UriSet = "Uri";

    private GlanceClient? _client;
    private WebReader? _reader;

    /// <summary>Images in Glance, by id or name.</summary>
    [Parameter(Mandatory = true, ParameterSetName = GlanceImageIdSet, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(GlanceImageNameCompleter))]
    [ValidateNotNullOrEmpty]
    public string[] GlanceImageId { get; set; } = [];

    /// <summary>An image in Glance, as Get-GlanceImage emits it.</summary>
    [Parameter(Mandatory = true, ParameterSetName = GlanceImageSet, ValueFromPipeline = true)]
    [ValidateNotNull]
    public GlanceImage? GlanceImage { get; set; }

    /// <summary>Images on the web, by http or https.</summary>
    [Parameter(Mandatory = true, ParameterSetName = UriSet, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public Uri[] Uri { get; set; } = [];

    /// <summary>The session; without it, the default one.</summary>
    [Parameter(ParameterSetName = GlanceImageIdSet)]
    [Parameter(ParameterSetName = GlanceImageSet)]
    [ValidateNotNull]
    public ImageServiceSession? Session { get; set; }

    /// <summary>Ask machines that are not on the public internet as well.</summary>
    [Parameter(ParameterSetName = UriSet)]
    public SwitchParameter AllowPrivateAddress { get; set; }

    /// <summary>The proxy to ask through, which then decides what is asked.</summary>
    [Parameter(ParameterSetName = UriSet)]
    [ValidateNotNull]
    public Uri? Proxy { get; set; }

    /// <summary>What may be read of an image of which no ranges can be had, in bytes.</summary>
    [Parameter(ParameterSetName = GlanceImageIdSet)]
    [Parameter(ParameterSetName = GlanceImageSet)]
    [Parameter(ParameterSetName = UriSet)]
    [ValidateRange(1, long.MaxValue)]
    public long MaximumDownload { get; set; } = RemoteInspectionOptions.DefaultMaximumDownload;

    /// <summary>How an image somewhere else is inspected.</summary>
    protected abstract RemoteInspectionOptions RemoteOptions { get; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        switch (ParameterSetName)
        {
            case GlanceImageIdSet:
                var client = Client;
                foreach (var id in GlanceImageId)
                {
                    ForItem(id, () => Inspect(
                        client, Await(new ValueTask<GlanceImage>(client.FindAsync(id, StopToken)))));
                }

                break;
            case GlanceImageSet:
                var glance = Client;
                ForItem(GlanceImage!.Id, () => Inspect(glance, GlanceImage));
                break;
            case UriSet:
                var reader = Reader;
                foreach (var uri in Uri)
                {
                    ForItem(WebAddress.ToText(uri), () => Inspect(reader, uri));
                }

                break;
            default:
                base.ProcessRecord();
                break;
        }
    }

    /// <summary>Emits what an image somewhere else is.</summary>
    protected abstract void Emit(RemoteInspection result);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _reader?.Dispose();
        }

        base.Dispose(disposing);
    }

    private GlanceClient Client
    {
        get
        {
            ThrowIfOnlyForFiles();
            return _client ??= MakeGlanceClient(Session);
        }
    }

    private WebReader Reader
    {
        get
        {
            ThrowIfOnlyForFiles();
            try
            {
                return _reader ??= new WebReader(
                    new WebOptions { AllowPrivateAddresses = AllowPrivateAddress, Proxy = Proxy });
            }
            catch (WebAddressException exception)
            {
                ThrowTerminatingError(ErrorRecords.From(exception, nameof(Proxy)));
                throw;
            }
        }
    }

    private void Inspect(GlanceClient client, GlanceImage image) => EmitRemote(AwaitWithProgress(
        progress => RemoteInspector.InspectAsync(client, image, LimitedOptions, progress, StopToken),
        $"Inspecting the image {image.Id}"));

    private void Inspect(WebReader reader, Uri uri) => EmitRemote(AwaitWithProgress(
        progress => RemoteInspector.InspectAsync(reader, uri, LimitedOptions, progress, StopToken),
        $"Inspecting {WebAddress.ToText(uri)}"));

    private RemoteInspectionOptions LimitedOptions => RemoteOptions with { MaximumDownload = MaximumDownload };

    private void EmitRemote(RemoteInspection result)
    {
        WriteVerbose(
            $"'{result.Name}': bytes read: {result.BytesRead}, requests: {result.Requests}"
            + (result.IsPartial ? "; the rest was not read, for a check has failed." : "."));
        Emit(result);
    }

    private void ThrowIfOnlyForFiles()
    {
        if (MyInvocation.BoundParameters.ContainsKey(nameof(AllowBackingFile)))
        {
            ThrowTerminatingError(ErrorRecords.OnlyForFiles(nameof(AllowBackingFile)));
        }
    }
}
