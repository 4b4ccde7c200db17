using ImageUtils.Inspection;
using ImageUtils.Signatures;

namespace ImageUtils.Errors;

/// <summary>A signature is required, and the image has none of the four properties of one.</summary>
public sealed class ImageNotSignedException() : ImageUtilsException(
    "The image is not signed: it has none of the properties img_signature, img_signature_hash_method, "
    + "img_signature_key_type and img_signature_certificate_uuid. Sign it with New-ImageSignature, or do not require a "
    + "signature.")
{
    /// <inheritdoc/>
    public override string ErrorId => "ImageNotSigned";
}

/// <summary>An image has some of the properties of a signature, and lacks others.</summary>
/// <param name="missing">The names of those that it lacks.</param>
public sealed class SignaturePropertyMissingException(IReadOnlyList<string> missing) : ImageUtilsException(
    $"The image's signature is incomplete, so that it cannot be verified. It lacks {string.Join(", ", missing)}. Set "
    + "what is missing, or remove the other properties whose names begin with img_signature.")
{
    /// <summary>The names of the properties that the image lacks.</summary>
    public IReadOnlyList<string> Missing => missing;

    /// <inheritdoc/>
    public override string ErrorId => "SignaturePropertyMissing";
}

/// <summary>A property of an image's signature has a value that it cannot have.</summary>
/// <param name="name">The property.</param>
/// <param name="value">Its value.</param>
/// <param name="rule">A sentence that says what it can be.</param>
public sealed class SignaturePropertyException(string name, string value, string rule) : ImageUtilsException(
    $"The image's property {name} is '{Printable.Text(value)}'. {rule}")
{
    /// <summary>The property.</summary>
    public string Name => name;

    /// <summary>Its value.</summary>
    public string Value => value;

    /// <inheritdoc/>
    public override string ErrorId => "SignaturePropertyInvalid";
}

/// <summary>This platform cannot calculate with the key of a signature.</summary>
/// <param name="keyType">The kind of key.</param>
/// <param name="innerException">What the platform said.</param>
public sealed class SignatureNotSupportedException(SignatureKeyType keyType, Exception innerException)
    : ImageUtilsException(
        $"This platform's cryptography does not support keys of the type {SignatureNames.ToName(keyType)}. Verify or "
        + "sign the image on another machine (Linux has all types), or use a key of the type RSA-PSS or ECC_SECP384R1.",
        innerException)
{
    /// <summary>The kind of key.</summary>
    public SignatureKeyType KeyType => keyType;

    /// <inheritdoc/>
    public override string ErrorId => "SignatureNotSupported";
}

/// <summary>An image is not what was signed, or was signed with another key.</summary>
/// <param name="reason">A sentence that says what was found.</param>
public sealed class ImageSignatureMismatchException(string reason) : ImageUtilsException(
    $"The image's signature is not valid. {reason}")
{
    /// <inheritdoc/>
    public override string ErrorId => "ImageSignatureMismatch";
}

/// <summary>Why a certificate cannot be used for a signature.</summary>
public enum SigningCertificateProblem
{
    /// <summary>There is none: no file and no key manager to ask, or neither has it.</summary>
    NotFound,

    /// <summary>It is no certificate, or a damaged one.</summary>
    Malformed,

    /// <summary>The file needs a password, or another one.</summary>
    Password,

    /// <summary>It is not valid yet.</summary>
    NotYetValid,

    /// <summary>It is valid no more.</summary>
    Expired,

    /// <summary>Its key usage does not allow signatures.</summary>
    NotForSigning,

    /// <summary>Its key is not of the type that the signature names, or of none that images are signed with.</summary>
    WrongKeyType,

    /// <summary>Its private key is needed, and is missing or not to be had.</summary>
    NoPrivateKey,

    /// <summary>No chain of trusted certificates leads from it to a root.</summary>
    Untrusted,
}

/// <summary>The certificate of a signature cannot be used.</summary>
/// <param name="problem">Why.</param>
/// <param name="certificate">The certificate's subject, file or id.</param>
/// <param name="reason">What was found, as the end of a sentence, and what to do.</param>
/// <param name="innerException">What came before.</param>
public sealed class SigningCertificateException(
    SigningCertificateProblem problem, string certificate, string reason, Exception? innerException = null)
    : ImageUtilsException($"The certificate '{Printable.Text(certificate)}' {reason}", innerException)
{
    /// <summary>Why.</summary>
    public SigningCertificateProblem Problem => problem;

    /// <summary>The certificate's subject, file or id.</summary>
    public string Certificate => certificate;

    /// <inheritdoc/>
    public override string ErrorId => problem switch
    {
        SigningCertificateProblem.NotFound => "CertificateNotFound",
        SigningCertificateProblem.Malformed => "CertificateMalformed",
        SigningCertificateProblem.Password => "CertificatePasswordWrong",
        SigningCertificateProblem.NotYetValid => "CertificateNotYetValid",
        SigningCertificateProblem.Expired => "CertificateExpired",
        SigningCertificateProblem.NotForSigning => "CertificateNotForSigning",
        SigningCertificateProblem.WrongKeyType => "CertificateKeyTypeWrong",
        SigningCertificateProblem.NoPrivateKey => "CertificateHasNoPrivateKey",
        _ => "CertificateUntrusted",
    };
}
