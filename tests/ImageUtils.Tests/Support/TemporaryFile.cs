namespace ImageUtils.Tests.Support;

/// <summary>A file that is gone when the test is.</summary>
internal sealed class TemporaryFile : IDisposable
{
    public TemporaryFile(byte[] bytes, string extension = "")
    {
        Path = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"imageutils-{Guid.NewGuid():N}{extension}");
        File.WriteAllBytes(Path, bytes);
    }

    public string Path { get; }

    public void Dispose() => File.Delete(Path);
}
