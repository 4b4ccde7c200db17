using System.CommandLine.Parsing;

namespace ImageUtils.Cli;

/// <summary>Reads a size such as <c>512</c> or <c>1.5G</c> from a command line.</summary>
internal static class SizeOption
{
    internal static long Parse(ArgumentResult result)
    {
        if (ByteSize.TryParse(result.Tokens[0].Value, out var size))
        {
            return size;
        }

        result.AddError($"'{result.Tokens[0].Value}' is not a size. Use bytes, or a size such as 64K or 1.5G.");
        return 0;
    }
}
