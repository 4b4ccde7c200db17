using System.Xml.Linq;
using ImageUtils.Errors;
using ImageUtils.Mapping;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Mapping;

public sealed class AllocationPictureTests
{
    private const long MiB = 1 << 20;

    [Theory]
    [InlineData(0, '·')]
    [InlineData(1, '░')]
    [InlineData(340, '░')]
    [InlineData(342, '▒')]
    [InlineData(680, '▒')]
    [InlineData(684, '▓')]
    [InlineData(1023, '▓')]
    [InlineData(1024, '█')]
    public void A_cell_shows_how_much_of_it_is_allocated(int kibibytes, char shown)
    {
        var picture = new AllocationPicture("/x/disk.raw", ImageFormat.Raw, 0, 64 * MiB, 64, 1);
        Assert.Equal(MiB, picture.CellLength);
        picture.Add(Extent(5 * MiB, kibibytes << 10));
        Assert.Equal($"0 B │·····{shown}{new string('·', 58)}│", picture.ToLines()[1]);
    }

    [Fact]
    public void An_extent_is_shared_out_among_the_cells_that_it_touches()
    {
        var picture = new AllocationPicture("/x/disk.raw", ImageFormat.Raw, 8 * MiB, 16 * MiB, 4, 4);
        picture.Add(Extent(0, 9 * MiB + 100));
        picture.Add(Extent(9 * MiB + 100, 14 * MiB, DiskExtentKind.Compressed));
        picture.Add(Extent(23 * MiB + 100, 10 * MiB, DiskExtentKind.Zero));
        Assert.Equal(15 * MiB + 100, picture.AllocatedBytes);
        Assert.Equal(MiB + 100, picture.Cells.Sum(cell => cell.DataBytes));
        Assert.Equal(100, picture.Cells[1].DataBytes);
        Assert.Equal(MiB - 100, picture.Cells[1].CompressedBytes);
        Assert.Equal(MiB - 100, picture.Cells[15].ZeroBytes);
        Assert.Equal("20 MiB │███░│", picture.ToLines()[4]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(513)]
    [InlineData(10_000_001)]
    [InlineData(long.MaxValue)]
    public void A_disk_of_any_size_fits_the_picture(long size)
    {
        var picture = new AllocationPicture("/x/disk.raw", ImageFormat.Raw, 0, size, 32, 16);
        picture.Add(Extent(0, size));
        Assert.InRange(picture.Cells.Count, 0, 32 * 16);
        Assert.True(long.IsPow2(picture.CellLength));
        Assert.Equal(size, picture.AllocatedBytes);
        Assert.All(picture.Cells, cell => Assert.Equal(4, cell.Level));
        Assert.All(picture.ToLines(), line => Assert.InRange(line.Length, 1, 79));
        XDocument.Parse(AllocationSvg.Draw(picture));
    }

    [Theory]
    [InlineData(24, 8)]
    [InlineData(80, 64)]
    [InlineData(141, 64)]
    [InlineData(142, 128)]
    [InlineData(1000, 256)]
    public void Rows_are_powers_of_two_that_fit_the_terminal(int width, int columns) =>
        Assert.Equal(columns, AllocationPicture.ColumnsFor(width));

    [Fact]
    public void The_svg_has_a_square_for_each_cell_and_says_what_they_mean()
    {
        var picture = new AllocationPicture("/x/a<b>&\u0007.qcow2", ImageFormat.Qcow2, 0, 100 * MiB);
        picture.Add(Extent(0, 30 * MiB));
        picture.Add(Extent(40 * MiB, 10 * MiB, DiskExtentKind.Compressed));
        picture.Add(Extent(60 * MiB, 10 * MiB, DiskExtentKind.Zero));
        var svg = XDocument.Parse(AllocationSvg.Draw(picture));
        XNamespace name = "http://www.w3.org/2000/svg";
        var squares = svg.Descendants(name + "path").Where(path => path.Attribute("fill") is not null)
            .Sum(path => path.Attribute("d")!.Value.Count(one => one == 'M'));
        Assert.Equal(picture.Cells.Count, squares);
        var texts = svg.Descendants(name + "text").Select(text => text.Value).ToList();
        Assert.Equal("a<b>&\ufffd.qcow2", texts[0]);
        Assert.Equal("qcow2, 100 MiB, 40 MiB allocated (40 %)", texts[1]);
        Assert.Contains("compressed", texts);
        Assert.Contains("A cell is 64 KiB, a row 4 MiB.", texts);
        Assert.Equal("Allocation of a<b>&\ufffd.qcow2", svg.Root!.Element(name + "title")!.Value);
    }

    [Fact]
    public async Task A_file_that_exists_is_replaced_only_when_that_is_asked_for()
    {
        using var directory = new TemporaryDirectory();
        var picture = new AllocationPicture("/x/disk.raw", ImageFormat.Raw, 0, MiB);
        var path = directory["a.svg"];
        Assert.Equal(path, await AllocationSvg.SaveAsync(picture, path, false, default));
        var error = await Assert.ThrowsAsync<ImageWriteException>(
            () => AllocationSvg.SaveAsync(picture, path, false, default));
        Assert.Equal("DestinationExists", error.ErrorId);
        File.WriteAllText(path, "");
        await AllocationSvg.SaveAsync(picture, path, true, default);
        XDocument.Load(path);
        Assert.Equal([path], Directory.GetFiles(directory.Path));
        await Assert.ThrowsAsync<ImageWriteException>(
            () => AllocationSvg.SaveAsync(picture, directory["none/a.svg"], false, default));
    }

    private static DiskImageExtent Extent(long start, long length, DiskExtentKind kind = DiskExtentKind.Data) => new()
    {
        Path = "/x/disk.raw",
        Start = start,
        Length = length,
        Kind = kind,
    };
}
