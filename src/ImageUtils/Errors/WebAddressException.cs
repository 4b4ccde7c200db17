namespace ImageUtils.Errors;

/// <summary>What is wrong with an address on the web.</summary>
public enum WebAddressProblem
{
    /// <summary>It is not one of http or https, or has a user name or password in it.</summary>
    NotUsable,

    /// <summary>The machine that it leads to is not on the public internet.</summary>
    Private,

    /// <summary>It is one of too many redirections, or leads from https to http.</summary>
    Redirection,
}

/// <summary>Nothing is asked for at an address on the web.</summary>
/// <param name="problem">What is wrong with it.</param>
/// <param name="message">Which it is, without what may be secret in it, and what to do.</param>
public sealed class WebAddressException(WebAddressProblem problem, string message) : ImageUtilsException(message)
{
    /// <summary>What is wrong with it.</summary>
    public WebAddressProblem Problem => problem;

    /// <inheritdoc/>
    public override string ErrorId => problem switch
    {
        WebAddressProblem.Private => "AddressIsPrivate",
        WebAddressProblem.Redirection => "RedirectionRefused",
        _ => "UriNotUsable",
    };
}
