namespace ImageUtils.Keystone;

/// <summary>One request to a service, which a session can make more than once.</summary>
/// <param name="Method">The method.</param>
/// <param name="Path">Where, under the service's endpoint: <c>v2/images</c>, with the query if there is one.</param>
public sealed record ServiceRequest(HttpMethod Method, string Path)
{
    /// <summary>The service's type in the catalogue: <c>image</c>, or <c>key-manager</c> for Barbican.</summary>
    public string ServiceType { get; init; } = "image";

    /// <summary>Headers of the request, such as Range; those of the body belong to the content.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>Makes the body, anew for each attempt; null for none. The session disposes of it.</summary>
    public Func<HttpContent>? Content { get; init; }

    /// <summary>
    /// Whether <see cref="Content"/> can be called again. Where it cannot, the request is made once, whatever happens,
    /// with a token that was good for some minutes when it began.
    /// </summary>
    public bool IsContentReplayable { get; init; } = true;

    /// <summary>
    /// Whether making the request twice does what making it once does: then it is made again after a connection that
    /// failed and after 429, 500, 502, 503 and 504. Null: GET and HEAD only.
    /// </summary>
    public bool? IsIdempotent { get; init; }

    /// <summary>
    /// How long the service may take until it begins to answer, the sending of the body included; null for the
    /// session's own. <see cref="Timeout.InfiniteTimeSpan"/> for a body that takes as long as it takes.
    /// </summary>
    public TimeSpan? AnswerWithin { get; init; }

    internal bool MayRepeat => IsContentReplayable && (IsIdempotent ?? Method.Method is "GET" or "HEAD");
}
