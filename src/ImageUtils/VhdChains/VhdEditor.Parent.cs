using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.IO;

namespace ImageUtils.VhdChains;

/// <content>Another parent.</content>
internal sealed partial class VhdEditor
{
    private const long HomeOffset = VhdFooter.Length;

    /// <summary>Names another parent: its id and time, its name, and its locators.</summary>
    /// <remarks>
    /// That changes both sectors of the header. A whole second header is therefore written, with the locators' data, to
    /// where nothing was; the footers are made to point at it, one after the other; then the header in its own place is
    /// written, and the footers point there again.
    /// </remarks>
    /// <exception cref="VhdChainException">The disk is no differencing one.</exception>
    /// <exception cref="ImageWriteException">The medium is full.</exception>
    internal async ValueTask SetParentAsync(VhdParent parent, CancellationToken cancellationToken)
    {
        if (!HasParent)
        {
            throw new VhdChainException(
                VhdChainProblem.NotUsable, _source.Path,
                "It is no differencing disk, and cannot get a parent. Make a new disk over the parent.");
        }

        await CommitAsync(cancellationToken).ConfigureAwait(false);
        var room = await MakeHeaderRoomAsync(parent.DataSpace, cancellationToken).ConfigureAwait(false);
        var locatorOffset = room + VhdDynamicHeader.Length;
        var header = Dynamic with
        {
            ParentUniqueId = parent.Id,
            ParentTimeStamp = parent.TimeStamp,
            ParentUnicodeName = parent.UnicodeName,
            ParentLocators = parent.MakeLocators(locatorOffset),
        };
        header.Write(_headerBytes);
        await Sink.WriteAsync(locatorOffset, parent.MakeData(), cancellationToken).ConfigureAwait(false);
        await Sink.WriteAsync(room, _headerBytes, cancellationToken).ConfigureAwait(false);
        await Sink.FlushAsync(cancellationToken).ConfigureAwait(false);

        // The second header is a matter of moments: nobody who asks for an end leaves it in force.
        cancellationToken.ThrowIfCancellationRequested();
        cancellationToken = CancellationToken.None;
        var home = IsHomeFree() ? (ulong)HomeOffset : Footer.DataOffset;
        await SwitchFootersAsync(Footer with { DataOffset = (ulong)room }, cancellationToken).ConfigureAwait(false);
        Header = header;
        if (home == (ulong)room)
        {
            return;
        }

        await Sink.WriteAsync((long)home, _headerBytes, cancellationToken).ConfigureAwait(false);
        await Sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        await SwitchFootersAsync(Footer with { DataOffset = home }, cancellationToken).ConfigureAwait(false);
    }

    // After an interrupted change the header can be elsewhere; it goes back to where other programs expect it.
    private bool IsHomeFree() => FindFirstBlock() >= HomeOffset + VhdDynamicHeader.Length
        && FindStructures().All(other => other.Start == (long)Footer.DataOffset
            || other.Start >= HomeOffset + VhdDynamicHeader.Length || other.End <= HomeOffset);

    // Readers that go through a file once want the header near its beginning. A table that is there moves away from it.
    private async ValueTask<long> MakeHeaderRoomAsync(int dataSpace, CancellationToken cancellationToken)
    {
        const long lastOffset = ForwardReader.HeadLength - VhdDynamicHeader.Length;
        var length = VhdDynamicHeader.Length + dataSpace;
        if (FindGap(length, FindFirstBlock()) > lastOffset)
        {
            var entries = Dynamic.MaxTableEntries;
            var tableOffset = await MoveTableAsync(entries, (long)Footer.CurrentSize, cancellationToken)
                .ConfigureAwait(false);
            await SwitchTableAsync(tableOffset, entries, cancellationToken).ConfigureAwait(false);
        }

        var room = await MakeRoomAsync(length, cancellationToken).ConfigureAwait(false);
        return room <= lastOffset
            ? room
            : throw new VhdChainException(
                VhdChainProblem.NotUsable, _source.Path,
                $"There is no room for a second header in its first {ForwardReader.HeadLength} bytes. Convert it.");
    }
}
