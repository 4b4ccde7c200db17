using System.Security.Cryptography;
using ImageUtils.Errors;
using ImageUtils.Glance;
using ImageUtils.Keystone;
using ImageUtils.Tests.OpenStack;

namespace ImageUtils.Tests.Glance;

/// <summary>The client with a real Glance.</summary>
public sealed class GlanceClientTests
{
    [SkippableFact]
    public async Task An_image_is_made_described_changed_and_deleted()
    {
        using var session = await OpenAsync();
        var client = new GlanceClient(session);
        var made = await client.CreateAsync(new NewGlanceImage
        {
            Name = Name(),
            DiskFormat = "qcow2",
            ContainerFormat = "bare",
            Visibility = "private",
            MinDisk = 3,
            MinRam = 256,
            Tags = ["one", "two words"],
            Properties = [new("hw_disk_bus", "scsi"), new("a/b~c", "ü, \"quoted\"")],
        });
        Assert.Equal(
            ("queued", "qcow2", "bare", "private", 3, 256, null, false),
            (made.Status, made.DiskFormat, made.ContainerFormat, made.Visibility, made.MinDisk, made.MinRam, made.Size,
                made.Protected));
        Assert.Equal(["one", "two words"], made.Tags.Order());
        Assert.Equal(session.ProjectId, made.Owner);
        var now = DateTimeOffset.UtcNow;
        Assert.InRange(made.CreatedAt!.Value, now.AddMinutes(-5), now.AddMinutes(5));

        var changed = await client.UpdateAsync(made.Id, new GlanceImageChange()
            .Set("name", made.Name + "-b").Set("min_disk", 4).Set("protected", true).Set("os_hidden", true)
            .Set("new", "1").Replace("hw_disk_bus", "virtio").Remove("a/b~c").SetTags(["three"]));
        Assert.Equal(
            (made.Name + "-b", 4, true, true),
            (changed.Name, changed.MinDisk, changed.Protected, changed.OsHidden));
        Assert.Equal(("1", "virtio", false), (changed.Properties["new"], changed.Properties["hw_disk_bus"],
            changed.Properties.ContainsKey("a/b~c")));
        Assert.Equal(["three"], changed.Tags);

        var kept = await Assert.ThrowsAsync<ImageProtectedException>(() => client.DeleteAsync(made.Id));
        Assert.NotNull(kept.RequestId);
        await client.AddTagAsync(made.Id, "with space & more");
        await client.RemoveTagAsync(made.Id, "three");
        Assert.Equal(["with space & more"], (await client.GetAsync(made.Id)).Tags);
        await client.UpdateAsync(made.Id, new GlanceImageChange().Set("protected", false));
        await client.DeleteAsync(made.Id);
        var gone = await Assert.ThrowsAsync<ImageNotFoundInGlanceException>(() => client.GetAsync(made.Id));
        Assert.Equal((made.Id, true), (gone.Image, gone.RequestId?.StartsWith("req-", StringComparison.Ordinal)));
        await Assert.ThrowsAsync<ImageNotFoundInGlanceException>(() => client.DeleteAsync(made.Id));
    }

    [SkippableFact]
    public async Task Removing_what_is_not_there_or_taking_an_id_twice_is_a_conflict()
    {
        using var session = await OpenAsync();
        var client = new GlanceClient(session);
        var image = await client.CreateAsync(new NewGlanceImage { Name = Name() });
        await Assert.ThrowsAsync<ImageStateConflictException>(
            () => client.UpdateAsync(image.Id, new GlanceImageChange().Remove("none")));
        await Assert.ThrowsAsync<ImageStateConflictException>(
            () => client.CreateAsync(new NewGlanceImage { Id = image.Id }));
        await client.DeleteAsync(image.Id);
    }

    [SkippableFact]
    public async Task A_name_finds_its_image_and_one_that_several_have_is_an_error_that_says_so()
    {
        using var session = await OpenAsync();
        var client = new GlanceClient(session);
        foreach (var name in new[] { Name(), "in:" + Name(), Name() + ", \"x\"", Guid.NewGuid().ToString() })
        {
            var first = await client.CreateAsync(new NewGlanceImage { Name = name });
            Assert.Equal(first.Id, (await client.FindAsync(name)).Id);
            Assert.Equal(first.Id, (await client.FindAsync(first.Id)).Id);
            await client.UpdateAsync(first.Id, new GlanceImageChange().Set("os_hidden", true));
            Assert.Equal(first.Id, (await client.FindAsync(name)).Id);
            var second = await client.CreateAsync(new NewGlanceImage { Name = name, OsHidden = true });
            var error = await Assert.ThrowsAsync<ImageNameAmbiguousException>(() => client.FindAsync(name));
            Assert.Equal(new[] { first.Id, second.Id }.Order(), error.Ids.Order());
            await client.DeleteAsync(first.Id);
            await client.DeleteAsync(second.Id);
            await Assert.ThrowsAsync<ImageNotFoundInGlanceException>(() => client.FindAsync(name));
        }
    }

