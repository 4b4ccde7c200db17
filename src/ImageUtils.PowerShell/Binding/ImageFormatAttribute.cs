using System.Collections;
using System.Management.Automation;

namespace ImageUtils.PowerShell.Binding;

/// <summary>Lets a parameter of type <see cref="ImageFormat"/> take Glance's and qemu's names as well.</summary>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Field)]
public sealed class ImageFormatAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        var value = inputData is PSObject wrapped ? wrapped.BaseObject : inputData;
        return value switch
        {
            string name => Parse(name),
            IEnumerable many when value is not ImageFormat[] => many.Cast<object>().Select(one =>
                (one is PSObject inner ? inner.BaseObject : one) is string name ? Parse(name) : (ImageFormat)one).ToArray(),
            _ => value,
        };
    }

    private static ImageFormat Parse(string name)
    {
        try
        {
            return ImageFormatNames.Parse(name);
        }
        catch (FormatException exception)
        {
            throw new ArgumentTransformationMetadataException(exception.Message, exception);
        }
    }
}
