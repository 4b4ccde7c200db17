using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using ImageUtils.Errors;
using ImageUtils.IO;

namespace ImageUtils.Signatures;

/// <summary>Reads certificates: PEM, DER, or PFX with a private key.</summary>
public static class CertificateFile
{
    private const int MaximumLength = 1 << 20;
    private const int MaximumCertificates = 1000;
    private const string PemLabel = "CERTIFICATE";

    /// <summary>Reads one certificate out of a PEM or DER file.</summary>
    /// <param name="path">The file; in PEM, the first certificate counts.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="ImageFileException">The file cannot be read.</exception>
    /// <exception cref="SigningCertificateException">There is no certificate in it.</exception>
    public static async Task<X509Certificate2> ReadAsync(string path, CancellationToken cancellationToken)
    {
        var data = await ReadBytesAsync(path, cancellationToken).ConfigureAwait(false);
        return Parse(data, path);
    }

    /// <summary>Reads all certificates out of a PEM or DER file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="ImageFileException">The file cannot be read.</exception>
    /// <exception cref="SigningCertificateException">There is no certificate in it.</exception>
    public static async Task<IReadOnlyList<X509Certificate2>> ReadAllAsync(
        string path, CancellationToken cancellationToken)
    {
        var data = await ReadBytesAsync(path, cancellationToken).ConfigureAwait(false);
        return ParseAll(data, path, MaximumCertificates);
    }

    /// <summary>Reads a certificate with its private key out of a PFX (PKCS #12) file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="password">Its password; empty where it has none.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="ImageFileException">The file cannot be read.</exception>
    /// <exception cref="SigningCertificateException">The password is wrong, or it is no PFX, or has no key.</exception>
    public static async Task<X509Certificate2> ReadPfxAsync(
        string path, ReadOnlyMemory<char> password, CancellationToken cancellationToken)
    {
        var data = await ReadBytesAsync(path, cancellationToken).ConfigureAwait(false);
        // Signing needs the key's numbers. Nothing is to be kept on the disk where the platform can do without.
        var storage = X509KeyStorageFlags.Exportable;
        if (!OperatingSystem.IsMacOS())
        {
            storage |= X509KeyStorageFlags.EphemeralKeySet;
        }

        X509Certificate2 certificate;
        try
        {
            certificate = X509CertificateLoader.LoadPkcs12(data.Span, password.Span, storage);
        }
        catch (CryptographicException exception)
        {
            // Not as an inner exception where the password is wrong: what the platform says is not ours to pass on.
            throw IsPfx(data.Span)
                ? new SigningCertificateException(
                    SigningCertificateProblem.Password, path,
                    "could not be opened: the password is wrong, or the file is damaged. Give its password with "
                    + "-PfxPassword.")
                : new SigningCertificateException(
                    SigningCertificateProblem.Malformed, path,
                    "is no PFX (PKCS #12) file. Make one: openssl pkcs12 -export -inkey key.pem -in certificate.pem.",
                    exception);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(data.Span);
        }

        if (!certificate.HasPrivateKey)
        {
            certificate.Dispose();
            throw ImageSigner.NoPrivateKey(path);
        }

        return certificate;
    }

    /// <summary>Reads one certificate, in PEM or DER: what a key manager has.</summary>
    /// <param name="data">The text or bytes; in PEM, the first certificate counts.</param>
    /// <param name="origin">The file or id that it comes from, for messages.</param>
    /// <exception cref="SigningCertificateException">It is no certificate.</exception>
    public static X509Certificate2 Parse(ReadOnlyMemory<byte> data, string origin) => ParseAll(data, origin, 1)[0];

    private static List<X509Certificate2> ParseAll(ReadOnlyMemory<byte> data, string origin, int most)
    {
        var found = new List<X509Certificate2>();
        try
        {
            if (data.Length > MaximumLength)
            {
                throw Malformed(origin, null);
            }

            if (data.Span.IndexOf("-----BEGIN "u8) < 0)
            {
                found.Add(X509CertificateLoader.LoadCertificate(data.Span));
                return found;
            }

            var text = Encoding.ASCII.GetString(data.Span).AsSpan();
            while (found.Count < most && PemEncoding.TryFind(text, out var field))
            {
                if (text[field.Label].SequenceEqual(PemLabel))
                {
                    var bytes = Convert.FromBase64String(text[field.Base64Data].ToString());
                    found.Add(X509CertificateLoader.LoadCertificate(bytes));
                }

                text = text[field.Location.End..];
            }
        }
        catch (Exception exception) when (exception is CryptographicException or FormatException)
        {
            found.ForEach(certificate => certificate.Dispose());
            throw Malformed(origin, exception);
        }

        return found.Count > 0 ? found : throw Malformed(origin, null);
    }

    private static bool IsPfx(ReadOnlySpan<byte> data)
    {
        try
        {
            return X509Certificate2.GetCertContentType(data) == X509ContentType.Pkcs12;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    private static SigningCertificateException Malformed(string origin, Exception? exception) => new(
        SigningCertificateProblem.Malformed, origin,
        "is no X.509 certificate in PEM or DER, or a damaged one. Give the certificate that the image was signed with.",
        exception);

    private static async Task<Memory<byte>> ReadBytesAsync(string path, CancellationToken cancellationToken)
    {
        using var source = FileByteSource.Open(path);
        if (source.Length > MaximumLength)
        {
            throw Malformed(path, null);
        }

        var data = new byte[source.Length];
        var length = await source.ReadAsync(0, data, cancellationToken).ConfigureAwait(false);
        return data.AsMemory(0, length);
    }
}
