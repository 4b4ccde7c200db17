using System.Text.Json.Nodes;
using ImageUtils.Errors;
using ImageUtils.Glance;
using ImageUtils.Tests.Conversion;
using ImageUtils.Tests.Support;
using static ImageUtils.Tests.Glance.GlanceFault;

namespace ImageUtils.Tests.Glance;

/// <summary>Conversions of an image with a service that fails: all is as it was, or the new image is there.</summary>
public sealed class GlanceImageConverterFaultTests : IDisposable
{
    private static readonly byte[] s_disk = SampleDisk.Make(length: 3 << 20);

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("GET", "original/file", Cut, typeof(ImageDownloadCutException))]
    [InlineData("GET", "original/file", Flip, typeof(ImageHashMismatchException))]
    [InlineData("GET", "original/file", Error, typeof(ServiceResponseException))]
    [InlineData("POST", "new", Error, typeof(ServiceResponseException))]
    [InlineData("PUT", "new/file", Error, typeof(ServiceResponseException))]
    [InlineData("PUT", "new/file", Cut, typeof(ImageUploadCutException))]
    [InlineData("PUT", "new/file", ErrorAfterwards, typeof(ServiceResponseException))]
    [InlineData("PUT", "new/file", SilentAfterwards, typeof(ImageUploadCutException))]
    [InlineData("PUT", "new/file", Flip, typeof(ImageHashMismatchException))]
    [InlineData("GET", "new", Error, typeof(ServiceResponseException))]
    [InlineData("PATCH", "original", Error, typeof(OriginalImageException))]
    [InlineData("PATCH", "new", Error, typeof(OriginalImageException))]
    [InlineData("PATCH", "original", ErrorAfterwards, typeof(OriginalImageException))]
    [InlineData("PATCH", "new", ErrorAfterwards, typeof(OriginalImageException))]
    public async Task What_fails_leaves_the_original_as_it_was_and_no_other_image(
        string method, string what, GlanceFault fault, Type expected)
    {
        var wrong = 0;
        using var glance = new FaultyGlance(
            s_disk, new JsonObject { ["name"] = "a", ["protected"] = true },
            (one, other) => (one, other) == (method, what) && ++wrong > 0 ? fault : None);
        var before = glance.State;
        var error = await ConvertAsync(glance, OriginalImage.Hidden);
        Assert.True(expected.IsInstanceOfType(error), $"{expected.Name}: {error}");
        Assert.True(wrong > 0);
        Assert.Equal(before, glance.State);
        Assert.Empty(glance.NewImages);
        Assert.Empty(_directory.Names());
    }

    [Theory]
    [InlineData("POST", "new", ErrorAfterwards)]
    [InlineData("POST", "new", SilentAfterwards)]
    [InlineData("PATCH", "original", ErrorAfterwards)]
    [InlineData("PATCH", "new", ErrorAfterwards)]
    public async Task One_answer_that_is_lost_does_no_harm(string method, string what, GlanceFault fault)
    {
        var wrong = 0;
        using var glance = new FaultyGlance(
            s_disk, new JsonObject { ["protected"] = true },
            (one, other) => (one, other) == (method, what) && ++wrong == 1 ? fault : None);
        Assert.Null(await ConvertAsync(glance, OriginalImage.Hidden));
        Assert.True(wrong > 1);
        Assert.True((bool)glance.RecordOf(FaultyGlance.Original)["os_hidden"]!);
        Assert.True((bool)glance.RecordOf(Assert.Single(glance.NewImages))["protected"]!);
    }

    [Fact]
    public async Task An_original_that_cannot_be_removed_stays_and_the_new_image_does_not()
    {
        using var glance = new FaultyGlance(
            s_disk, [], (method, what) => (method, what) == ("DELETE", "original") ? Error : None);
        var before = glance.State;
        var error = Assert.IsType<OriginalImageException>(await ConvertAsync(glance, OriginalImage.Removed));
        Assert.Equal((FaultyGlance.Original, false), (error.OriginalId, error.IsNewImageKept));
        Assert.Equal(before, glance.State);
        Assert.Empty(glance.NewImages);
    }

    [Theory]
    [InlineData(SilentAfterwards)]
    [InlineData(ErrorAfterwards)]
    public async Task An_original_that_is_gone_whatever_the_answer_was_is_gone(GlanceFault fault)
    {
        using var glance = new FaultyGlance(
            s_disk, [], (method, what) => (method, what) == ("DELETE", "original") ? fault : None);
        Assert.Null(await ConvertAsync(glance, OriginalImage.Removed));
        Assert.False(glance.HasOriginal);
        Assert.Single(glance.NewImages);
    }

    [Theory]
    [InlineData(Error, false)]
    [InlineData(SilentAfterwards, true)]
    public async Task Where_nobody_knows_whether_the_original_is_there_the_new_one_stays(GlanceFault fault, bool isGone)
    {
        var attempts = 0;
        var isDeleted = false;
        using var glance = new FaultyGlance(s_disk, [], (method, what) =>
        {
            isDeleted |= (method, what) == ("DELETE", "original");
            return !isDeleted || what != "original"
                ? None
                : method == "GET" || ++attempts > 1 ? Error : fault;
        });
        var error = Assert.IsType<OriginalImageException>(await ConvertAsync(glance, OriginalImage.Removed));
        Assert.True(error.IsNewImageKept);
        Assert.Equal(error.NewImageId, Assert.Single(glance.NewImages));
        Assert.Contains(error.NewImageId, error.Message, StringComparison.Ordinal);
        Assert.Equal(isGone, !glance.HasOriginal);
    }

    [Fact]
    public async Task An_image_that_cannot_be_deleted_again_is_named()
    {
        using var glance = new FaultyGlance(s_disk, [], (method, what) => (method, what) switch
        {
            ("PUT", _) => Cut,
            ("DELETE", "new") => Error,
            _ => None,
        });
        var error = Assert.IsType<ImageUnacceptableException>(await ConvertAsync(glance, OriginalImage.Removed));
        Assert.Contains(Assert.Single(glance.NewImages), error.Message, StringComparison.Ordinal);
        Assert.IsType<ImageUploadCutException>(error.InnerException);
        Assert.True(glance.HasOriginal);
    }

    [Theory]
    [InlineData("GET", "original/file")]
    [InlineData("POST", "new")]
    [InlineData("PUT", "new/file")]
    [InlineData("PATCH", "new")]
    public async Task A_cancellation_at_any_point_leaves_all_as_it_was(string method, string what)
    {
        using var stop = new CancellationTokenSource();
        using var glance = new FaultyGlance(s_disk, new JsonObject { ["os_hidden"] = false }, (one, other) =>
        {
            if ((one, other) == (method, what))
            {
                stop.Cancel();
            }

            return None;
        });
        var before = glance.State;
        using var signer = new ImageUtils.Signatures.ImageSigner(
            ImageUtils.Tests.Signatures.SampleCertificates.Rsa, certificateId: "22222222-2222-3333-4444-555555555555");
        var error = await ConvertAsync(
            glance, OriginalImage.Removed, request => request with { Signer = signer }, stop.Token);
        Assert.IsAssignableFrom<OperationCanceledException>(error);
        Assert.Equal(before, glance.State);
        Assert.Empty(glance.NewImages);
        Assert.Empty(_directory.Names());
    }

    [Fact]
    public async Task An_original_that_somebody_removed_meanwhile_does_not_take_the_new_image_with_it()
    {
        using var glance = new FaultyGlance(s_disk, [], (method, what) => None);
        using var session = await glance.OpenAsync();
        var client = new GlanceClient(session);
        var saved = await ImageSaver.SaveAsync(new ImageSaveRequest
        {
            Client = client,
            Image = FaultyGlance.Original,
            Destination = _directory["saved"],
        });
        var request = Request(client, OriginalImage.Hidden) with { Saved = saved };
        var original = await client.GetAsync(FaultyGlance.Original);
        var published = await client.CreateAsync(
            new NewGlanceImage { Id = Guid.NewGuid().ToString(), DiskFormat = "qcow2" });
        await client.DeleteAsync(FaultyGlance.Original);
        var error = await Assert.ThrowsAsync<OriginalImageException>(
            () => new OriginalImageChange(request, original, published.Id).RunAsync(true, default));
        Assert.True(error.IsNewImageKept);
    }

    private GlanceConversionRequest Request(GlanceClient client, OriginalImage original) => new()
    {
        Client = client,
        Image = FaultyGlance.Original,
        Format = ImageFormat.Qcow2,
        Original = original,
        ConversionDirectory = _directory.Path,
    };

    private async Task<Exception?> ConvertAsync(
        FaultyGlance glance,
        OriginalImage original,
        Func<GlanceConversionRequest, GlanceConversionRequest>? change = null,
        CancellationToken cancellationToken = default)
    {
        using var session = await glance.OpenAsync();
        var client = new GlanceClient(session) { ContinuationDelay = TimeSpan.FromMilliseconds(1) };
        var request = Request(client, original);
        return await Record.ExceptionAsync(() => GlanceImageConverter.ConvertAsync(
            change is null ? request : change(request), cancellationToken: cancellationToken));
    }
}
