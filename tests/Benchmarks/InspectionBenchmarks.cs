using BenchmarkDotNet.Attributes;
using ImageUtils.Builders;
using ImageUtils.Inspection;

namespace ImageUtils.Benchmarks;

/// <summary>One inspection of one small image, file and stream.</summary>
[MemoryDiagnoser]
public class InspectionBenchmarks
{
    private string _path = "";
    private byte[] _bytes = [];

    /// <summary>A safe image of each format that the corpus has.</summary>
    public static IEnumerable<string> Images => Corpus.All.Where(image => image.FailedChecks.Length == 0)
        .DistinctBy(image => image.Format).Select(image => image.Name);

    [ParamsSource(nameof(Images))]
    public string Image { get; set; } = "";

    [GlobalSetup]
    public void Write()
    {
        _bytes = Corpus.All.Single(image => image.Name == Image).Bytes();
        _path = Path.GetTempFileName();
        File.WriteAllBytes(_path, _bytes);
    }

    [GlobalCleanup]
    public void Delete() => File.Delete(_path);

    [Benchmark]
    public async Task<ImageInspection> FromFile() => await ImageInspector.InspectFileAsync(_path);

    [Benchmark]
    public ImageInspection FromStream()
    {
        var inspector = new StreamInspector();
        inspector.Push(_bytes);
        return inspector.Complete();
    }
}
