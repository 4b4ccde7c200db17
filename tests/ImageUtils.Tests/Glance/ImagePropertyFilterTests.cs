using System.Collections.Specialized;
using ImageUtils.Glance;

namespace ImageUtils.Tests.Glance;

/// <summary>Which properties go from one image to another.</summary>
public sealed class ImagePropertyFilterTests
{
    [Theory]
    [InlineData("os_glance_import_task")]
    [InlineData("os_glance")]
    [InlineData("img_signature")]
    [InlineData("img_signature_hash_method")]
    [InlineData("IMG_SIGNATURE_KEY_TYPE")]
    [InlineData("signature_verified")]
    [InlineData("size")]
    [InlineData("os_hash_value")]
    [InlineData("image_id")]
    [InlineData("disk_format")]
    [InlineData("mine_secret")]
    public void What_is_reserved_or_no_property_is_left_out(string name)
    {
        var removed = new List<string>();
        var selected = ImagePropertyFilter.Select([new(name, "x"), new("os_distro", "debian")], ["mine_"], removed);
        Assert.Equal(["os_distro"], selected.Keys.Cast<string>());
        Assert.Equal([name], removed);
    }

    [Theory]
    [InlineData("os_type")]
    [InlineData("hw_disk_bus")]
    [InlineData("img_config_drive")]
    [InlineData("size_of_shoes")]
    [InlineData("signature")]
    [InlineData("my_os_glance")]
    public void Properties_are_kept(string name) =>
        Assert.Equal("x", ImagePropertyFilter.Select([new(name, "x")], [""])[name]);

    [Fact]
    public void What_a_volume_keeps_below_properties_is_looked_at_too_and_the_order_stays()
    {
        var inner = new OrderedDictionary { ["img_signature"] = "s", ["b"] = "2", ["a"] = "1" };
        var selected = ImagePropertyFilter.Select([new("properties", inner), new("z", null)], []);
        Assert.Equal(["properties", "z"], selected.Keys.Cast<string>());
        Assert.Equal(["b", "a"], ((OrderedDictionary)selected["properties"]!).Keys.Cast<string>());
        Assert.Equal(3, inner.Count);
    }
}
