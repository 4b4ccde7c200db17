using System.Text.Json;
using System.Text.Json.Serialization;
using ImageUtils.Formats.Dmg;
using ImageUtils.Formats.Iso;
using ImageUtils.Formats.Luks;
using ImageUtils.Formats.Ova;
using ImageUtils.Formats.Parallels;
using ImageUtils.Formats.PartitionTable;
using ImageUtils.Formats.Qcow;
using ImageUtils.Formats.Qcow2;
using ImageUtils.Formats.Qed;
using ImageUtils.Formats.Vdi;
using ImageUtils.Formats.Vhd;
using ImageUtils.Formats.Vhdx;
using ImageUtils.Formats.Vmdk;
using ImageUtils.Formats.Wrappers;
using ImageUtils.Inspection;
using ImageUtils.Qemu;
using ImageUtils.Safety;

namespace ImageUtils.Cli;

/// <summary>What is printed as JSON. The code for it is made when this is compiled: a native program has no other.</summary>
[JsonSourceGenerationOptions(
    UseStringEnumConverter = true, Converters = [typeof(FormatConverter), typeof(DetailsConverter)])]
[JsonSerializable(typeof(TestLine))]
[JsonSerializable(typeof(CheckLine))]
[JsonSerializable(typeof(QemuImageInfo))]
[JsonSerializable(typeof(DmgDetails))]
[JsonSerializable(typeof(IsoDetails))]
[JsonSerializable(typeof(LuksDetails))]
[JsonSerializable(typeof(OvaDetails))]
[JsonSerializable(typeof(ParallelsDetails))]
[JsonSerializable(typeof(PartitionTableDetails))]
[JsonSerializable(typeof(QcowDetails))]
[JsonSerializable(typeof(Qcow2Details))]
[JsonSerializable(typeof(QedDetails))]
[JsonSerializable(typeof(VdiDetails))]
[JsonSerializable(typeof(VhdDetails))]
[JsonSerializable(typeof(VhdxDetails))]
[JsonSerializable(typeof(VmdkDetails))]
[JsonSerializable(typeof(WrapperDetails))]
internal sealed partial class JsonShapes : JsonSerializerContext
{
    private sealed class FormatConverter : JsonConverter<ImageFormat>
    {
        public override ImageFormat Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            ImageFormatNames.Parse(reader.GetString()!);

        public override void Write(Utf8JsonWriter writer, ImageFormat value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.ToName());
    }

    private sealed class DetailsConverter : JsonConverter<FormatDetails>
    {
        public override bool CanConvert(Type typeToConvert) => typeToConvert == typeof(FormatDetails);

        public override FormatDetails Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            throw new NotSupportedException("Details are written only.");

        public override void Write(Utf8JsonWriter writer, FormatDetails value, JsonSerializerOptions options) =>
            JsonSerializer.Serialize(writer, value, options.GetTypeInfo(value.GetType()));
    }
}

/// <summary>What <c>test --json</c> prints of a file.</summary>
internal sealed record TestLine(
    string Path,
    ImageFormat Format,
    string? Subformat,
    ImageFormat? ExpectedFormat,
    bool? MatchesExpected,
    bool IsSafe,
    long? VirtualSize,
    long FileSize,
    long? AllocatedSize,
    ImageFormat? InnerFormat,
    IReadOnlyList<SafetyCheckResult> Checks,
    IReadOnlyList<SafetyCheckResult> Failures);

/// <summary>What <c>checks --json</c> prints of a check.</summary>
internal sealed record CheckLine(string Path, ImageFormat Format, string Name, CheckVerdict Verdict, string Message);
