using System.Collections;
using System.Management.Automation;
using System.Reflection;
using ImageUtils.Configuration;
using ImageUtils.Errors;
using ImageUtils.Safety;

namespace ImageUtils.PowerShell.Binding;

/// <summary>Lets a parameter of type <see cref="SafetyPolicy"/> take a hashtable of the policy's properties.</summary>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Field)]
public sealed class SafetyPolicyAttribute : ArgumentTransformationAttribute
{
    private static readonly Dictionary<string, PropertyInfo> s_properties =
        typeof(SafetyPolicy).GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Where(property => property.CanWrite)
            .ToDictionary(property => property.Name, StringComparer.OrdinalIgnoreCase);

    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData) =>
        (inputData is PSObject wrapped ? wrapped.BaseObject : inputData) is IDictionary settings
            ? FromSettings(settings)
            : inputData;

    private static SafetyPolicy FromSettings(IDictionary settings)
    {
        SafetyPolicy policy;
        try
        {
            policy = ImageUtilsConfiguration.Load().Policy;
        }
        catch (ConfigurationException exception)
        {
            throw new ArgumentTransformationMetadataException(exception.Message, exception);
        }

        foreach (DictionaryEntry setting in settings)
        {
            if (!s_properties.TryGetValue(setting.Key.ToString() ?? "", out var property))
            {
                throw new ArgumentTransformationMetadataException(
                    $"A policy has no '{setting.Key}'. Use any of: {string.Join(", ", s_properties.Keys.Order())}.");
            }

            property.SetValue(policy, ToValue(setting.Value, property.PropertyType));
        }

        return policy;
    }

    private static object? ToValue(object? value, Type type)
    {
        if (type == typeof(IReadOnlyList<string>))
        {
            return LanguagePrimitives.ConvertTo<string[]>(value ?? Array.Empty<string>());
        }

        if (type == typeof(IReadOnlyList<ImageFormat>))
        {
            return LanguagePrimitives.ConvertTo<string[]>(value ?? Array.Empty<string>())
                .Select(ImageFormatNames.Parse).ToArray();
        }

        return LanguagePrimitives.ConvertTo(value, type);
    }
}
