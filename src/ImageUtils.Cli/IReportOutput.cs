using ImageUtils.Inspection;

namespace ImageUtils.Cli;

/// <summary>Prints reports.</summary>
internal interface IReportOutput
{
    /// <summary>Takes the next report.</summary>
    void Add(ImageFormatReport report);

    /// <summary>All reports have been taken.</summary>
    void Finish();
}
