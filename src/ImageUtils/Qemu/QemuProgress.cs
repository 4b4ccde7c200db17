using System.Buffers.Text;

namespace ImageUtils.Qemu;

/// <summary>
/// Reads what <c>qemu-img -p</c> prints, <c>    (12.34/100%)</c> and a carriage return, over and over (QEMU,
/// util/qemu-progress.c), however it is cut into pieces.
/// </summary>
/// <param name="progress">Is told percents, from 0 to 100, that only grow.</param>
internal sealed class QemuProgress(IProgress<double> progress)
{
    // "(100.00/100%)" and room to spare; what is longer is something else.
    private readonly byte[] _text = new byte[16];
    private int _length = -1;
    private double _last = -1;

    internal void Read(ReadOnlySpan<byte> output)
    {
        foreach (var one in output)
        {
            switch (one)
            {
                case (byte)'(':
                    _length = 0;
                    break;
                case (byte)'/' when _length > 0:
                    Report(_text.AsSpan(0, _length));
                    _length = -1;
                    break;
                case (byte)'.' or (>= (byte)'0' and <= (byte)'9') when _length >= 0 && _length < _text.Length:
                    _text[_length++] = one;
                    break;
                default:
                    _length = -1;
                    break;
            }
        }
    }

    private void Report(ReadOnlySpan<byte> text)
    {
        if (Utf8Parser.TryParse(text, out double percent, out var read) && read == text.Length
            && percent > _last && percent <= 100)
        {
            _last = percent;
            progress.Report(percent);
        }
    }
}
