using ImageUtils.Tests.OpenStack;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Glance;

/// <summary>
/// Work with a real Glance that is disturbed at a few points of many; the others are for the benchmarks' glance-faults.
/// </summary>
public sealed class GlanceFaultTests(GlanceFaultTests.Images images) : IClassFixture<GlanceFaultTests.Images>
{
    [SkippableTheory]
    [InlineData("resume qcow2", 5)]
    [InlineData("import tables", 6)]
    [InlineData("import vhd", 4)]
    [InlineData("import gz", 4)]
    [InlineData("publish qcow2", 6)]
    [InlineData("refill raw", 4)]
    [InlineData("create", 4)]
    public async Task Work_that_is_disturbed_is_complete_and_right_or_leaves_nothing_but_an_error(string name, int count)
    {
        var one = new FaultCase(images.Cloud, name);
        var calm = await CalmAsync(one);
        var random = new Random(2);

        // What falls silent takes its time.
        var points = FaultPoints.Boundaries(calm.Exchanges, false)
            .Where(fault => fault.Kind is not (FaultKind.StallAnswer or FaultKind.StallRequest)).ToArray();
        random.Shuffle(points);
        foreach (var fault in points.Take(count - 1).Append(FaultPoints.Any(calm.Exchanges, random)))
        {
            var result = await RunAsync(one, fault);
            Assert.True(result.Violation is null, $"{name}, {fault}: {result.Outcome}, {result.Violation}");
        }
    }

    [SkippableTheory]
    [InlineData("import tables", "GET /file", FaultKind.OtherImageForRanges, 0, 0, "ImageUnacceptable")]
    [InlineData("import vhd", "GET /file", FaultKind.ChangedAnswer, 3_000_000, 0, "ImageHashMismatch")]
    [InlineData("import vhd", "GET /file", FaultKind.StallAnswer, 2_000_000, 0, "complete")]
    [InlineData("publish raw", "PUT /file", FaultKind.ChangedRequest, 3_000_000, 0, "ImageHashMismatch")]
    [InlineData("publish raw", "PUT /file", FaultKind.StallRequest, 1_000_000, 0, "ImageUploadCut")]
    [InlineData("create", "POST /images", FaultKind.StatusAfterwards, 0, 502, "complete")]
    [InlineData("create", "POST /images", FaultKind.CutAnswer, 0, 0, "complete")]
    [InlineData("create with Keystone", "POST /images", FaultKind.Status, 0, 401, "complete")]
    [InlineData("create with Keystone", "POST /tokens", FaultKind.CutAnswer, 1000, 0, "complete")]
    [InlineData("create with Keystone", "POST /tokens", FaultKind.StallAnswer, 1000, 0, "complete")]
    public async Task A_fault_ends_as_it_should(
        string name, string request, FaultKind kind, long at, int status, string outcome)
    {
        var one = new FaultCase(images.Cloud, name);
        var number = (await CalmAsync(one)).Exchanges.Last(
            exchange => request.StartsWith(exchange.Method, StringComparison.Ordinal)
                && exchange.Path.EndsWith(request.Split(' ')[1], StringComparison.Ordinal)).Number;
        var fault = kind == FaultKind.OtherImageForRanges
            ? new Fault(kind, 1, IsLasting: true)
            : new Fault(kind, number, at, status);
        var result = await RunAsync(one, fault);
        Assert.Equal((outcome, null), (result.Outcome, result.Violation));
    }

    private async Task<FaultResult> CalmAsync(FaultCase one)
    {
        if (!images.Calm.TryGetValue(one.Name, out var calm))
        {
            calm = images.Calm[one.Name] = await RunAsync(one, null);
            Assert.Equal(("complete", null), (calm.Outcome, calm.Violation));
        }

        return calm;
    }

    private async Task<FaultResult> RunAsync(FaultCase one, Fault? fault) => await one.RunAsync(
        Directory.CreateDirectory(images.Directory[Guid.NewGuid().ToString("N")]).FullName, fault);

    /// <summary>The images that are read, uploaded once.</summary>
    public sealed class Images : IDisposable
    {
        private readonly Lazy<FaultyCloud> _cloud;

        public Images() => _cloud = new Lazy<FaultyCloud>(() =>
        {
            var cloud = OpenStackCloud.Require();
            return new FaultyCloud(
                new CloudPlaces(new Uri(cloud.OpenGlance), new Uri(cloud.Glance), new Uri(cloud.Keystone)),
                System.IO.Directory.CreateDirectory(Directory["files"]).FullName);
        });

        internal FaultyCloud Cloud => _cloud.Value;

        internal TemporaryDirectory Directory { get; } = new();

        /// <summary>How each case ends undisturbed.</summary>
        internal Dictionary<string, FaultResult> Calm { get; } = [];

        public void Dispose()
        {
            if (_cloud.IsValueCreated)
            {
                _cloud.Value.Dispose();
            }

            Directory.Dispose();
        }
    }
}
