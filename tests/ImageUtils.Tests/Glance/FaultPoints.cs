using ImageUtils.Tests.OpenStack;

namespace ImageUtils.Tests.Glance;

/// <summary>Where a piece of work can be disturbed, by what it asks and is answered when it is not.</summary>
internal static class FaultPoints
{
    private static readonly int[] s_statuses = [302, 401, 403, 404, 409, 429, 500, 502, 503];

    /// <summary>Every boundary: before, in and after each head, the first and last byte of each body, of each request.</summary>
    public static IEnumerable<Fault> Boundaries(IReadOnlyList<Exchange> exchanges, bool isTable)
    {
        foreach (var one in exchanges)
        {
            foreach (var at in Edges(one.RequestHead, one.RequestLength))
            {
                yield return new Fault(FaultKind.CutRequest, one.Number, at);
                yield return new Fault(FaultKind.StallRequest, one.Number, at);
            }

            foreach (var at in Edges(one.AnswerHead, one.AnswerLength))
            {
                yield return new Fault(FaultKind.CutAnswer, one.Number, at);
                yield return new Fault(FaultKind.StallAnswer, one.Number, at);
            }

            foreach (var status in s_statuses)
            {
                yield return new Fault(FaultKind.Status, one.Number, 0, status);
            }

            // Who says "not found" for good is believed.
            foreach (var status in s_statuses.Except([404]))
            {
                yield return new Fault(FaultKind.Status, one.Number, 0, status, IsLasting: true);
            }

            foreach (var status in new[] { 500, 502, 504 })
            {
                yield return new Fault(FaultKind.StatusAfterwards, one.Number, 0, status);
            }

            yield return new Fault(FaultKind.Garbage, one.Number);
            yield return new Fault(FaultKind.Garbage, one.Number, IsLasting: true);
            var body = one.AnswerLength - one.AnswerHead;
            foreach (var by in new[] { -body, -1, 1, 4096 }.Where(_ => body > 0))
            {
                yield return new Fault(FaultKind.WrongLength, one.Number, by);
            }

            foreach (var at in new[] { 0, 1, body / 2, body - 1, body }.Where(_ => body > 0))
            {
                yield return new Fault(FaultKind.TruncatedChunks, one.Number, at);
            }

            if (one.IsImageData)
            {
                var sent = one.RequestLength - one.RequestHead;
                foreach (var (kind, length) in new[] { (FaultKind.ChangedAnswer, body), (FaultKind.ChangedRequest, sent) })
                {
                    foreach (var at in new[] { 0, 700, length / 2, length - 1 }.Where(at => at >= 0 && at < length))
                    {
                        yield return new Fault(kind, one.Number, at);
                        yield return new Fault(kind, one.Number, at, IsLasting: true);
                    }
                }
            }
        }

        if (isTable)
        {
            yield return new Fault(FaultKind.OtherImageForRanges, 1, IsLasting: true);
        }
    }

    /// <summary>A fault anywhere.</summary>
    public static Fault Any(IReadOnlyList<Exchange> exchanges, Random random)
    {
        var one = exchanges[random.Next(exchanges.Count)];
        var isLasting = random.Next(5) == 0;
        var body = Math.Max(1, one.AnswerLength - one.AnswerHead);
        var sent = one.RequestLength - one.RequestHead;
        return random.Next(one.IsImageData ? 9 : 7) switch
        {
            0 => Of(FaultKind.CutAnswer, random.NextInt64(one.AnswerLength + 1)),
            1 => Of(FaultKind.StallAnswer, random.NextInt64(one.AnswerLength + 1)),
            2 => Of(FaultKind.CutRequest, random.NextInt64(one.RequestLength + 1)),
            3 => Of(FaultKind.StallRequest, random.NextInt64(one.RequestLength + 1)),
            4 => Of(FaultKind.TruncatedChunks, random.NextInt64(body)),
            5 => Of(FaultKind.WrongLength, random.NextInt64(-body, 100_000)),
            6 when random.Next(2) == 0 => Of(FaultKind.StatusAfterwards, 0) with { Status = random.Next(500, 505) },
            6 => Of(FaultKind.Status, 0) with
            {
                Status = s_statuses[random.Next(s_statuses.Length)],
                IsLasting = false,
            },
            7 when sent > 0 => Of(FaultKind.ChangedRequest, random.NextInt64(sent)),
            _ => Of(FaultKind.ChangedAnswer, random.NextInt64(body)),
        };

        Fault Of(FaultKind kind, long at) => new(kind, one.Number, at, IsLasting: isLasting);
    }

    private static IEnumerable<long> Edges(long head, long length) =>
        new[] { 0, 1, head / 2, head - 1, head, head + 1, length - 1, length }.Where(at => at >= 0 && at <= length).Distinct();
}
