using System.Text.Json;
using System.Text.Json.Nodes;
using ImageUtils.Tests.Support;
using Medallion.Shell;

namespace ImageUtils.Tests.Signatures;

/// <summary>The real cursive, run by Debian's own Python.</summary>
internal static class CursivePeer
{
    private static readonly string s_script = Path.Combine(Repository.Root, "tests", "Interop", "cursive_peer.py");

    private static readonly Lazy<string?> s_python = new(() =>
        new[] { "/usr/bin/python3", Tool.Find("python3") }.OfType<string>().FirstOrDefault(python =>
            File.Exists(python) && Command.Run(python, ["-c", "import cursive, castellan"]).Result.Success));

    private static readonly Lazy<JsonElement> s_cases = new(() =>
    {
        using var directory = new TemporaryDirectory();
        var file = directory["cases.json"];
        Tool.Run(s_python.Value!, s_script, "make", file);
        using var document = JsonDocument.Parse(File.ReadAllText(file));
        return document.RootElement.Clone();
    });

    /// <summary>Keys, certificates and signatures, each with what cursive says of it.</summary>
    internal static JsonElement Cases
    {
        get
        {
            Require();
            return s_cases.Value;
        }
    }

    internal static void Require() =>
        Skip.If(s_python.Value is null, "cursive is not installed (Debian package python3-cursive)");

    /// <summary>What cursive says of signatures: <c>valid</c>, or the name of its error.</summary>
    internal static string[] Verify(
        IEnumerable<(byte[] Certificate, IReadOnlyDictionary<string, string> Properties, byte[] Image)> all)
    {
        using var directory = new TemporaryDirectory();
        var file = directory["requests.json"];
        var requests = new JsonArray([.. all.Select(one => (JsonNode)new JsonObject
        {
            ["certificate"] = Convert.ToBase64String(one.Certificate),
            ["image"] = Convert.ToBase64String(one.Image),
            ["properties"] = new JsonObject(one.Properties.Select(property =>
                KeyValuePair.Create(property.Key, (JsonNode?)property.Value))),
        })]);
        File.WriteAllText(file, requests.ToJsonString());
        return Tool.Run(s_python.Value!, s_script, "verify", file).Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
