using System.Diagnostics;
using System.Text;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.Qemu;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Qemu;

/// <summary>Encrypted sources and destinations, with the real qemu-img, and cryptsetup as another reader.</summary>
public sealed class QemuLuksConvertTests : IDisposable
{
    // Some of what command lines, shells and option lists treat as special.
    private const string Passphrase = "gr\u00fcn, file=/etc/passwd \"$(x)' \\ 7b21\n";

    private static readonly byte[] s_passphrase = Encoding.UTF8.GetBytes(Passphrase);
    private static readonly byte[] s_known = Encoding.UTF8.GetBytes(LuksVolumeOfQemu.Passphrase);

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SkippableFact]
    public async Task Raw_becomes_luks_as_cinder_makes_it_and_raw_again()
    {
        var qemu = Real();
        var content = await WriteAsync("raw", 3 << 20);
        var options = Options("luks", ImageFormat.Luks) with
        {
            Encryption = new()
            {
                Passphrase = s_passphrase,
                Cipher = CipherSpec.Parse("aes-xts-plain64", 512),
                HashAlgorithm = "sha512",
                IterationTime = TimeSpan.FromMilliseconds(10),
            },
        };
        IReadOnlyList<string> seen;
        using (var watch = new ProcessWatch(_directory["luks"]))
        {
            await qemu.ConvertAsync(await VettedImage.VetAsync(_directory["raw"]), options);
            seen = watch.Seen;
        }

        Assert.Contains(seen, line => line.Contains("key-secret=secret0", StringComparison.Ordinal));
        Assert.DoesNotContain(seen, line => line.Contains("7b21", StringComparison.Ordinal));
        AssertNoSecretsOf(seen);

        File.WriteAllBytes(_directory["passphrase"], s_passphrase);
        Tool.Require("cryptsetup", "cryptsetup-bin");
        var dump = Tool.Run("cryptsetup", "luksDump", _directory["luks"]);
        Assert.Matches("Cipher mode:\\s+xts-plain64\n", dump);
        Assert.Matches("Hash spec:\\s+sha512\n", dump);
        Assert.Matches("MK bits:\\s+512\n", dump);
        Tool.Run(
            "cryptsetup", "open", "--test-passphrase", "--key-file", _directory["passphrase"], _directory["luks"]);

        var vetted = await VettedImage.VetAsync(_directory["luks"], new() { Passphrase = s_passphrase });
        var back = Options("back", ImageFormat.Raw) with { SourcePassphrase = s_passphrase };
        var refused = await Assert.ThrowsAsync<DecryptionNotAllowedException>(() => qemu.ConvertAsync(vetted, back));
        Assert.Equal(("DecryptionNotAllowed", _directory["luks"]), (refused.ErrorId, refused.Path));
        Assert.False(File.Exists(_directory["back"]));

        back = back with { AllowDecrypt = true };
        var wrong = back with { SourcePassphrase = "7b22 other"u8.ToArray() };
        var error = await Assert.ThrowsAsync<PassphraseException>(() => qemu.ConvertAsync(vetted, wrong));
        Assert.Equal("PassphraseWrong", error.ErrorId);
        Assert.DoesNotContain("7b22", error.ToString(), StringComparison.Ordinal);
        var missing = await Assert.ThrowsAsync<PassphraseException>(
            () => qemu.ConvertAsync(vetted, back with { SourcePassphrase = null }));
        Assert.Equal("PassphraseMissing", missing.ErrorId);

        await qemu.ConvertAsync(vetted, back);
        Assert.Equal(content, File.ReadAllBytes(_directory["back"]));

        // What is added was never encrypted, and is noise to who decrypts it.
        await qemu.ResizeAsync(vetted, 5 << 20, passphrase: s_passphrase);
        var raw = await VettedImage.VetAsync(_directory["raw"], knownRaw: true);
        var compared = await qemu.CompareAsync(
            await VettedImage.VetAsync(_directory["luks"]), raw, firstPassphrase: s_passphrase);
        Assert.Equal(new QemuComparison(false, content.Length, true), compared);
        var unopened = await Assert.ThrowsAsync<PassphraseException>(
            () => qemu.CompareAsync(raw, vetted, secondPassphrase: s_known));
        Assert.Equal(_directory["luks"], unopened.Path);
    }

    [SkippableFact]
    public async Task Luks_becomes_luks_with_another_passphrase()
    {
        File.WriteAllBytes(_directory["source, 1"], LuksVolumeOfQemu.Get(""));
        var options = Options("target, 1", ImageFormat.Luks) with
        {
            SourcePassphrase = s_known,
            Encryption = Encryption(),
        };
        await Real().ConvertAsync(await VettedImage.VetAsync(_directory["source, 1"]), options);
        var (old, changed) = (new InspectionOptions { Passphrase = s_known }, s_passphrase);
        await Assert.ThrowsAsync<ImageUnsafeException>(() => VettedImage.VetAsync(options.DestinationPath, old));
        var image = await VettedImage.VetAsync(options.DestinationPath);
        await Real().ConvertAsync(image, Options("raw", ImageFormat.Raw) with
        {
            SourcePassphrase = changed,
            AllowDecrypt = true,
        });
        Assert.Equal(LuksVolumeOfQemu.Content, File.ReadAllBytes(_directory["raw"]));
    }

    [SkippableFact]
    public async Task An_encrypted_qcow2_is_made_read_and_checked()
    {
        var qemu = Real();
        var content = await WriteAsync("raw", 1 << 20);
        var raw = await VettedImage.VetAsync(_directory["raw"]);
        var to = Options("a,b.qcow2", ImageFormat.Qcow2) with
        {
            Encryption = Encryption(),
            FormatOptions = new Dictionary<string, string> { ["cluster_size"] = "4096" },
        };
        var planned = await qemu.MeasureAsync(raw, to);
        await qemu.ConvertAsync(raw, to);
        Assert.InRange(new FileInfo(to.DestinationPath).Length, 1 << 20, planned.RequiredLength);
        var image = await VettedImage.VetAsync(to.DestinationPath);
        Assert.True(image.Inspection.IsEncrypted);
        Assert.Equal(QemuCheckOutcome.Clean, (await qemu.CheckAsync(image, s_passphrase)).Outcome);
        var back = Options("back", ImageFormat.Raw) with { SourcePassphrase = s_passphrase, AllowDecrypt = true };
        await Assert.ThrowsAsync<DecryptionNotAllowedException>(
            () => qemu.ConvertAsync(image, back with { AllowDecrypt = false }));
        var wrong = await Assert.ThrowsAsync<PassphraseException>(
            () => qemu.ConvertAsync(image, back with { SourcePassphrase = s_known }));
        Assert.Equal(PassphraseProblem.Wrong, wrong.Problem);
        await qemu.ConvertAsync(image, back);
        Assert.Equal(content, File.ReadAllBytes(back.DestinationPath));
    }

    [SkippableFact]
    public async Task A_passphrase_too_many_or_too_few_is_an_error_before_anything_starts()
    {
        await WriteAsync("raw", 1 << 20);
        var raw = await VettedImage.VetAsync(_directory["raw"]);
        await ThrowsAsync("PassphraseNotNeeded", Options("a", ImageFormat.Raw) with { SourcePassphrase = s_known });
        await ThrowsAsync("PassphraseMissing", Options("a", ImageFormat.Luks));
        await ThrowsAsync("PassphraseUnusable", Options("a", ImageFormat.Luks) with
        {
            Encryption = new() { Passphrase = new byte[8] },
        });
        await ThrowsAsync("QemuOptionRefused", Options("a", ImageFormat.Vhdx) with { Encryption = Encryption() });
        await ThrowsAsync("QemuOptionRefused", Options("a", ImageFormat.Qcow2) with
        {
            Encryption = Encryption(),
            Compress = true,
        });
        Assert.False(File.Exists(_directory["a"]));

        async Task ThrowsAsync(string errorId, QemuConvertOptions options)
        {
            var error = await Assert.ThrowsAnyAsync<ImageUtilsException>(() => Real().ConvertAsync(raw, options));
            Assert.Equal(errorId, error.ErrorId);
        }
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task When_it_is_cancelled_or_killed_no_process_and_no_secret_is_left(bool isCancelled)
    {
        await WriteAsync("raw", 8 << 20);
        using var watch = new ProcessWatch(_directory["target"]);
        using var cancel = new CancellationTokenSource();
        var running = Real().ConvertAsync(
            await VettedImage.VetAsync(_directory["raw"]),
            Options("target", ImageFormat.Luks) with { Encryption = Encryption(), BandwidthLimit = 200_000 },
            cancellationToken: cancel.Token);
        while (!running.IsCompleted && !(File.Exists(_directory["target"]) && watch.Seen.Any(IsStarted)))
        {
            await Task.Delay(10);
        }

        Assert.False(running.IsCompleted);
        var clock = Stopwatch.StartNew();
        if (isCancelled)
        {
            await cancel.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(2), $"{clock.Elapsed}");
        }
        else
        {
            foreach (var (id, _) in ProcessWatch.Find(_directory["target"]))
            {
                Tool.Run("kill", "-KILL", $"{id}");
            }

            var error = await Assert.ThrowsAsync<QemuImgLimitExceededException>(() => running);
            Assert.DoesNotContain("7b21", error.ToString(), StringComparison.Ordinal);
        }

        Assert.Empty(ProcessWatch.Find(_directory["target"]));
        AssertNoSecretsOf(watch.Seen);
    }

    private static bool IsStarted(string line) => line.Contains("file=", StringComparison.Ordinal);

    private static void AssertNoSecretsOf(IReadOnlyList<string> commandLines)
    {
        var files = commandLines.SelectMany(line => line.Split('\n'))
            .Where(line => line.StartsWith("qom-type=secret", StringComparison.Ordinal))
            .Select(line => line.Split("file=")[1]).Distinct().ToList();
        Assert.NotEmpty(files);
        Assert.All(files, file => Assert.False(Directory.Exists(Path.GetDirectoryName(file)), file));
    }

    private static LuksTarget Encryption() =>
        new() { Passphrase = s_passphrase, IterationTime = TimeSpan.FromMilliseconds(10) };

    private static QemuImg Real()
    {
        Tool.Require("qemu-img", "qemu-utils");
        return QemuImg.Find();
    }

    private QemuConvertOptions Options(string name, ImageFormat format) =>
        new() { DestinationPath = _directory[name], DestinationFormat = format };

    private async Task<byte[]> WriteAsync(string name, int length)
    {
        var content = new byte[length];
        new Random(7).NextBytes(content);
        await File.WriteAllBytesAsync(_directory[name], content);
        return content;
    }
}
