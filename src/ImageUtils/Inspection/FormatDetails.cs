namespace ImageUtils.Inspection;

/// <summary>What only one format has. Each format's room derives its own record.</summary>
public abstract record FormatDetails;
