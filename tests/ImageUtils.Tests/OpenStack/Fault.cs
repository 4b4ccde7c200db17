namespace ImageUtils.Tests.OpenStack;

/// <summary>What a network, or what stands in it, does to one request.</summary>
public enum FaultKind
{
    /// <summary>The connection is reset after so many bytes of the answer, its head included.</summary>
    CutAnswer,

    /// <summary>After so many bytes of the answer nothing more comes.</summary>
    StallAnswer,

    /// <summary>The service gets so many bytes of the request, its head included, and then the connection is reset.</summary>
    CutRequest,

    /// <summary>The service gets so many bytes of the request, and then nobody takes any more.</summary>
    StallRequest,

    /// <summary>The answer is this status, and the service is not asked.</summary>
    Status,

    /// <summary>The answer is this status, but the service was asked and has done it.</summary>
    StatusAfterwards,

    /// <summary>The answer has a Content-Length that is so many bytes wrong.</summary>
    WrongLength,

    /// <summary>The answer comes in chunks and ends after so many bytes of its body, without the last chunk.</summary>
    TruncatedChunks,

    /// <summary>One bit of the answer's body is another.</summary>
    ChangedAnswer,

    /// <summary>One bit of the request's body is another.</summary>
    ChangedRequest,

    /// <summary>What comes is no HTTP.</summary>
    Garbage,

    /// <summary>Whoever asks for a range gets another image's.</summary>
    OtherImageForRanges,
}

/// <summary>A fault and where it happens.</summary>
/// <param name="Kind">What.</param>
/// <param name="Request">To which request, counted from 1.</param>
/// <param name="At">After how many bytes, at which byte of a body, or by how much.</param>
/// <param name="Status">The status of those that have one.</param>
/// <param name="IsLasting">Whether all later requests fare the same.</param>
internal sealed record Fault(FaultKind Kind, int Request, long At = 0, int Status = 0, bool IsLasting = false)
{
    /// <summary>For <see cref="FaultKind.OtherImageForRanges"/>: whose ranges come in place of whose.</summary>
    public (string Asked, string Given) Images { get; init; }

    public bool Concerns(int request) => IsLasting ? request >= Request : request == Request;

    public override string ToString() =>
        $"{Kind}{(Status > 0 ? $" {Status}" : "")} at {At} of request {Request}{(IsLasting ? " and all after it" : "")}";
}

/// <summary>A request that was passed on, and its answer. Lengths are bytes.</summary>
internal sealed class Exchange(int number, string method, string path)
{
    public int Number => number;

    public string Method => method;

    public string Path => path;

    public int RequestHead { get; set; }

    public long RequestLength { get; set; }

    /// <summary>With those heads that only say "continue".</summary>
    public int AnswerHead { get; set; }

    public long AnswerLength { get; set; }

    public bool IsImageData => path.EndsWith("/file", StringComparison.Ordinal)
        || path.EndsWith("/stage", StringComparison.Ordinal);

    public override string ToString() => $"{number}: {method} {path}";
}
