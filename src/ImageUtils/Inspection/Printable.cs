using System.Text;

namespace ImageUtils.Inspection;

/// <summary>Makes text out of an image fit for a message: control characters shown, length limited.</summary>
internal static class Printable
{
    private const int MaximumLength = 200;

    internal static string Text(string text)
    {
        var builder = new StringBuilder(Math.Min(text.Length, MaximumLength) + 1);
        foreach (var character in text.AsSpan(0, Math.Min(text.Length, MaximumLength)))
        {
            builder.Append(char.IsControl(character) || char.IsSurrogate(character) ? '\ufffd' : character);
        }

        return text.Length > MaximumLength ? builder.Append('…').ToString() : builder.ToString();
    }
}
