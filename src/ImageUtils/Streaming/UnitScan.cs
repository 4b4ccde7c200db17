using ImageUtils.Conversion;
using ImageUtils.Mapping;

namespace ImageUtils.Streaming;

/// <summary>
/// Finds which units of a disk hold anything but zeros: the map tells of some; the data of the others is read, in
/// parallel, each unit up to its first byte that is not zero.
/// </summary>
internal sealed class UnitScan
{
    // Large units are read in steps of this length, because few of them have to be read far.
    private const int Step = 64 << 10;

    private readonly long _unitSize;

    private UnitScan(long unitSize) => _unitSize = unitSize;

    /// <summary>Is given a range of units with data, clipped to what was scanned together.</summary>
    internal delegate ValueTask TakeUnits(long guestOffset, long length, CancellationToken cancellationToken);

    /// <summary>Scans a disk.</summary>
    /// <param name="map">The disk.</param>
    /// <param name="unitSize">The length of a unit of the target's, in bytes.</param>
    /// <param name="take">Is given the units in ascending order; one that is longer than a chunk several times.</param>
    /// <param name="onPosition">Is told how far it is on the guest's disk.</param>
    /// <param name="cancellationToken">Ends the work; nothing is at work any more when this returns.</param>
    internal static Task RunAsync(
        ImageMap map, long unitSize, TakeUnits take, Action<long>? onPosition, CancellationToken cancellationToken)
    {
        var scan = new UnitScan(unitSize);
        return ChunkLine.RunAsync(
            map, 0, () => new Worker(scan), null,
            async (chunk, token) =>
            {
                foreach (var piece in chunk.Pieces)
                {
                    if (piece.Kind == PieceKind.Data)
                    {
                        await take(piece.GuestOffset, piece.Length, token).ConfigureAwait(false);
                    }
                }

                onPosition?.Invoke(chunk.GuestEnd);
            },
            cancellationToken);
    }

    // A unit of zeros becomes a two-hundredth at most, whatever compressed it; to that comes what formats round up.
    private bool IsSurelyData(in Extent extent) =>
        extent.Kind == ExtentKind.Compressed && extent.Length == extent.UnitLength
        && _unitSize % extent.UnitLength == 0 && extent.GuestOffset % extent.UnitLength == 0
        && extent.HostLength > 2048 + extent.UnitLength / 100;

    private sealed class Worker(UnitScan scan) : ChunkLine.IWorker
    {
        private readonly ExtentReader _reader = new();
        private readonly List<Extent> _unknown = [];
        private bool[] _hasData = [];
        private long _firstUnit;

        public async ValueTask PrepareAsync(Chunk chunk, CancellationToken cancellationToken)
        {
            _firstUnit = chunk.GuestOffset / scan._unitSize;
            var units = (int)((chunk.GuestEnd - 1) / scan._unitSize - _firstUnit) + 1;
            _hasData = _hasData.Length < units ? new bool[units] : _hasData;
            _hasData.AsSpan(0, units).Clear();
            _unknown.Clear();
            foreach (var extent in chunk.Extents)
            {
                if (scan.IsSurelyData(extent))
                {
                    Mark(extent);
                }
                else
                {
                    _unknown.Add(extent);
                }
            }

            if (scan._unitSize > Step)
            {
                await LookStepwiseAsync(chunk, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                _unknown.RemoveAll(extent => extent.Length <= scan._unitSize && IsMarked(extent));
                await LookAsync(chunk, _unknown, cancellationToken).ConfigureAwait(false);
            }

            AddPieces(chunk, units);
        }

        public void Dispose() => _reader.Dispose();

        private int UnitOf(long guestOffset) => (int)(guestOffset / scan._unitSize - _firstUnit);

        private bool IsMarked(in Extent extent) =>
            _hasData[UnitOf(extent.GuestOffset)] && UnitOf(extent.GuestOffset) == UnitOf(extent.GuestEnd - 1);

        private void Mark(in Extent extent) =>
            _hasData.AsSpan(UnitOf(extent.GuestOffset)..(UnitOf(extent.GuestEnd - 1) + 1)).Fill(true);

        private async ValueTask LookStepwiseAsync(Chunk chunk, CancellationToken cancellationToken)
        {
            var step = new Extent[1];
            foreach (var extent in _unknown)
            {
                for (var rest = extent; ;)
                {
                    var unitEnd = rest.GuestOffset - rest.GuestOffset % scan._unitSize + scan._unitSize;
                    var part = rest.Clip(rest.GuestOffset, unitEnd);
                    if (_hasData[UnitOf(rest.GuestOffset)])
                    {
                        step[0] = part;
                    }
                    else
                    {
                        // What is compressed is decompressed as a whole anyway.
                        step[0] = part.Kind == ExtentKind.Compressed
                            ? part
                            : part.Slice(0, Math.Min(part.Length, Step));
                        await LookAsync(chunk, step, cancellationToken).ConfigureAwait(false);
                    }

                    if (step[0].GuestEnd == rest.GuestEnd)
                    {
                        break;
                    }

                    rest = rest.Slice(step[0].Length, rest.Length - step[0].Length);
                }
            }
        }

        private async ValueTask LookAsync(
            Chunk chunk, IReadOnlyList<Extent> extents, CancellationToken cancellationToken)
        {
            await _reader.ReadAsync(extents, chunk.GuestOffset, chunk.Data, cancellationToken).ConfigureAwait(false);
            foreach (var extent in extents)
            {
                for (var at = extent.GuestOffset; at < extent.GuestEnd;)
                {
                    var end = Math.Min(extent.GuestEnd, at - at % scan._unitSize + scan._unitSize);
                    var unit = UnitOf(at);
                    _hasData[unit] = _hasData[unit] || !ZeroScan.IsZero(
                        chunk.Data.Span[(int)(at - chunk.GuestOffset)..(int)(end - chunk.GuestOffset)]);
                    at = end;
                }
            }
        }

        private void AddPieces(Chunk chunk, int units)
        {
            for (var unit = 0; unit < units; unit++)
            {
                if (!_hasData[unit])
                {
                    continue;
                }

                var first = unit;
                while (unit + 1 < units && _hasData[unit + 1])
                {
                    unit++;
                }

                var start = Math.Max(chunk.GuestOffset, (_firstUnit + first) * scan._unitSize);
                var end = Math.Min(chunk.GuestEnd, (_firstUnit + unit + 1) * scan._unitSize);
                chunk.Pieces.Add(new Piece(PieceKind.Data, start, end - start, 0));
            }
        }
    }
}
