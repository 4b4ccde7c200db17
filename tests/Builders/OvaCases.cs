namespace ImageUtils.Builders;

/// <summary>Small appliances, archives that are none, and member names that lead astray.</summary>
public static class OvaCases
{
    public static IReadOnlyList<CorpusCase> All { get; } =
    [
        Good("descriptor-first", Archive("appliance.ovf", "disk.vmdk")),
        Good("descriptor-in-upper-case", Archive("APPLIANCE.OVF")),
        Good("descriptor-second", Archive("appliance.mf", "appliance.ovf")),
        Good("descriptor-fourth", Archive("a", "b", "c", "appliance.ovf")),
        Good("in-directory", Archive("./appliance/appliance.ovf")),
        Good("gnu", WithChecksum(Archive("appliance.ovf").Text(257, "ustar  "), 0)),
        Good("extended-header-first", WithChecksum(Archive("pax", "appliance.ovf").Byte(156, (byte)'x'), 0)),
        Good("with-prefix", WithChecksum(Archive("appliance.ovf").Text(345, "appliances"), 0)),
        Bad("absolute-name", Archive("/etc/cron.d/appliance.ovf"), "extents"),
        Bad("absolute-prefix", WithChecksum(Archive("appliance.ovf").Text(345, "/etc"), 0), "extents"),
        Bad("parent-directory", Archive("../../appliance.ovf"), "extents"),
        Bad("parent-directory-before-descriptor", Archive("a/../../b", "appliance.ovf"), "extents"),
        Bad("windows-path", Archive("C:\\appliance.ovf"), "extents"),
        Bad("symbolic-link", WithChecksum(Archive("a", "appliance.ovf").Byte(156, (byte)'2'), 0), "extents"),
        Raw("descriptor-fifth", Archive("a", "b", "c", "d", "appliance.ovf")),
        Raw("no-descriptor", Archive("disk.vmdk")),
        Raw("checksum", Archive("appliance.ovf").Byte(1, (byte)'q')),
        Raw("size-overflows", WithChecksum(Archive("a", "appliance.ovf").Text(124, "777777777777"), 0)),
        Raw("cut", Archive("appliance.ovf").Resize(500)),
    ];

    /// <summary>An archive whose members hold seven bytes each.</summary>
    public static BuiltImage Archive(params string[] names)
    {
        var image = new BuiltImage(names.Length * 1024 + 1024);
        for (var index = 0; index < names.Length; index++)
        {
            var at = index * 1024;
            image.Text(at, names[index]).Text(at + 100, "0000644").Text(at + 124, "00000000007")
                .Byte(at + 156, (byte)'0').Put(at + 257, "ustar\u000000"u8).Text(at + 512, "content");
            WithChecksum(image, at);
        }

        return image;
    }

    private static BuiltImage WithChecksum(BuiltImage image, int at)
    {
        image.Text(at + 148, "        ");
        var sum = 0;
        foreach (var value in image[at..(at + 512)])
        {
            sum += value;
        }

        return image.Text(at + 148, Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ");
    }

    private static CorpusCase Good(string name, BuiltImage image) => new($"ova/{name}", "ova", [], image.ToArray);

    private static CorpusCase Bad(string name, BuiltImage image, params string[] failures) =>
        new($"ova/{name}", "ova", failures, image.ToArray);

    private static CorpusCase Raw(string name, BuiltImage image) => new($"ova/not-{name}", "raw", [], image.ToArray);
}
