using ImageUtils.Errors;

namespace ImageUtils.Cli;

/// <summary>Says what went wrong as every command does, and ends as every command does.</summary>
internal static class CommandErrors
{
    // What a shell expects of a program that Ctrl+C ended.
    private const int Interrupted = 130;

    internal static async Task<int> RunAsync(Func<Task<int>> work)
    {
        try
        {
            return await work().ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("imageutils: stopped; nothing was left half written.")
                .ConfigureAwait(false);
            return Interrupted;
        }
        catch (Exception exception) when (exception is ImageUtilsException or IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"imageutils: {exception.Message}").ConfigureAwait(false);
            return ExitCode.Error;
        }
    }
}
