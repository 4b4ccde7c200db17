using System.Net;

namespace ImageUtils.Errors;

/// <summary>Glance has no image of this id or name, or none that the session may see.</summary>
/// <param name="image">The id or name.</param>
/// <param name="message">What was asked.</param>
/// <param name="status">The status; <see cref="HttpStatusCode.NotFound"/> where a list was empty.</param>
/// <param name="requestId">The service's name for the request; null where it gave none.</param>
public sealed class ImageNotFoundInGlanceException(
    string image, string message, HttpStatusCode status, string? requestId)
    : ServiceResponseException(message, status, requestId)
{
    /// <summary>The id or name.</summary>
    public string Image => image;

    /// <inheritdoc/>
    public override string ErrorId => "ImageNotFoundInGlance";
}

/// <summary>Several images have this name.</summary>
/// <param name="name">The name.</param>
/// <param name="ids">Some of their ids.</param>
/// <param name="message">What to do instead.</param>
public sealed class ImageNameAmbiguousException(string name, IReadOnlyList<string> ids, string message)
    : ImageUtilsException(message)
{
    /// <summary>The name.</summary>
    public string Name => name;

    /// <summary>Ids of images that have it; not all where there are many.</summary>
    public IReadOnlyList<string> Ids => ids;

    /// <inheritdoc/>
    public override string ErrorId => "ImageNameAmbiguous";
}

/// <summary>The image is protected, and cannot be deleted.</summary>
/// <inheritdoc cref="ServiceResponseException"/>
/// <param name="image">The image's id.</param>
/// <param name="message">What was asked, and what to do.</param>
/// <param name="status">The status.</param>
/// <param name="requestId">The service's name for the request.</param>
public sealed class ImageProtectedException(string image, string message, HttpStatusCode status, string? requestId)
    : ServiceResponseException(message, status, requestId)
{
    /// <summary>The image's id.</summary>
    public string Image => image;

    /// <inheritdoc/>
    public override string ErrorId => "ImageProtected";
}

/// <summary>The image's status or an import that is under way does not allow what was asked.</summary>
/// <inheritdoc cref="ImageProtectedException"/>
public sealed class ImageStateConflictException(
    string image, string message, HttpStatusCode status, string? requestId)
    : ServiceResponseException(message, status, requestId)
{
    /// <summary>The image's id.</summary>
    public string Image => image;

    /// <inheritdoc/>
    public override string ErrorId => "ImageStateConflict";
}

/// <summary>Glance takes no more: the image is larger than it allows, or a quota is used up.</summary>
/// <inheritdoc cref="ImageProtectedException"/>
public sealed class ImageQuotaException(string image, string message, HttpStatusCode status, string? requestId)
    : ServiceResponseException(message, status, requestId)
{
    /// <summary>The image's id; its name where it has none yet.</summary>
    public string Image => image;

    /// <inheritdoc/>
    public override string ErrorId => "ImageQuotaExceeded";
}

/// <summary>The image has no data: nothing was uploaded yet, or its store has lost it.</summary>
/// <inheritdoc cref="ImageProtectedException"/>
public sealed class ImageHasNoDataException(string image, string message, HttpStatusCode status, string? requestId)
    : ServiceResponseException(message, status, requestId)
{
    /// <summary>The image's id.</summary>
    public string Image => image;

    /// <inheritdoc/>
    public override string ErrorId => "ImageHasNoData";
}

/// <summary>Glance, or the image's store, reads no ranges of this image.</summary>
/// <inheritdoc cref="ImageProtectedException"/>
public sealed class ImageRangesUnsupportedException(
    string image, string message, HttpStatusCode status, string? requestId)
    : ServiceResponseException(message, status, requestId)
{
    /// <summary>The image's id.</summary>
    public string Image => image;

    /// <inheritdoc/>
    public override string ErrorId => "ImageRangesUnsupported";
}

/// <summary>The range begins behind the image's end.</summary>
/// <inheritdoc cref="ImageProtectedException"/>
public sealed class ImageRangeBeyondEndException(
    string image, string message, HttpStatusCode status, string? requestId)
    : ServiceResponseException(message, status, requestId)
{
    /// <summary>The image's id.</summary>
    public string Image => image;

    /// <inheritdoc/>
    public override string ErrorId => "ImageRangeBeyondEnd";
}

/// <summary>A download was cut, or stalled, more often than it is continued.</summary>
/// <param name="message">Which, and where it ended.</param>
/// <param name="uri">Where.</param>
/// <param name="offset">The first byte of the image that did not arrive.</param>
/// <param name="innerException">What the network said.</param>
public sealed class ImageDownloadCutException(string message, Uri uri, long offset, Exception? innerException)
    : ServiceUnreachableException(message, uri, innerException)
{
    /// <summary>The first byte of the image that did not arrive, in bytes.</summary>
    public long Offset => offset;

    /// <inheritdoc/>
    public override string ErrorId => "ImageDownloadCut";
}

