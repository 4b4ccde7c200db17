using System.Net;

namespace ImageUtils.Errors;

/// <summary>A service answered with a status that is no success.</summary>
/// <param name="message">What was asked, the status, what the service said, and its request id.</param>
/// <param name="status">The status.</param>
/// <param name="requestId">The service's name for the request, which finds it in its log; null for none.</param>
public class ServiceResponseException(string message, HttpStatusCode status, string? requestId)
    : ImageUtilsException(message)
{
    /// <summary>The status.</summary>
    public HttpStatusCode Status => status;

    /// <summary>The <c>x-openstack-request-id</c>; null where the service gave none.</summary>
    public string? RequestId => requestId;

    /// <summary>Whether the service says that nothing was done, and not that something went wrong.</summary>
    internal bool IsRefusal => (int)status is >= 400 and < 500 && status != HttpStatusCode.RequestTimeout;

    /// <inheritdoc/>
    public override string ErrorId => status switch
    {
        HttpStatusCode.Forbidden => "ServiceForbids",
        HttpStatusCode.NotFound => "ServiceHasNoSuchThing",
        HttpStatusCode.Conflict => "ServiceConflict",
        _ => "ServiceRefused",
    };
}

/// <summary>The credential was not accepted: by Keystone, or by a service, and another token did not help.</summary>
/// <inheritdoc cref="ServiceResponseException"/>
public sealed class AuthenticationFailedException(string message, string? requestId)
    : ServiceResponseException(message, HttpStatusCode.Unauthorized, requestId)
{
    /// <inheritdoc/>
    public override string ErrorId => "AuthenticationFailed";
}

/// <summary>The service answered with something that it should not have: no token, or no JSON.</summary>
/// <inheritdoc cref="ServiceResponseException"/>
public sealed class ServiceAnswerException(string message, HttpStatusCode status, string? requestId)
    : ServiceResponseException(message, status, requestId)
{
    /// <inheritdoc/>
    public override string ErrorId => "ServiceAnswerNotUnderstood";
}

/// <summary>No connection to a service could be made, or it was cut.</summary>
/// <param name="message">Where, and why not.</param>
/// <param name="uri">Where.</param>
/// <param name="innerException">What the network said.</param>
public class ServiceUnreachableException(string message, Uri uri, Exception? innerException)
    : ImageUtilsException(message, innerException)
{
    /// <summary>Where.</summary>
    public Uri Uri => uri;

    /// <inheritdoc/>
    public override string ErrorId => "ServiceUnreachable";
}

/// <summary>A service's certificate is not trusted.</summary>
/// <inheritdoc cref="ServiceUnreachableException"/>
public sealed class ServiceCertificateException(string message, Uri uri, Exception? innerException)
    : ServiceUnreachableException(message, uri, innerException)
{
    /// <inheritdoc/>
    public override string ErrorId => "ServiceCertificateNotTrusted";
}

/// <summary>A service did not answer in time.</summary>
/// <inheritdoc cref="ServiceUnreachableException"/>
public sealed class ServiceTimedOutException(string message, Uri uri, Exception? innerException)
    : ServiceUnreachableException(message, uri, innerException)
{
    /// <inheritdoc/>
    public override string ErrorId => "ServiceTimedOut";
}

/// <summary>The catalogue has no endpoint of a service for the interface and region that were asked for.</summary>
/// <param name="serviceType">The service's type, such as <c>image</c>.</param>
/// <param name="message">What there is instead.</param>
public sealed class EndpointNotFoundException(string serviceType, string message) : ImageUtilsException(message)
{
    /// <summary>The service's type, such as <c>image</c>.</summary>
    public string ServiceType => serviceType;

    /// <inheritdoc/>
    public override string ErrorId => "EndpointNotFound";
}

/// <summary>The session was closed.</summary>
public sealed class SessionClosedException()
    : ImageUtilsException("This session is closed. Make another with Connect-ImageService.")
{
    /// <inheritdoc/>
    public override string ErrorId => "SessionClosed";
}
