using System.Text;
using ImageUtils.Qemu;

namespace ImageUtils.Tests.Qemu;

public sealed class QemuProgressTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(1000)]
    public void Percents_are_read_however_they_are_cut(int pieceLength)
    {
        const string Output = "    (0.00/100%)\r    (12.50/100%)\r(1\r    (12.50/100%)\r(x/100%)(.../100%)(/100%)"
            + "(200.00/100%)(11111111111111111111111111/100%)    (7.00/100%)\r"
            + "    (100.00/100%)\r\n    (100.00/100%)\r\n";
        var seen = new Recorder();
        var progress = new QemuProgress(seen);
        foreach (var piece in Encoding.ASCII.GetBytes(Output).Chunk(pieceLength))
        {
            progress.Read(piece);
        }

        Assert.Equal([0, 12.5, 100], seen.Percents);
    }

    private sealed class Recorder : IProgress<double>
    {
        public List<double> Percents { get; } = [];

        public void Report(double value) => Percents.Add(value);
    }
}
