using System.Text;

namespace ImageUtils.Qemu;

/// <summary>
/// A list <c>name=value,name=value</c> as qemu reads it: a comma in a value is written twice, and nothing else is
/// special (QEMU, util/qemu-option.c, <c>get_opt_value</c>).
/// </summary>
internal sealed class QemuOptionList
{
    private readonly StringBuilder _text = new();

    internal bool IsEmpty => _text.Length == 0;

    internal QemuOptionList Add(string name, string value)
    {
        _text.Append(_text.Length > 0 ? "," : "").Append(name).Append('=')
            .Append(value.Replace(",", ",,", StringComparison.Ordinal));
        return this;
    }

    /// <summary>As it goes behind <c>-o</c> and its like.</summary>
    public override string ToString() => _text.ToString();
}
