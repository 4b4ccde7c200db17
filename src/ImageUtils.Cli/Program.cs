using System.CommandLine;
using ImageUtils.Cli;

var root = new RootCommand("Says what disk images really are and whether they are safe; converts and compares them.")
{
    TestCommand.Create(),
    InfoCommand.Create(),
    ChecksCommand.Create(),
    ConvertCommand.Create(),
    CompareCommand.Create(),
    MapCommand.Create(),
    MeasureCommand.Create(),
    CreateCommand.Create(),
    ResizeCommand.Create(),
    MergeCommand.Create(),
};
var result = root.Parse(args);
var code = await result.InvokeAsync().ConfigureAwait(false);
return result.Errors.Count > 0 ? ExitCode.Error : code;
