using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using ImageUtils.Errors;
using ImageUtils.Glance;
using ImageUtils.Keystone;

namespace ImageUtils.PowerShell.Binding;

/// <summary>Completes what Glance knows, asked in the session that the command names, two seconds at most.</summary>
public abstract class GlanceCompleter : IArgumentCompleter
{
    private const int MostOffered = 100;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters)
    {
        var session = (fakeBoundParameters["Session"] as PSObject)?.BaseObject as ImageServiceSession
            ?? fakeBoundParameters["Session"] as ImageServiceSession ?? SessionTable.Default;
        if (session is null)
        {
            return [];
        }

        var typed = wordToComplete.Trim('\'', '"');
        using var patience = new CancellationTokenSource(s_patience);
        try
        {
            // Not on the pipeline's thread, which would be waited for in vain by a synchronisation context.
            return Task.Run(() => FindAsync(new GlanceClient(session), typed, patience.Token)).GetAwaiter().GetResult();
        }
        catch (Exception exception) when (exception is ImageUtilsException or OperationCanceledException)
        {
            // Whoever runs the command is told what is wrong.
            return [];
        }
    }

    /// <summary>Everything that fits, in the order in which it is offered.</summary>
    private protected abstract IAsyncEnumerable<CompletionResult?> OfferAsync(
        GlanceClient client, string typed, CancellationToken cancellationToken);

    private protected static CompletionResult? Offer(
        string typed, string value, string label, string tip, string? also = null) =>
        !value.StartsWith(typed, StringComparison.OrdinalIgnoreCase)
            && also?.StartsWith(typed, StringComparison.OrdinalIgnoreCase) is not true
            ? null
            : new CompletionResult(
                value.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.')
                    ? value
                    : $"'{CodeGeneration.EscapeSingleQuotedStringContent(value)}'",
                label, CompletionResultType.ParameterValue, tip);

    private async Task<IReadOnlyList<CompletionResult>> FindAsync(
        GlanceClient client, string typed, CancellationToken cancellationToken)
    {
        var offered = new List<CompletionResult>();
        try
        {
            await foreach (var one in OfferAsync(client, typed, cancellationToken))
            {
                if (one is not null && offered.TrueForAll(other => other.CompletionText != one.CompletionText))
                {
                    offered.Add(one);
                }

                if (offered.Count == MostOffered)
                {
                    break;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // What came in time is better than nothing.
        }

        return offered;
    }
}

/// <summary>Completes the names of images.</summary>
public sealed class GlanceImageNameCompleter : GlanceCompleter
{
    private protected override async IAsyncEnumerable<CompletionResult?> OfferAsync(
        GlanceClient client,
        string typed,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var image in client.ListAsync(new GlanceImageFilter { Sort = "name:asc" }, cancellationToken))
        {
            yield return image.Name is { Length: > 0 } name
                ? Offer(typed, name, name, $"{image.Id}, {image.Status}, {image.DiskFormat}")
                : null;
        }
    }
}

/// <summary>Completes ids of images, by the id or by the name.</summary>
public sealed class GlanceImageIdCompleter : GlanceCompleter
{
    private protected override async IAsyncEnumerable<CompletionResult?> OfferAsync(
        GlanceClient client,
        string typed,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var image in client.ListAsync(new GlanceImageFilter { Sort = "name:asc" }, cancellationToken))
        {
            yield return Offer(
                typed, image.Id, image.ToString(), $"{image.Name ?? image.Id}, {image.Status}, {image.DiskFormat}",
                image.Name);
        }
    }
}

/// <summary>Completes the ids of stores.</summary>
public sealed class GlanceStoreCompleter : GlanceCompleter
{
    private protected override async IAsyncEnumerable<CompletionResult?> OfferAsync(
        GlanceClient client,
        string typed,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var store in await client.GetStoresAsync(cancellationToken))
        {
            yield return Offer(typed, store.Id, store.Id, store.Description is { Length: > 0 } text ? text : store.Id);
        }
    }
}

/// <summary>Completes the names of import methods.</summary>
public sealed class GlanceImportMethodCompleter : GlanceCompleter
{
    private protected override async IAsyncEnumerable<CompletionResult?> OfferAsync(
        GlanceClient client,
        string typed,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var method in await client.GetImportMethodsAsync(cancellationToken))
        {
            yield return Offer(typed, method, method, method);
        }
    }
}