    [SkippableFact]
    public async Task A_list_comes_page_by_page_and_only_as_far_as_it_is_read()
    {
        using var session = await OpenAsync();
        var client = new GlanceClient(session);
        var name = Name();
        var ids = new List<string>();
        for (var n = 0; n < 5; n++)
        {
            ids.Add((await client.CreateAsync(new NewGlanceImage
            {
                Name = name,
                Tags = n % 2 == 0 ? ["even", name] : [name],
                Properties = [new("n", n.ToString())],
            })).Id);
        }

        var filter = new GlanceImageFilter { Name = name, PageSize = 2, Sort = "created_at:asc,id:asc" };
        var all = await client.ListAsync(filter).Select(image => image.Id).ToListAsync();
        Assert.Equal(ids.Order(), all.Order());
        Assert.Equal(3, await client.ListAsync(filter with { Tags = ["even", name] }).CountAsync());
        var third = await client.ListAsync(filter with { Properties = [new("n", "3")] }).SingleAsync();
        Assert.Equal(ids[3], third.Id);
        Assert.Empty(await client.ListAsync(filter with { Status = "active" }).ToListAsync());
        Assert.Empty(await client.ListAsync(filter with { OsHidden = true }).ToListAsync());
        foreach (var id in ids)
        {
            await client.DeleteAsync(id);
        }
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Data_goes_up_while_it_is_written_and_comes_back_whole_and_by_ranges(bool isLengthKnown)
    {
        using var session = await OpenAsync();
        var client = new GlanceClient(session);
        var data = RandomNumberGenerator.GetBytes(3_000_001);
        var image = await MakeAsync(client);
        await Assert.ThrowsAsync<ImageHasNoDataException>(() => client.OpenReadAsync(image.Id));
        Assert.Equal(data.Length, await client.UploadAsync(
            image.Id, (body, token) => body.WriteAsync(data, token).AsTask(),
            isLengthKnown ? data.Length : null, "slow"));
        image = await client.GetAsync(image.Id);
        Assert.Equal(
            ("active", (long?)data.Length, "sha512", Convert.ToHexStringLower(SHA512.HashData(data))),
            (image.Status, image.Size, image.OsHashAlgo, image.OsHashValue));
        Assert.Equal(["slow"], image.Stores);

        using (var whole = await client.OpenReadAsync(image.Id))
        using (var copy = new MemoryStream())
        {
            await whole.Stream.CopyToAsync(copy);
            Assert.Equal(data, copy.ToArray());
            Assert.Equal(((long?)data.Length, image.Checksum), (whole.TotalLength, whole.ContentMd5));
        }

        using (var tail = await client.OpenReadAsync(image.Id, 2_999_990))
        {
            Assert.Equal((true, (long?)data.Length), (tail.HonoursRanges, tail.TotalLength));
            var rest = new byte[100];
            Assert.Equal(11, await tail.Stream.ReadAtLeastAsync(rest, 100, throwOnEndOfStream: false));
            Assert.Equal(data[2_999_990..], rest[..11]);
        }

        foreach (var (offset, length, expected) in new[]
        {
            (0, 4096, 4096), (1, 1, 1), (2_999_999, 512, 2), (3_000_001, 10, 0), (9_000_000, 10, 0),
        })
        {
            var buffer = new byte[length];
            Assert.Equal(expected, await client.ReadRangeAsync(image.Id, offset, buffer));
            Assert.Equal(data.Skip(offset).Take(length), buffer.Take(expected));
        }

        await Assert.ThrowsAsync<ImageRangeBeyondEndException>(() => client.OpenReadAsync(image.Id, data.Length));
        await Assert.ThrowsAsync<ImageStateConflictException>(() => client.UploadAsync(
            image.Id, (body, token) => body.WriteAsync(data, token).AsTask(), data.Length));
        await client.DeleteAsync(image.Id);
    }

    [SkippableFact]
    public async Task An_upload_with_a_token_that_has_ended_is_sent_once_with_another()
    {
        using var session = await OpenAsync("member");
        var client = new GlanceClient(session);
        var image = await MakeAsync(client);
        await RevokeAsync(session);
        var calls = 0;
        await client.UploadAsync(
            image.Id,
            (body, token) =>
            {
                calls++;
                return body.WriteAsync(new byte[5000], token).AsTask();
            },
            5000);
        Assert.Equal((1, "active"), (calls, (await client.GetAsync(image.Id)).Status));
        await client.DeleteAsync(image.Id);
    }

    [SkippableFact]
    public async Task A_writer_that_fails_leaves_the_image_without_data()
    {
        using var session = await OpenAsync();
        var client = new GlanceClient(session);
        var image = await MakeAsync(client);
        await Assert.ThrowsAsync<IOException>(() => client.UploadAsync(
            image.Id,
            async (body, token) =>
            {
                await body.WriteAsync(new byte[100_000], token);
                throw new IOException("the disk is away");
            },
            1_000_000));
        Assert.NotEqual("active", (await client.GetAsync(image.Id)).Status);
        await client.DeleteAsync(image.Id);
    }

    internal static string Name() => "client-" + Guid.NewGuid().ToString("N")[..12];

    internal static Task<ImageServiceSession> OpenAsync(string cloud = "test") =>
        ImageServiceSession.ConnectAsync(CloudConfiguration.Load("/", new Dictionary<string, string>
        {
            ["OS_CLIENT_CONFIG_FILE"] = OpenStackCloud.Require().CloudsFile,
        }).Get(cloud));

    internal static Task<GlanceImage> MakeAsync(GlanceClient client) => client.CreateAsync(
        new NewGlanceImage { Name = Name(), DiskFormat = "raw", ContainerFormat = "bare" });

    private static async Task RevokeAsync(ImageServiceSession session)
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(
            HttpMethod.Delete, $"{OpenStackCloud.Require().Keystone}/v3/auth/tokens");
        request.Headers.Add("X-Auth-Token", session.CurrentToken!.Reveal());
        request.Headers.Add("X-Subject-Token", session.CurrentToken.Reveal());
        using var answer = await http.SendAsync(request);
        answer.EnsureSuccessStatusCode();
    }
}
