using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.IO;

namespace ImageUtils.Signatures;

/// <summary>Signs files, and verifies their signatures.</summary>
public static class ImageFileSignatures
{
    private const int BufferLength = 1 << 20;

    /// <summary>Signs a file, as it is: what its bytes mean is not looked at.</summary>
    /// <param name="path">The file or block device.</param>
    /// <param name="signer">What signs; it takes no other image after that.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="ImageFileException">The file cannot be read, or was written to meanwhile.</exception>
    /// <exception cref="SigningCertificateException">The private key does not sign.</exception>
    public static async Task<ImageFileSignature> SignAsync(
        string path,
        ImageSigner signer,
        IProgress<ConversionProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(signer);
        var length = await PassAsync(
            path, data => signer.Append(data.Span), progress, cancellationToken).ConfigureAwait(false);
        return new ImageFileSignature(signer.Sign(), path, length, signer.Certificate);
    }

    /// <summary>Verifies a file's signature. What is wrong with it or its certificate is in the result.</summary>
    /// <param name="path">The file or block device.</param>
    /// <param name="signature">The signature.</param>
    /// <param name="trust">Where the certificate comes from, and what it is held against.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="ImageFileException">The file cannot be read, or was written to meanwhile.</exception>
    /// <exception cref="SignaturePropertyException">The signature is no base64.</exception>
    /// <exception cref="SignatureNotSupportedException">The platform cannot calculate with its key.</exception>
    public static async Task<ImageSignatureCheck> CheckAsync(
        string path,
        ImageSignature signature,
        CertificateTrust trust,
        IProgress<ConversionProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(trust);
        var check = new ImageSignatureCheck
        {
            Path = path,
            Signature = signature,
            IsChainChecked = trust.IsChainWanted,
        };
        try
        {
            using var verifier = await ImageSignatureVerifier.CreateAsync(signature, trust, cancellationToken)
                .ConfigureAwait(false);
            check = check with { Certificate = verifier.Certificate };
            await PassAsync(path, data => verifier.Append(data.Span), progress, cancellationToken)
                .ConfigureAwait(false);
            verifier.Verify();
            return check;
        }
        catch (ImageUtilsException exception)
            when (exception is SigningCertificateException or ImageSignatureMismatchException)
        {
            return check with { Problem = exception.ErrorId, Reason = exception.Message };
        }
    }

    // Reads and hashes at once.
    private static async Task<long> PassAsync(
        string path,
        Action<ReadOnlyMemory<byte>> append,
        IProgress<ConversionProgress>? progress,
        CancellationToken cancellationToken)
    {
        var stamp = SourceStamp.OfFile(path);
        using var source = FileByteSource.Open(path);
        var (current, next) = (new byte[BufferLength], new byte[BufferLength]);
        var hashing = Task.CompletedTask;
        var position = 0L;
        try
        {
            while (true)
            {
                progress?.Report(new ConversionProgress(ConversionStage.Hashing, position, source.Length));
                var read = await source.ReadAsync(position, current, cancellationToken).ConfigureAwait(false);
                await hashing.ConfigureAwait(false);
                if (read == 0)
                {
                    break;
                }

                var data = current.AsMemory(0, read);
                hashing = Task.Run(() => append(data), CancellationToken.None);
                position += read;
                (current, next) = (next, current);
            }
        }
        finally
        {
            await hashing.ConfigureAwait(false);
        }

        return stamp.FindChanged() is null
            ? position
            : throw new ImageFileException(
                ImageFileProblem.Changed, path,
                $"'{path}' was written to while it was read. Stop what uses it, and try again.");
    }
}