/// <summary>An upload was cut, or stalled. It is not made again by itself.</summary>
/// <param name="message">Which, and where it ended.</param>
/// <param name="uri">Where.</param>
/// <param name="bytesSent">How many bytes had been handed to the network.</param>
/// <param name="innerException">What the network said.</param>
public sealed class ImageUploadCutException(string message, Uri uri, long bytesSent, Exception? innerException)
    : ServiceUnreachableException(message, uri, innerException)
{
    /// <summary>How many bytes had been handed to the network.</summary>
    public long BytesSent => bytesSent;

    /// <inheritdoc/>
    public override string ErrorId => "ImageUploadCut";
}

/// <summary>What was written for an upload is not as long as was announced.</summary>
/// <param name="image">The image's id.</param>
/// <param name="announced">What was announced, in bytes.</param>
/// <param name="written">What was written, in bytes; where it was too much, with the piece that was.</param>
public sealed class ImageUploadLengthException(string image, long announced, long written) : ImageUtilsException(
    $"Image '{image}': {announced} bytes were announced for the upload, but {written} were written. "
    + "Check that the source does not change, and upload again.")
{
    /// <summary>The image's id.</summary>
    public string Image => image;

    /// <summary>What was announced, in bytes.</summary>
    public long Announced => announced;

    /// <summary>What was written, in bytes.</summary>
    public long Written => written;

    /// <inheritdoc/>
    public override string ErrorId => "ImageUploadLengthWrong";
}

/// <summary>Glance has no store of this id.</summary>
/// <param name="store">The id.</param>
/// <param name="message">Which there are.</param>
public sealed class GlanceStoreNotFoundException(string store, string message) : ImageUtilsException(message)
{
    /// <summary>The id.</summary>
    public string Store => store;

    /// <inheritdoc/>
    public override string ErrorId => "GlanceStoreNotFound";
}

/// <summary>The store can be read only.</summary>
/// <param name="store">Its id.</param>
/// <param name="message">Which can be written to.</param>
public sealed class GlanceStoreReadOnlyException(string store, string message) : ImageUtilsException(message)
{
    /// <summary>Its id.</summary>
    public string Store => store;

    /// <inheritdoc/>
    public override string ErrorId => "GlanceStoreReadOnly";
}

/// <summary>Glance does not import by this method, or the method lacks something.</summary>
/// <param name="method">The method.</param>
/// <param name="message">Which there are, or what is missing.</param>
public sealed class ImportMethodException(string method, string message) : ImageUtilsException(message)
{
    /// <summary>The method.</summary>
    public string Method => method;

    /// <inheritdoc/>
    public override string ErrorId => "ImportMethodUnusable";
}

/// <summary>An import failed in Glance.</summary>
/// <param name="image">The image's id.</param>
/// <param name="stores">The stores that it failed for, as far as Glance says.</param>
/// <param name="message">What Glance said.</param>
/// <param name="requestId">The request that began it; null where Glance gave none.</param>
public sealed class ImageImportFailedException(
    string image, IReadOnlyList<string> stores, string message, string? requestId) : ImageUtilsException(message)
{
    /// <summary>The image's id.</summary>
    public string Image => image;

    /// <summary>The stores that it failed for, as far as Glance says.</summary>
    public IReadOnlyList<string> Stores => stores;

    /// <summary>The request that began it; null where Glance gave none.</summary>
    public string? RequestId => requestId;

    /// <inheritdoc/>
    public override string ErrorId => "ImageImportFailed";
}

/// <summary>An import did not end in the time that it was given. It goes on in Glance.</summary>
/// <param name="image">The image's id.</param>
/// <param name="message">How far it is.</param>
public sealed class ImageImportTimedOutException(string image, string message) : ImageUtilsException(message)
{
    /// <summary>The image's id.</summary>
    public string Image => image;

    /// <inheritdoc/>
    public override string ErrorId => "ImageImportTimedOut";
}

/// <summary>An image was converted, but what was to be done with the original could not be.</summary>
/// <param name="originalId">The original's id.</param>
/// <param name="newImageId">The new image's id.</param>
/// <param name="isNewImageKept">Whether the new image stays, because the original may be gone.</param>
/// <param name="message">What is there now.</param>
/// <param name="innerException">What Glance said.</param>
public sealed class OriginalImageException(
    string originalId, string newImageId, bool isNewImageKept, string message, Exception innerException)
    : ImageUtilsException(message, innerException)
{
    /// <summary>The original's id.</summary>
    public string OriginalId => originalId;

    /// <summary>The new image's id.</summary>
    public string NewImageId => newImageId;

    /// <summary>Whether the new image stays, because the original may be gone.</summary>
    public bool IsNewImageKept => isNewImageKept;

    /// <inheritdoc/>
    public override string ErrorId => "OriginalImageNotReplaced";
}
