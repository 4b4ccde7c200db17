using System.Management.Automation.Runspaces;
using System.Runtime.CompilerServices;
using ImageUtils.Keystone;

namespace ImageUtils.PowerShell.Binding;

/// <summary>
/// The sessions of this runspace, the default one first. Other runspaces have their own, so that a runbook that works
/// in several clouds at once is never in the wrong one.
/// </summary>
internal static class SessionTable
{
    private static readonly ConditionalWeakTable<Runspace, List<ImageServiceSession>> s_sessions = [];

    /// <summary>The sessions that are open, the default one first. To be used on the pipeline's thread.</summary>
    internal static IReadOnlyList<ImageServiceSession> Open => Own.FindAll(session => !session.IsClosed);

    /// <summary>The session that is used where none is named; null where none is open.</summary>
    internal static ImageServiceSession? Default => Open is [var first, ..] ? first : null;

    private static List<ImageServiceSession> Own => s_sessions.GetOrCreateValue(Runspace.DefaultRunspace);

    /// <summary>Makes a session the default one.</summary>
    internal static void Add(ImageServiceSession session)
    {
        Own.RemoveAll(one => one.IsClosed || one == session);
        Own.Insert(0, session);
    }

    /// <summary>Forgets a session; the one that was the default before it is the default again.</summary>
    internal static void Remove(ImageServiceSession session) => Own.Remove(session);
}
