namespace ImageUtils.Glance;

/// <summary>What Glance is to import into an image, and where to.</summary>
public sealed record GlanceImport
{
    /// <summary>From where the data was staged.</summary>
    public const string GlanceDirect = "glance-direct";

    /// <summary>From a web server that Glance may ask.</summary>
    public const string WebDownload = "web-download";

    /// <summary>From the image's own data, into further stores.</summary>
    public const string CopyImage = "copy-image";

    /// <summary>From another region's Glance.</summary>
    public const string GlanceDownload = "glance-download";

    /// <summary>One of the constants, or another method that Glance has.</summary>
    public required string Method { get; init; }

    /// <summary>For web-download: from where.</summary>
    public Uri? Uri { get; init; }

    /// <summary>For glance-download: the other region.</summary>
    public string? RemoteRegion { get; init; }

    /// <summary>For glance-download: the image's id there.</summary>
    public string? RemoteImageId { get; init; }

    /// <summary>For glance-download: the other region's interface in the catalogue; null for public.</summary>
    public string? RemoteInterface { get; init; }

    /// <summary>The stores' ids; empty for the default one.</summary>
    public IReadOnlyList<string> Stores { get; init; } = [];

    /// <summary>Whether it goes into all stores that can be written to.</summary>
    public bool AllStores { get; init; }

    /// <summary>Whether one store's failure is all stores' failure; null for Glance's own choice, which is yes.</summary>
    public bool? AllStoresMustSucceed { get; init; }

    /// <summary>The body of the request.</summary>
    internal byte[] ToJson() => GlanceBody.Write(json =>
    {
        json.WriteStartObject();
        json.WriteStartObject("method");
        json.WriteString("name", Method);
        foreach (var (name, value) in new[]
        {
            ("uri", Uri?.AbsoluteUri), ("glance_region", RemoteRegion), ("glance_image_id", RemoteImageId),
            ("glance_service_interface", RemoteInterface),
        })
        {
            if (value is not null)
            {
                json.WriteString(name, value);
            }
        }

        json.WriteEndObject();
        if (AllStores)
        {
            json.WriteBoolean("all_stores", true);
        }
        else if (Stores.Count > 0)
        {
            GlanceBody.WriteList(json, "stores", Stores);
        }

        if (AllStoresMustSucceed is { } must)
        {
            json.WriteBoolean("all_stores_must_succeed", must);
        }

        json.WriteEndObject();
    });
}

/// <summary>An import that Glance has taken on.</summary>
/// <param name="ImageId">The image.</param>
/// <param name="RequestId">The request that began it, which its task names; null where Glance gave none.</param>
public sealed record GlanceImportTicket(string ImageId, string? RequestId);

/// <summary>How far an import is.</summary>
/// <param name="Image">The image.</param>
/// <param name="Task">The import's task; null where Glance does not tell.</param>
/// <param name="Elapsed">How long it is being waited for.</param>
public sealed record GlanceImportProgress(GlanceImage Image, GlanceTask? Task, TimeSpan Elapsed)
{
    /// <summary>The stores that are still to come.</summary>
    public IReadOnlyList<string> Remaining => Image.ImportingToStores;

    /// <summary>The stores that it failed for.</summary>
    public IReadOnlyList<string> Failed => Image.FailedImport;
}

/// <summary>An import that has ended well.</summary>
/// <param name="Image">The image, which is active.</param>
/// <param name="Task">The import's task; null where Glance does not tell.</param>
/// <param name="FailedStores">The stores that it failed for, where not all had to succeed.</param>
public sealed record GlanceImportResult(GlanceImage Image, GlanceTask? Task, IReadOnlyList<string> FailedStores);
