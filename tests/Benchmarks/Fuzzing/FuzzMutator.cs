using System.Buffers.Binary;
using ImageUtils.Conversion;
using ImageUtils.Mapping;

namespace ImageUtils.Benchmarks.Fuzzing;

/// <summary>
/// Damages an image's tables, headers and compressed data, and mends it again. Guest data that lies in the file as it is
/// is left alone: damage there is only other data.
/// </summary>
internal sealed class FuzzMutator
{
    private const int Sector = 512;

    private static readonly ulong[] s_interesting =
    [
        0, 1, 2, 3, 7, 8, 9, 15, 16, 21, 22, 31, 32, 63, 64, 127, 128, 255, 256, 511, 512, 513, 1024, 4096, 65535, 65536,
        1 << 20, 2 << 20, 256 << 20, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 1UL << 32, 1UL << 40, 1UL << 55,
        1UL << 62, 1UL << 63, long.MaxValue - 511, long.MaxValue, ulong.MaxValue - 511, ulong.MaxValue,
    ];

    private readonly byte[] _original;
    private readonly List<int> _sectors = [];
    private readonly List<int> _usedSectors = [];
    private byte[] _bytes;

    private FuzzMutator(byte[] original)
    {
        _original = original;
        _bytes = [.. original];
    }

    internal ReadOnlySpan<byte> Bytes => _bytes;

    internal static async Task<FuzzMutator> MakeAsync(FuzzSeed seed, OpenOptions options)
    {
        var mutator = new FuzzMutator(await File.ReadAllBytesAsync(seed.Path));
        var isGuest = new bool[mutator._original.Length / Sector + 1];
        try
        {
            using var image = await ImageOpener.OpenAsync(seed.Path, options);
            await foreach (var extent in image.Map.GetExtentsAsync(CancellationToken.None))
            {
                if (extent.Kind == ExtentKind.Stored && ReferenceEquals(extent.Source, image.File))
                {
                    var first = (extent.HostOffset + Sector - 1) / Sector;
                    var end = (extent.HostOffset + extent.Length) / Sector;
                    isGuest.AsSpan((int)first, (int)Math.Max(0, end - first)).Fill(true);
                }
            }
        }
        catch (Errors.ImageUtilsException)
        {
            // A hostile image of the corpus: all of it is looked at.
        }

        for (var sector = 0; sector * Sector < mutator._original.Length; sector++)
        {
            if (isGuest[sector])
            {
                continue;
            }

            mutator._sectors.Add(sector);
            var start = sector * Sector;
            if (mutator._original.AsSpan(start, Math.Min(Sector, mutator._original.Length - start))
                .IndexOfAnyExcept((byte)0) >= 0)
            {
                mutator._usedSectors.Add(sector);
            }
        }

        return mutator;
    }

    /// <summary>Makes the next damaged image of the original.</summary>
    internal void Mutate(Random random)
    {
        if (_bytes.Length != _original.Length)
        {
            _bytes = new byte[_original.Length];
        }

        _original.CopyTo(_bytes, 0);
        for (var count = random.Next(1, 4); count > 0; count--)
        {
            MutateOnce(random);
        }

        if (random.Next(3) > 0)
        {
            FuzzChecksums.Mend(_bytes);
        }

        if (random.Next(20) == 0)
        {
            var length = random.Next(3) switch
            {
                0 => random.Next(_bytes.Length + 1),
                1 => Math.Max(0, _bytes.Length - random.Next(1, 1025)),
                _ => _bytes.Length + random.Next(1, 1025),
            };
            Array.Resize(ref _bytes, length);
        }
    }

    private void MutateOnce(Random random)
    {
        var at = Pick(random);
        switch (random.Next(8))
        {
            case 0:
                _bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1:
                _bytes[at] = (byte)random.Next(256);
                break;
            case 2:
                var text = "0123456789 \"\n=#RWN/.-"u8;
                _bytes[at] = text[random.Next(text.Length)];
                break;
            case 3:
                var length = Math.Min(random.Next(1, 65), _bytes.Length - at);
                var from = Math.Min(Pick(random), _bytes.Length - length);
                _bytes.AsSpan(from, length).ToArray().CopyTo(_bytes, at);
                break;
            default:
                PutNumber(random, at);
                break;
        }
    }

    private int Pick(Random random)
    {
        if (_sectors.Count == 0)
        {
            return random.Next(_bytes.Length);
        }

        var sectors = _usedSectors.Count > 0 && random.Next(10) > 0 ? _usedSectors : _sectors;

        // Headers come first, or last; compressed data is long.
        var index = random.Next(12) switch
        {
            0 => random.Next(Math.Min(6, sectors.Count)),
            1 => sectors.Count - 1,

            // Most of what a header can say is refused before anything is read; tables get further.
            _ => random.Next(Math.Min(1, sectors.Count - 1), sectors.Count),
        };
        var start = sectors[index] * Sector;
        var length = Math.Min(Sector, _bytes.Length - start);
        for (var tries = 0; tries < 8; tries++)
        {
            // Mostly where something is: the rest of a sector is padding.
            var at = start + random.Next(length);
            if (_bytes[at] != 0 || random.Next(6) == 0)
            {
                return at;
            }
        }

        return start + random.Next(Math.Min(length, 128));
    }

    private void PutNumber(Random random, int at)
    {
        var size = 2 << random.Next(3);
        at -= at % size;
        if (at + size > _bytes.Length)
        {
            return;
        }

        var isBig = random.Next(2) == 0;
        var old = Read(_bytes.AsSpan(at), size, isBig);
        var value = random.Next(6) switch
        {
            0 => old + 1,
            1 => old - 1,
            2 => old << random.Next(1, 10),
            3 => (ulong)(_original.Length + random.Next(-2, 3) * Sector) / (random.Next(2) == 0 ? 1UL : Sector),
            4 => (ulong)random.NextInt64() >> random.Next(64),
            _ => s_interesting[random.Next(s_interesting.Length)],
        };
        Span<byte> bytes = stackalloc byte[8];
        if (isBig)
        {
            BinaryPrimitives.WriteUInt64BigEndian(bytes, value);
            bytes[(8 - size)..].CopyTo(_bytes.AsSpan(at));
        }
        else
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
            bytes[..size].CopyTo(_bytes.AsSpan(at));
        }
    }

    private static ulong Read(ReadOnlySpan<byte> bytes, int size, bool isBig)
    {
        ulong value = 0;
        for (var index = 0; index < size; index++)
        {
            value = value << 8 | bytes[isBig ? index : size - 1 - index];
        }

        return value;
    }
}
