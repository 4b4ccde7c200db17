using ImageUtils.Inspection;

namespace ImageUtils.Safety;

/// <summary>The checks that hold for every format alike, because they are the policy's and not the format's.</summary>
internal static class PolicyChecks
{
    internal static void Run(InspectionContext context)
    {
        var policy = context.Policy;
        var image = context.Image;
        if (policy.AllowedFormats.Count == 0)
        {
            context.Skip(CheckNames.Format, "The policy allows every format.");
        }
        else
        {
            context.Judge(
                CheckNames.Format,
                policy.AllowedFormats.Any(allowed => allowed.Accepts(image.Format))
                    ? null
                    : $"The policy does not allow {image.Format.ToName()}, only "
                        + $"{string.Join(", ", policy.AllowedFormats.Select(allowed => allowed.ToName()))}.");
        }

        if (policy.MaximumVirtualSize is null && policy.MaximumExpansionRatio is null)
        {
            context.Skip(CheckNames.Expansion, "The policy sets no limit.");
        }
        else
        {
            context.Judge(CheckNames.Expansion, FindExpansion(policy, image.VirtualSize, image.FileSize));
        }
    }

    /// <summary>What the policy has against a disk's size; null where nothing.</summary>
    /// <param name="policy">The policy.</param>
    /// <param name="size">The disk's size in bytes, where it is known.</param>
    /// <param name="fileSize">The file's length in bytes.</param>
    internal static string? FindExpansion(SafetyPolicy policy, long? size, long fileSize)
    {
        if (size is not { } virtualSize)
        {
            return "The virtual size is not known, so it cannot be held against the policy's limit.";
        }

        if (virtualSize > policy.MaximumVirtualSize)
        {
            return $"The virtual size is {virtualSize} bytes; the policy allows {policy.MaximumVirtualSize}.";
        }

        var ratio = (double)virtualSize / Math.Max(1, fileSize);
        return ratio > policy.MaximumExpansionRatio
            ? $"The virtual size is {ratio:F1} times the file's {fileSize} bytes; "
                + $"the policy allows {policy.MaximumExpansionRatio} times."
            : null;
    }
}
