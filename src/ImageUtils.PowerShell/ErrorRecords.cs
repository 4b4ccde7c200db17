using System.Management.Automation;
using System.Net;
using System.Security;
using ImageUtils.Configuration;
using ImageUtils.Errors;

namespace ImageUtils.PowerShell;

/// <summary>The only map from the engine's exceptions to error records.</summary>
internal static class ErrorRecords
{
    internal static ErrorRecord From(Exception exception, object? target) => exception switch
    {
        ImageUtilsException known => new(known, known.ErrorId, CategoryOf(known), target),
        FormatException => new(exception, "ArgumentNotUnderstood", ErrorCategory.InvalidArgument, target),
        UnauthorizedAccessException or SecurityException =>
            new(exception, "FileAccessDenied", ErrorCategory.PermissionDenied, target),
        IOException => new(exception, "FileReadFailed", ErrorCategory.ReadError, target),
        _ => new(exception, "Unexpected", ErrorCategory.NotSpecified, target),
    };

    internal static ErrorRecord NotAFileSystemPath(string path) => new(
        new PSArgumentException($"'{path}' is not on a file system. Name a file."),
        "PathIsNotOnAFileSystem", ErrorCategory.InvalidArgument, path);

    internal static ErrorRecord WildcardsOfAName(string path) => new(
        new ItemNotFoundException(
            $"No file matches the pattern '{path}', but there is a file of exactly that name. Use -LiteralPath."),
        "PathHasWildcards", ErrorCategory.ObjectNotFound, path);

    internal static ErrorRecord NoSuchSetting(string name) => new(
        new ItemNotFoundException(
            $"There is no setting '{name}'. Use one of: {string.Join(", ", ImageUtilsConfiguration.Names)}."),
        "SettingNotFound", ErrorCategory.ObjectNotFound, name);

    internal static ErrorRecord NothingToSet() => new(
        new PSArgumentException("Nothing is to be changed. Name a setting with its value, or use -Remove."),
        "NothingToSet", ErrorCategory.InvalidArgument, null);

    internal static ErrorRecord SetAndRemoved(string name) => new(
        new PSArgumentException($"{name} cannot be set and removed at once. Do one of them."),
        "SetAndRemoved", ErrorCategory.InvalidArgument, name);

    internal static ErrorRecord NoPlaceToTest() => new(
        new PSArgumentException(
            "There is no place to test. Name a -Destination, a -TemporaryDirectory or a -VolumeSize."),
        "NoPlaceToTest", ErrorCategory.InvalidArgument, null);

    internal static ErrorRecord NoDestination() => new(
        new PSArgumentException("There is no destination. Name one with -Destination, or use -InPlace."),
        "NoDestination", ErrorCategory.InvalidArgument, null);

    internal static ErrorRecord OneCertificate(string fileParameter) => new(
        new PSArgumentException($"There must be one certificate. Use -{fileParameter} or -Certificate, and not both."),
        "OneCertificateNeeded", ErrorCategory.InvalidArgument, null);

    internal static ErrorRecord NoSuchDirectory(string path) => new(
        new ItemNotFoundException($"The directory '{path}' does not exist. Make it first, or name a file."),
        "DirectoryNotFound", ErrorCategory.ObjectNotFound, path);

    internal static ErrorRecord TwoDestinations() => new(
        new PSArgumentException("-Destination and -InPlace cannot be used together. Leave one of them out."),
        "TwoDestinations", ErrorCategory.InvalidArgument, null);

    internal static ErrorRecord NoDestinationFormat() => new(
        new PSArgumentException(
            "There is no destination format. Name one with -DestinationFormat, give the destination an extension that "
            + "says it, or set DefaultFormat with Set-ImageUtilsConfiguration."),
        "NoDestinationFormat", ErrorCategory.InvalidArgument, null);

    internal static ErrorRecord NoFormatToMeasure() => new(
        new PSArgumentException(
            "There is no destination format. Name one with -DestinationFormat, or set DefaultFormat with "
            + "Set-ImageUtilsConfiguration."),
        "NoDestinationFormat", ErrorCategory.InvalidArgument, null);

    internal static ErrorRecord DestinationIsTaken(string source, string destination) => new(
        new PSArgumentException(
            $"'{source}' would replace '{destination}', which was just made of another source. Take it on its own, or "
            + "name another directory."),
        "DestinationIsTaken", ErrorCategory.ResourceExists, source);

