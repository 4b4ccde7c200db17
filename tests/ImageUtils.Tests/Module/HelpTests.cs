using System.Text.RegularExpressions;
using System.Xml.Linq;
using ImageUtils.Tests.Support;
using YamlDotNet.RepresentationModel;

namespace ImageUtils.Tests.Module;

/// <summary>Pages, MAML, manifest and Pester files say what was compiled.</summary>
public sealed partial class HelpTests
{
    private static readonly XNamespace s_command = "http://schemas.microsoft.com/maml/dev/command/2004/10";
    private static readonly XNamespace s_maml = "http://schemas.microsoft.com/maml/2004/10";

    private static readonly XDocument s_help = XDocument.Load(Path.Combine(
        Repository.Root, "module", "en-US", "ImageUtils.PowerShell.dll-Help.xml"));

    public static TheoryData<string> Cmdlets => [.. CompiledCmdlet.All.Select(cmdlet => cmdlet.Name)];

    [Fact]
    public void The_manifest_exports_what_was_compiled_and_nothing_else()
    {
        var manifest = File.ReadAllText(Path.Combine(Repository.Root, "ImageUtils.psd1"));
        var list = ExportList().Match(manifest).Groups[1].Value;
        Assert.Equal(
            CompiledCmdlet.All.Select(cmdlet => cmdlet.Name).Order(),
            Quoted().Matches(list).Select(match => match.Groups[1].Value).Order());
    }

    [Fact]
    public void The_maml_has_no_cmdlet_that_was_not_compiled() => Assert.Equal(
        CompiledCmdlet.All.Select(cmdlet => cmdlet.Name).Order(),
        s_help.Descendants(s_command + "command").Select(NameOf).Order());

    [Theory]
    [MemberData(nameof(Cmdlets))]
    public void A_cmdlet_has_its_papers(string name)
    {
        Assert.True(File.Exists(PagePath(name)), $"no page docs/en-US/{name}.md");
        Assert.True(
            File.Exists(Path.Combine(Repository.Root, "tests", "Module", $"{name}.Tests.ps1")),
            $"no Pester file tests/Module/{name}.Tests.ps1");
    }

    [Theory]
    [MemberData(nameof(Cmdlets))]
    public void A_page_says_what_was_compiled(string name)
    {
        var cmdlet = CompiledCmdlet.All.Single(one => one.Name == name);
        var page = File.ReadAllText(PagePath(name));
        Assert.DoesNotContain("{{", page, StringComparison.Ordinal);
        Assert.Matches("(?m)^### Example 1", page);
        var sections = ParameterSection().Matches(page).ToDictionary(match => match.Groups["name"].Value);
        Assert.Equal(cmdlet.Parameters.Select(parameter => parameter.Name).Order(), sections.Keys.Order());
        foreach (var parameter in cmdlet.Parameters)
        {
            var section = sections[parameter.Name];
            Assert.False(string.IsNullOrWhiteSpace(section.Groups["text"].Value), $"-{parameter.Name} is not described");
            AssertSame(parameter, Read(section.Groups["yaml"].Value));
        }
    }

    [Theory]
    [MemberData(nameof(Cmdlets))]
    public void The_maml_says_what_the_page_says(string name)
    {
        var cmdlet = CompiledCmdlet.All.Single(one => one.Name == name);
        var page = File.ReadAllText(PagePath(name));
        var command = s_help.Descendants(s_command + "command").Single(one => NameOf(one) == name);
        var parameters = command.Element(s_command + "parameters")!.Elements(s_command + "parameter")
            .ToDictionary(one => one.Element(s_maml + "name")!.Value);
        Assert.Equal(cmdlet.Parameters.Select(parameter => parameter.Name).Order(), parameters.Keys.Order());
        foreach (Match section in ParameterSection().Matches(page))
        {
            var parameter = parameters[section.Groups["name"].Value];
            Assert.Equal(Words(section.Groups["text"].Value), Words(parameter.Element(s_maml + "description")!.Value));
            var compiled = cmdlet.Parameters.Single(one => one.Name == section.Groups["name"].Value);
            Assert.Equal(
                compiled.Aliases.Count == 0 ? "none" : string.Join(", ", compiled.Aliases),
                parameter.Attribute("aliases")!.Value);
        }

        Assert.Equal(
            Words(Synopsis().Match(page).Groups[1].Value),
            Words(command.Element(s_command + "details")!.Element(s_maml + "description")!.Value));
        Assert.Equal(
            ExampleHeading().Count(page),
            command.Element(s_command + "examples")!.Elements(s_command + "example").Count());
        Assert.Equal(
            cmdlet.Parameters.SelectMany(parameter => parameter.Sets).Select(set => set.Name).Where(set => set != "(All)")
                .DefaultIfEmpty("(All)").Distinct().Count(),
            command.Element(s_command + "syntax")!.Elements(s_command + "syntaxItem").Count());
    }

    private static void AssertSame(CompiledParameter parameter, YamlMappingNode page)
    {
        Assert.Equal(parameter.TypeName, page["Type"].ToString());
        Assert.Equal(parameter.SupportsWildcards ? "true" : "false", page["SupportsWildcards"].ToString());
        Assert.Equal(parameter.Aliases, ((YamlSequenceNode)page["Aliases"]).Select(alias => alias.ToString()));
        var sets = ((YamlSequenceNode)page["ParameterSets"]).Select(set => new CompiledSet(
            set["Name"].ToString(),
            set["Position"].ToString(),
            set["IsRequired"].ToString() == "true",
            set["ValueFromPipeline"].ToString() == "true",
            set["ValueFromPipelineByPropertyName"].ToString() == "true"));
        Assert.Equal(parameter.Sets.OrderBy(set => set.Name), sets.OrderBy(set => set.Name));
    }

    private static YamlMappingNode Read(string yaml)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(yaml));
        return (YamlMappingNode)stream.Documents[0].RootNode;
    }

    private static string NameOf(XElement command) =>
        command.Element(s_command + "details")!.Element(s_command + "name")!.Value;

    private static string PagePath(string name) => Path.Combine(Repository.Root, "docs", "en-US", $"{name}.md");

    // The same words, whatever the lines are and however code is marked.
    private static string Words(string text) =>
        string.Join(' ', text.Replace("`", "", StringComparison.Ordinal).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    [GeneratedRegex(@"CmdletsToExport\s*=\s*@\(([^)]*)\)")]
    private static partial Regex ExportList();

    [GeneratedRegex("'([^']+)'")]
    private static partial Regex Quoted();

    [GeneratedRegex(@"(?ms)^### -(?<name>\w+)\n(?<text>.*?)```yaml\n(?<yaml>.*?)```")]
    private static partial Regex ParameterSection();

    [GeneratedRegex(@"(?s)## SYNOPSIS\n(.*?)\n## ")]
    private static partial Regex Synopsis();

    [GeneratedRegex("(?m)^### Example ")]
    private static partial Regex ExampleHeading();
}
