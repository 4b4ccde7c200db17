using System.Management.Automation;
using System.Reflection;
using ImageUtils.PowerShell.Commands;

namespace ImageUtils.Tests.Module;

/// <summary>A cmdlet as it was compiled, read from its attributes without running anything.</summary>
internal sealed class CompiledCmdlet(Type type)
{
    public static IReadOnlyList<CompiledCmdlet> All { get; } =
    [
        .. typeof(TestImageFormatCommand).Assembly.GetExportedTypes()
            .Where(type => type.CustomAttributes.Any(one => one.AttributeType == typeof(CmdletAttribute)))
            .Select(type => new CompiledCmdlet(type)),
    ];

    public string Name { get; } = string.Join('-', type.CustomAttributes
        .Single(one => one.AttributeType == typeof(CmdletAttribute)).ConstructorArguments.Select(one => one.Value));

    public IReadOnlyList<CompiledParameter> Parameters { get; } =
    [
        .. type.GetProperties().Concat(SupportsShouldProcess(type) ? typeof(ShouldProcess).GetProperties() : [])
            .Where(property => property.CustomAttributes.Any(one => one.AttributeType == typeof(ParameterAttribute)))
            .Select(property => new CompiledParameter(property)),
    ];

    public override string ToString() => Name;

    private static bool SupportsShouldProcess(Type type) => type.CustomAttributes
        .Single(one => one.AttributeType == typeof(CmdletAttribute)).NamedArguments
        .Any(one => one.MemberName == nameof(CmdletAttribute.SupportsShouldProcess) && one.TypedValue.Value is true);

    // What PowerShell adds, as its reference describes it.
    private sealed class ShouldProcess
    {
        [Parameter]
        [Alias("wi")]
        public SwitchParameter WhatIf { get; set; }

        [Parameter]
        [Alias("cf")]
        public SwitchParameter Confirm { get; set; }
    }
}

/// <summary>A parameter as it was compiled.</summary>
internal sealed class CompiledParameter(PropertyInfo property)
{
    public string Name => property.Name;

    public string TypeName { get; } = property.PropertyType.IsGenericType
        ? $"System.Nullable`1[{property.PropertyType.GetGenericArguments()[0].FullName}]"
        : property.PropertyType.FullName!;

    public IReadOnlyList<string> Aliases { get; } =
    [
        .. property.CustomAttributes.Where(one => one.AttributeType == typeof(AliasAttribute))
            .SelectMany(one => (IEnumerable<CustomAttributeTypedArgument>)one.ConstructorArguments[0].Value!)
            .Select(one => (string)one.Value!),
    ];

    public bool SupportsWildcards { get; } =
        property.CustomAttributes.Any(one => one.AttributeType == typeof(SupportsWildcardsAttribute));

    public IReadOnlyList<CompiledSet> Sets { get; } =
    [
        .. property.CustomAttributes.Where(one => one.AttributeType == typeof(ParameterAttribute)).Select(one => new CompiledSet(
            Value(one, nameof(ParameterAttribute.ParameterSetName), "(All)"),
            Value(one, nameof(ParameterAttribute.Position), int.MinValue) is var position and not int.MinValue
                ? position.ToString()
                : "Named",
            Value(one, nameof(ParameterAttribute.Mandatory), false),
            Value(one, nameof(ParameterAttribute.ValueFromPipeline), false),
            Value(one, nameof(ParameterAttribute.ValueFromPipelineByPropertyName), false))),
    ];

    private static T Value<T>(CustomAttributeData attribute, string name, T otherwise) =>
        attribute.NamedArguments.Where(one => one.MemberName == name).Select(one => (T)one.TypedValue.Value!)
            .DefaultIfEmpty(otherwise).First();
}

/// <summary>What a parameter is in one parameter set.</summary>
internal sealed record CompiledSet(
    string Name, string Position, bool IsRequired, bool ValueFromPipeline, bool ValueFromPipelineByPropertyName);
