using ImageUtils.Tests.OpenStack;
using ImageUtils.Tests.Support;
using Xunit.Abstractions;

namespace ImageUtils.Tests.Glance;

/// <summary>
/// Work with a real Glance that is disturbed at a few points of many; the others are the benchmarks' glance-faults.
/// </summary>
public sealed class GlanceFaultTests(ITestOutputHelper output) : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SkippableFact]
    public async Task All_all()
    {
        using var cloud = Open();
        var random = new Random(Environment.GetEnvironmentVariable("SEED") is { } seed ? int.Parse(seed) : 1);
        var count = int.Parse(Environment.GetEnvironmentVariable("ROUNDS") ?? "3");
        var only = Environment.GetEnvironmentVariable("CASE");
        foreach (var name in FaultCase.Names.Where(one => only is null || one == only))
        {
            var one = new FaultCase(cloud, name);
            var clock = System.Diagnostics.Stopwatch.StartNew();
            var calm = await one.RunAsync(Directory.CreateDirectory(_directory[Guid.NewGuid().ToString("N")]).FullName, null);
            output.WriteLine($"{name}: {calm.Outcome} {calm.Message} {calm.Violation} {clock.ElapsedMilliseconds} ms");
            foreach (var exchange in calm.Exchanges)
            {
                output.WriteLine($"    {exchange} {exchange.RequestHead} {exchange.RequestLength} {exchange.AnswerHead} {exchange.AnswerLength}");
            }

            if (calm.Violation is not null || calm.Outcome != "complete")
            {
                continue;
            }

            var points = FaultPoints.Boundaries(calm.Exchanges, name.Contains("tables")).ToArray();
            output.WriteLine($"    {points.Length} boundaries");
            random.Shuffle(points);
            if (Environment.GetEnvironmentVariable("FAULT") is { } text)
            {
                var part = text.Split(' ');
                points = [new Fault(Enum.Parse<FaultKind>(part[0]), int.Parse(part[1]), long.Parse(part[2]), int.Parse(part[3]), part.Length > 4)];
            }

            foreach (var fault in points.Take(count))
            {
                clock.Restart();
                var result = await one.RunAsync(Directory.CreateDirectory(_directory[Guid.NewGuid().ToString("N")]).FullName, fault);
                output.WriteLine($"    {(result.Violation is null ? "ok" : "BAD")} {fault}: {result.Outcome} {clock.ElapsedMilliseconds} ms {result.Message} {result.Violation}");
            }
        }
    }

    private FaultyCloud Open()
    {
        var cloud = OpenStackCloud.Require();
        return new FaultyCloud(
            new CloudPlaces(new Uri(cloud.OpenGlance), new Uri(cloud.Glance), new Uri(cloud.Keystone)),
            Directory.CreateDirectory(_directory["files"]).FullName);
    }
}
