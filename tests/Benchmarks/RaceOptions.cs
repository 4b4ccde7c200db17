namespace ImageUtils.Benchmarks;

/// <summary>The <c>--name value</c> pairs and flags of one of this program's commands.</summary>
internal sealed class RaceOptions
{
    private readonly Dictionary<string, string> _values = [];

    /// <param name="arguments">What follows the command's name.</param>
    /// <param name="flags">The names that have no value.</param>
    /// <param name="names">The names that have one.</param>
    /// <exception cref="ArgumentException">A name is unknown, or its value is missing.</exception>
    internal RaceOptions(ReadOnlySpan<string> arguments, string[] flags, params string[] names)
    {
        for (var index = 0; index < arguments.Length; index++)
        {
            var name = arguments[index];
            if (flags.Contains(name))
            {
                _values[name] = "";
            }
            else if (names.Contains(name) && index + 1 < arguments.Length)
            {
                _values[name] = arguments[++index];
            }
            else
            {
                throw new ArgumentException(
                    $"'{name}' is not understood. Known are {string.Join(", ", [.. names, .. flags])}.");
            }
        }
    }

    internal string? this[string name] => _values.GetValueOrDefault(name);

    internal bool Has(string name) => _values.ContainsKey(name);

    internal int Number(string name, int otherwise) => this[name] is { } text ? int.Parse(text) : otherwise;
}