    internal static ErrorRecord ImportOrDirect() => new(
        new PSArgumentException("-Import and -Direct exclude each other. Use one of them."),
        "ImportOrDirect", ErrorCategory.InvalidArgument, null);

    internal static ErrorRecord NotConnected() => new(
        new PSInvalidOperationException("There is no session with an image service. Make one with Connect-ImageService."),
        "NotConnected", ErrorCategory.ConnectionError, null);

    internal static ErrorRecord NoImportMethod() => new(
        new PSArgumentException("There is no method. Name one with -Method, or a source with -Path or -Uri."),
        "NoImportMethod", ErrorCategory.InvalidArgument, null);

    internal static ErrorRecord OtherImportMethod(string parameter, string method) => new(
        new PSArgumentException($"-{parameter} belongs to {method}. Leave it out, or use that method."),
        "OtherImportMethod", ErrorCategory.InvalidArgument, parameter);

    internal static ErrorRecord OnlyForFiles(string parameter) => new(
        new PSArgumentException(
            $"-{parameter} is for files: an image in Glance or on the web can name no other files. Leave it out."),
        "OnlyForFiles", ErrorCategory.InvalidArgument, parameter);

    private static ErrorCategory CategoryOf(ImageUtilsException exception) => exception switch
    {
        ImageFileException file => file.Problem switch
        {
            ImageFileProblem.NotFound => ErrorCategory.ObjectNotFound,
            ImageFileProblem.AccessDenied => ErrorCategory.PermissionDenied,
            ImageFileProblem.IsDirectory or ImageFileProblem.NotAFile => ErrorCategory.InvalidType,
            ImageFileProblem.Empty => ErrorCategory.InvalidData,
            ImageFileProblem.CannotOpen => ErrorCategory.OpenError,
            _ => ErrorCategory.ReadError,
        },
        ConfigurationException configuration => configuration.Problem switch
        {
            ConfigurationProblem.Malformed => ErrorCategory.ParserError,
            ConfigurationProblem.InvalidValue => ErrorCategory.InvalidArgument,
            ConfigurationProblem.Unsafe => ErrorCategory.SecurityError,
            ConfigurationProblem.CannotRead => ErrorCategory.ReadError,
            _ => ErrorCategory.WriteError,
        },
        ImageWriteException write => write.Problem switch
        {
            ImageWriteProblem.NoSpace => ErrorCategory.ResourceUnavailable,
            ImageWriteProblem.AccessDenied => ErrorCategory.PermissionDenied,
            ImageWriteProblem.Exists => ErrorCategory.ResourceExists,
            ImageWriteProblem.NotFound => ErrorCategory.ObjectNotFound,
            ImageWriteProblem.InUse => ErrorCategory.ResourceBusy,
            ImageWriteProblem.NotAFile => ErrorCategory.InvalidType,
            ImageWriteProblem.TooLarge => ErrorCategory.LimitsExceeded,
            _ => ErrorCategory.WriteError,
        },
        CloudConfigurationException cloud => cloud.Problem switch
        {
            CloudConfigurationProblem.CloudNotFound => ErrorCategory.ObjectNotFound,
            CloudConfigurationProblem.Malformed => ErrorCategory.ParserError,
            CloudConfigurationProblem.UnsupportedMethod => ErrorCategory.NotImplemented,
            _ => ErrorCategory.InvalidArgument,
        },
        WebAddressException address => address.Problem == WebAddressProblem.NotUsable
            ? ErrorCategory.InvalidArgument
            : ErrorCategory.SecurityError,
        DownloadTooLongException => ErrorCategory.LimitsExceeded,
        ImageUnacceptableException => ErrorCategory.SecurityError,
        ImageHashMismatchException => ErrorCategory.InvalidData,
        AuthenticationFailedException => ErrorCategory.AuthenticationError,
        ImageNotFoundInGlanceException or GlanceStoreNotFoundException => ErrorCategory.ObjectNotFound,
        ImageNameAmbiguousException or ImportMethodException => ErrorCategory.InvalidArgument,
        ImageProtectedException or GlanceStoreReadOnlyException => ErrorCategory.PermissionDenied,
        ImageStateConflictException => ErrorCategory.ResourceBusy,
        ImageQuotaException => ErrorCategory.QuotaExceeded,
        ImageHasNoDataException or ImageRangeBeyondEndException => ErrorCategory.ObjectNotFound,
        ImageRangesUnsupportedException => ErrorCategory.NotImplemented,
        ImageUploadLengthException => ErrorCategory.InvalidData,
        ImageImportFailedException or OriginalImageException => ErrorCategory.InvalidResult,
        ImageImportTimedOutException => ErrorCategory.OperationTimeout,
        ServiceAnswerException => ErrorCategory.ProtocolError,
        ServiceResponseException response => response.Status switch
        {
            HttpStatusCode.Forbidden => ErrorCategory.PermissionDenied,
            HttpStatusCode.NotFound => ErrorCategory.ObjectNotFound,
            HttpStatusCode.Conflict => ErrorCategory.ResourceBusy,
            _ => ErrorCategory.InvalidResult,
        },
        ServiceCertificateException => ErrorCategory.SecurityError,
        ServiceTimedOutException => ErrorCategory.OperationTimeout,
        ServiceUnreachableException => ErrorCategory.ConnectionError,
        EndpointNotFoundException => ErrorCategory.ObjectNotFound,
        SessionClosedException => ErrorCategory.InvalidOperation,
        VhdChainException chain => chain.Problem switch
        {
            VhdChainProblem.ParentMissing => ErrorCategory.ObjectNotFound,
            VhdChainProblem.NotInChain => ErrorCategory.InvalidArgument,
            VhdChainProblem.ParentShared => ErrorCategory.ResourceBusy,
            _ => ErrorCategory.InvalidData,
        },
        XenServerImageException archive => archive.Problem switch
        {
            XenServerImageProblem.UnsafeEntry => ErrorCategory.SecurityError,
            XenServerImageProblem.TooLarge => ErrorCategory.LimitsExceeded,
            _ => ErrorCategory.InvalidData,
        },
        ImageResizeException resize => resize.Problem switch
        {
            ImageResizeProblem.BlockDevice or ImageResizeProblem.NotResizable => ErrorCategory.NotImplemented,
            ImageResizeProblem.NotClean => ErrorCategory.InvalidData,
            ImageResizeProblem.TooLarge => ErrorCategory.LimitsExceeded,
            _ => ErrorCategory.InvalidOperation,
        },
        SigningCertificateException certificate => certificate.Problem switch
        {
            SigningCertificateProblem.NotFound => ErrorCategory.ObjectNotFound,
            SigningCertificateProblem.Malformed => ErrorCategory.InvalidData,
            SigningCertificateProblem.Password => ErrorCategory.AuthenticationError,
            SigningCertificateProblem.WrongKeyType or SigningCertificateProblem.NoPrivateKey =>
                ErrorCategory.InvalidArgument,
            _ => ErrorCategory.SecurityError,
        },
        ImageSignatureMismatchException or ImageNotSignedException => ErrorCategory.SecurityError,
        SignaturePropertyException or SignaturePropertyMissingException => ErrorCategory.InvalidData,
        SignatureNotSupportedException => ErrorCategory.NotImplemented,
        ImageOptionException => ErrorCategory.InvalidArgument,
        UnsupportedImageException => ErrorCategory.NotImplemented,
        ConversionDisabledException => ErrorCategory.PermissionDenied,
        ConversionResultException => ErrorCategory.InvalidResult,
        VerificationFailedException => ErrorCategory.InvalidResult,
        SourceChangedException => ErrorCategory.ResourceBusy,
        DecryptionNotAllowedException or PassphraseException => ErrorCategory.SecurityError,
        InsufficientSpaceException => ErrorCategory.ResourceUnavailable,
        ImageTooLargeForVolumeException => ErrorCategory.LimitsExceeded,
        ImageFormatException or ImageFormatMismatchException or QemuOutputException
            or VirtualSizeUnknownException => ErrorCategory.InvalidData,
        ImageUnsafeException => ErrorCategory.SecurityError,
        QemuImgNotFoundException or ZstdMissingException => ErrorCategory.NotInstalled,
        QemuDriverMissingException => ErrorCategory.NotImplemented,
        QemuImgTimedOutException => ErrorCategory.OperationTimeout,
        QemuImgLimitExceededException => ErrorCategory.LimitsExceeded,
        QemuImgFailedException => ErrorCategory.FromStdErr,
        _ => ErrorCategory.NotSpecified,
    };
}
