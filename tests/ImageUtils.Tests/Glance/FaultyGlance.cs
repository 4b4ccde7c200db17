using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using ImageUtils.Keystone;

namespace ImageUtils.Tests.Glance;

/// <summary>What is done wrong with a request.</summary>
public enum GlanceFault
{
    None,

    /// <summary>It fails, and nothing is done.</summary>
    Error,

    /// <summary>It is done, but the answer is that it failed.</summary>
    ErrorAfterwards,

    /// <summary>It is done, and there is no answer.</summary>
    SilentAfterwards,

    /// <summary>Half of the data passes, and no more.</summary>
    Cut,

    /// <summary>Other data passes.</summary>
    Flip,
}

/// <summary>A Glance with one image, the original. It keeps what it is given, and does wrong what a test says.</summary>
internal sealed class FaultyGlance : IDisposable
{
    public const string Original = "11111111-2222-3333-4444-555555555555";

    private readonly ConcurrentDictionary<string, (JsonObject Record, byte[] Data)> _images = new();
    private readonly Func<string, string, GlanceFault> _fault;
    private readonly ScriptedServer _server;

    /// <summary>Begins.</summary>
    /// <param name="data">The original's.</param>
    /// <param name="attributes">Attributes and properties of the original's, beside what it has by itself.</param>
    /// <param name="fault">By the method, and whether it is for the original (<c>original</c> or <c>new</c>), with
    /// <c>/file</c> for its data.</param>
    public FaultyGlance(byte[] data, JsonObject attributes, Func<string, string, GlanceFault> fault)
    {
        _fault = fault;
        _images[Original] = (MakeRecord(Original, "raw", data, attributes), data);
        _server = new ScriptedServer(ServeAsync);
    }

    public IEnumerable<string> NewImages => _images.Keys.Where(id => id != Original);

    public bool HasOriginal => _images.ContainsKey(Original);

    /// <summary>All that there is of the original.</summary>
    public (string Record, string Hash) State =>
        (_images[Original].Record.ToJsonString(), Convert.ToHexString(SHA256.HashData(_images[Original].Data)));

    public JsonObject RecordOf(string id) => _images[id].Record;

    public Task<ImageServiceSession> OpenAsync() => _server.OpenAsync();

    public void Dispose() => _server.Dispose();

    private static JsonObject MakeRecord(string id, string format, byte[] data, JsonObject attributes)
    {
        var record = new JsonObject
        {
            ["id"] = id,
            ["status"] = data.Length > 0 ? "active" : "queued",
            ["disk_format"] = format,
            ["container_format"] = "bare",
            ["protected"] = false,
            ["os_hidden"] = false,
            ["visibility"] = "private",
            ["min_disk"] = 0,
            ["min_ram"] = 0,
        };
        foreach (var (name, value) in attributes)
        {
            record[name] = value?.DeepClone();
        }

        TakeData(record, data);
        return record;
    }

    private static void TakeData(JsonObject record, byte[] data)
    {
        if (data.Length > 0)
        {
            record["status"] = "active";
            record["size"] = data.Length;
            record["os_hash_algo"] = "sha256";
            record["os_hash_value"] = Convert.ToHexStringLower(SHA256.HashData(data));
        }
    }

    private async Task ServeAsync(ScriptedRequest request, NetworkStream stream)
    {
        var path = request.Path.Split('/');
        var id = path.Length > 3 ? path[3] : "";
        var what = (id == Original ? "original" : "new") + (path.Length > 4 ? "/" + path[4] : "");
        var fault = _fault(request.Method, what);
        if (fault == GlanceFault.Error)
        {
            await ScriptedServer.AnswerAsync(stream, 500, "sorry");
            return;
        }

        var (status, body) = (request.Method, path.Length) switch
        {
            ("GET", 3) => (200, $"{{\"images\": [{_images[Original].Record.ToJsonString()}]}}"),
            ("GET", 4) => _images.TryGetValue(id, out var one) ? (200, one.Record.ToJsonString()) : (404, ""),
            ("POST", _) => Register((JsonObject)JsonNode.Parse(await ReadAsync(request, stream))!),
            ("PATCH", _) => Change(id, (JsonArray)JsonNode.Parse(await ReadAsync(request, stream))!),
            ("DELETE", _) => Delete(id),
            ("PUT", 5) => await TakeAsync(id, request, stream, fault),
            ("GET", 5) => await SendAsync(id, request, stream, fault),
            _ => (404, ""),
        };
        if (fault != GlanceFault.SilentAfterwards && status > 0)
        {
            await ScriptedServer.AnswerAsync(stream, fault == GlanceFault.ErrorAfterwards ? 500 : status, body);
        }
    }

    private (int Status, string Body) Register(JsonObject given)
    {
        var id = (string)given["id"]!;
        var record = MakeRecord(id, (string)given["disk_format"]!, [], given);
        return _images.TryAdd(id, (record, [])) ? (201, record.ToJsonString()) : (409, "");
    }

    private (int Status, string Body) Change(string id, JsonArray change)
    {
        if (!_images.TryGetValue(id, out var one))
        {
            return (404, "");
        }

        foreach (var operation in change)
        {
            one.Record[((string)operation!["path"]!)[1..]] = operation["value"]!.DeepClone();
        }

        return (200, one.Record.ToJsonString());
    }

    private (int Status, string Body) Delete(string id) => !_images.TryGetValue(id, out var one)
        ? (404, "")
        : (bool)one.Record["protected"]! ? (403, "") : _images.TryRemove(id, out _) ? (204, "") : (404, "");

    private async Task<(int Status, string Body)> TakeAsync(
        string id, ScriptedRequest request, NetworkStream stream, GlanceFault fault)
    {
        await stream.WriteAsync("HTTP/1.1 100 Continue\r\n\r\n"u8.ToArray());
        var data = new byte[int.Parse(request.Header("Content-Length")!, CultureInfo.InvariantCulture)];
        if (fault == GlanceFault.Cut)
        {
            await stream.ReadExactlyAsync(data.AsMemory(0, data.Length / 2));
            stream.Socket.Close(0);
            return default;
        }

        await stream.ReadExactlyAsync(data);
        data[0] ^= fault == GlanceFault.Flip ? (byte)1 : (byte)0;
        var record = _images[id].Record;
        TakeData(record, data);
        _images[id] = (record, data);
        return (204, "");
    }

    private async Task<(int Status, string Body)> SendAsync(
        string id, ScriptedRequest request, NetworkStream stream, GlanceFault fault)
    {
        var data = _images[id].Data;
        if (fault == GlanceFault.Flip)
        {
            data = [.. data];
            data[^1] ^= 1;
        }

        await ScriptedServer.AnswerRangeAsync(request, stream, data, fault == GlanceFault.Cut ? 1000 : null);
        return default;
    }

    private static async Task<string> ReadAsync(ScriptedRequest request, NetworkStream stream)
    {
        var body = new byte[int.Parse(request.Header("Content-Length")!, CultureInfo.InvariantCulture)];
        await stream.ReadExactlyAsync(body);
        return Encoding.UTF8.GetString(body);
    }
}
