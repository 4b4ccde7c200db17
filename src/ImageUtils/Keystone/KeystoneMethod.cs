namespace ImageUtils.Keystone;

/// <summary>How a session proves who it is.</summary>
public enum KeystoneMethod
{
    /// <summary>A user's name or id, and password.</summary>
    Password,

    /// <summary>A token that Keystone gave before, for another one.</summary>
    Token,

    /// <summary>An application credential, by its id, or by its name and its user.</summary>
    ApplicationCredential,

    /// <summary>No Keystone: a token is sent along as it is.</summary>
    FixedToken,

    /// <summary>No Keystone and no token.</summary>
    None,
}
