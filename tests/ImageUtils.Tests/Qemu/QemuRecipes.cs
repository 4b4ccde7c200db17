namespace ImageUtils.Tests.Qemu;

/// <summary>
/// How to make every kind of image that qemu-img 7.2 can: each driver that it creates, every option that changes the
/// file with every value that it takes (sizes: their ends and some between), and images that were written to, resized,
/// amended, rebased, given snapshots and bitmaps, or left behind by a crash.
/// </summary>
/// <remarks>
/// A recipe is a list of commands with semicolons between, of qemu-img but for these: <c>write</c> and <c>crash</c> are
/// of qemu-io, the latter killed after it; <c>volume</c> takes a LUKS volume from the store, <c>add-key</c> gives it
/// a second key. IMAGE is the image, RAW a raw one with data, BASE an empty qcow2 beside it.
/// </remarks>
internal static class QemuRecipes
{
    private static readonly string[] s_preallocations = ["off", "falloc", "full"];

    /// <summary>Drivers and recipes.</summary>
    public static IEnumerable<(string Driver, string Recipe)> All =>
    [
        .. Of("raw", Raw), .. Of("qcow", Qcow), .. Of("qcow2", Qcow2Options), .. Of("qcow2", Qcow2Histories),
        .. Of("qed", Qed), .. Of("vpc", Vpc), .. Of("vhdx", Vhdx), .. Of("vmdk", Vmdk), .. Of("vdi", Vdi),
        .. Of("parallels", Parallels), .. Of("luks", Luks),
    ];

    private static IEnumerable<string> Raw =>
    [
        "create IMAGE 1", "create IMAGE 512", "create IMAGE 1234567", "create IMAGE 10M", "create IMAGE 8T",
        .. Each("preallocation", s_preallocations, "1M"),
        "convert RAW IMAGE",
        "create IMAGE 1M; write -P 5 64k 64k",
        "create IMAGE 1M; resize IMAGE 2M",
        "convert RAW IMAGE; resize --shrink IMAGE 100k",
        "create IMAGE 1M; resize --preallocation=full IMAGE 2M",
    ];

    private static IEnumerable<string> Qcow =>
    [
        "create IMAGE 512", "create IMAGE 1234567", "create IMAGE 10M", "create IMAGE 300G", "create IMAGE 2T",
        .. Each("preallocation", s_preallocations, "1M"),
        "create -o encryption=on,encrypt.key-secret=s IMAGE 1M",
        "create -o encrypt.format=aes,encrypt.key-secret=s IMAGE 1M",
        "create -o backing_file=base.qcow2,backing_fmt=qcow2 IMAGE 10M",
        "create -b BASE -F qcow2 IMAGE",
        "convert RAW IMAGE",
        "create IMAGE 10M; write -P 5 1M 100k",
        "create IMAGE 10M; crash -P 5 1M 100k",
    ];

    private static IEnumerable<string> Qcow2Options =>
    [
        .. Each("compat", ["0.10", "1.1", "v2", "v3"], "64M"),
        .. Each("cluster_size", Powers(512, 2 << 20), "10M"),
        .. Each("compat=0.10,cluster_size", Powers(512, 2 << 20), "10M"),
        .. Each("cluster_size", ["512", "64k", "2M"], "0", "1", "513", "1000000007"),
        .. Each("compat=0.10,cluster_size", ["64k", "2M"], "0", "513", "1T"),
        .. Each("cluster_size", ["64k"], "20T"), .. Each("cluster_size", ["2M"], "1P"),
        .. Each("refcount_bits", Powers(1, 64), "64M"),
        .. Each("cluster_size=2M,refcount_bits", ["1", "64"], "1T"),
        .. Each("compression_type", ["zlib", "zstd"], "64M"),
        .. Each("lazy_refcounts", ["off", "on"], "64M"),
        .. Each("extended_l2", ["off", "on"], "64M"),
        .. Each("extended_l2=on,cluster_size", Powers(16 << 10, 2 << 20), "64M"),
        .. Each("preallocation", [.. s_preallocations, "metadata"], "1M"),
        .. Each("compat=0.10,preallocation", [.. s_preallocations, "metadata"], "1M"),
        .. Each("extended_l2=on,preallocation", [.. s_preallocations, "metadata"], "1M"),
        "create -o cluster_size=2M,refcount_bits=64,lazy_refcounts=on,compression_type=zstd,extended_l2=on IMAGE 1T",
        .. Each("encrypt.key-secret=s,encryption", ["on"], "1M"),
        .. Each("encrypt.key-secret=s,compat=0.10,encrypt.format", ["aes"], "1M"),
        .. Each("encrypt.key-secret=s,cluster_size=512,encrypt.format", ["aes"], "1M"),
        .. Each("encrypt.key-secret=s,encrypt.iter-time=10,encrypt.format", ["luks"], "1M"),
        .. Each(
            "encrypt.key-secret=s,encrypt.iter-time=10,cluster_size=4k,encrypt.cipher-mode=cbc,"
                + "encrypt.cipher-alg=serpent-128,encrypt.ivgen-alg=essiv,encrypt.ivgen-hash-alg=sha256,"
                + "encrypt.hash-alg=sha1,encrypt.format",
            ["luks"], "1M"),
        .. Each("data_file=data.raw,data_file_raw", ["off", "on"], "1M"),
        .. Each("data_file=data.raw,cluster_size=4k,preallocation", ["metadata", "full"], "1M"),
    ];

    private static IEnumerable<string> Qcow2Histories =>
    [
        "create -b base.qcow2 -F qcow2 IMAGE", "create -b BASE -F qcow2 IMAGE 20M",
        "create -u -b nowhere.vmdk -F vmdk IMAGE 1M", "create -o compat=0.10 -u -b nowhere -F raw IMAGE 1M",
        "create -o data_file=data.raw -b base.qcow2 -F qcow2 IMAGE",
        "create IMAGE 1M; rebase -u -b ./base.qcow2 -F qcow2 IMAGE",
        "create -b base.qcow2 -F qcow2 IMAGE; rebase -u -b elsewhere.img -F raw IMAGE",
        "create -b base.qcow2 -F qcow2 IMAGE; rebase -u -b  IMAGE",
        "create -b base.qcow2 -F qcow2 IMAGE; write -P 5 0 1M; rebase -b  IMAGE",
        "create -b base.qcow2 -F qcow2 IMAGE; write -P 5 0 1M; commit IMAGE",
        "convert RAW IMAGE", "convert -c RAW IMAGE", "convert -S 0 RAW IMAGE", "convert -W -m 4 RAW IMAGE",
        "convert -c -o compression_type=zstd RAW IMAGE", "convert -c -o compat=0.10,cluster_size=4k RAW IMAGE",
        "convert -c -o extended_l2=on,cluster_size=16k RAW IMAGE", "convert -o preallocation=full RAW IMAGE",
        "convert -o encrypt.format=aes,encrypt.key-secret=s RAW IMAGE", "convert -o cluster_size=512 RAW IMAGE",
        "convert -o data_file=data.raw,data_file_raw=on RAW IMAGE",
        "create IMAGE 10M; write -P 5 1M 100k", "create IMAGE 10M; write -c -P 5 1M 64k",
        "create IMAGE 10M; write -z 1M 100k", "create -o extended_l2=on IMAGE 10M; write -P 5 1M 3k",
        "create IMAGE 10M; bench -w -c 50 -d 4 -s 4k -S 64k IMAGE",
        "create IMAGE 10M; crash -P 5 1M 100k",
        "create -o lazy_refcounts=on IMAGE 10M; crash -P 5 1M 100k",
        "create -o lazy_refcounts=on,cluster_size=512 IMAGE 10M; crash -P 5 1M 100k",
        "create -o lazy_refcounts=on IMAGE 10M; crash -P 5 1M 100k; check -r all IMAGE",
        "create IMAGE 1M; resize IMAGE 3M", "create IMAGE 3M; resize --shrink IMAGE 1M",
        "create IMAGE 1M; resize --preallocation=metadata IMAGE 3M",
        "create IMAGE 1M; resize --preallocation=full IMAGE +1M", "create -o compat=0.10 IMAGE 1M; resize IMAGE 100G",
        "create IMAGE 1M; amend -o compat=0.10 IMAGE", "create -o compat=0.10 IMAGE 1M; amend -o compat=1.1 IMAGE",
        "create -o lazy_refcounts=on IMAGE 1M; amend -o compat=0.10 IMAGE",
        "create IMAGE 1M; amend -o lazy_refcounts=on IMAGE", "create IMAGE 1M; amend -o refcount_bits=64 IMAGE",
        "create IMAGE 1M; amend -o size=2M IMAGE",
        "create -o data_file=data.raw IMAGE 1M; amend -o data_file=other.raw IMAGE",
        "create IMAGE 1M; snapshot -c one IMAGE", "create -o compat=0.10 IMAGE 1M; snapshot -c one IMAGE",
        "convert RAW IMAGE; snapshot -c one IMAGE; write -P 6 0 64k; snapshot -c two IMAGE; snapshot -a one IMAGE",
        "create IMAGE 1M; snapshot -c one IMAGE; snapshot -c two IMAGE; snapshot -d one IMAGE",
        "create IMAGE 1M; snapshot -c one IMAGE; snapshot -d one IMAGE",
        "create IMAGE 1M; snapshot -c one IMAGE; resize IMAGE 2M; snapshot -c two IMAGE",
        "create IMAGE 1M; snapshot -c one IMAGE; amend -o compat=0.10 IMAGE",
        "create -o extended_l2=on,cluster_size=2M IMAGE 1G; snapshot -c one IMAGE; bitmap --add IMAGE a",
        "create -o lazy_refcounts=on IMAGE 10M; snapshot -c one IMAGE; crash -P 5 1M 100k",
        "create IMAGE 64M; bitmap --add IMAGE a", "create IMAGE 64M; bitmap --add --disable IMAGE a",
        "create IMAGE 64M; bitmap --add -g 512 IMAGE a; bitmap --add -g 2G IMAGE b; bitmap --disable IMAGE a",
        "create IMAGE 64M; bitmap --add --disable IMAGE a; bitmap --enable IMAGE a",
        "create IMAGE 64M; bitmap --add IMAGE a; write -P 5 0 1M; bitmap --add IMAGE b; bitmap --merge a IMAGE b",
        "create IMAGE 64M; bitmap --add IMAGE a; write -P 5 0 1M; bitmap --clear IMAGE a",
        "create IMAGE 64M; bitmap --add IMAGE a; bitmap --remove IMAGE a",
        "create IMAGE 64M; bitmap --add IMAGE a; crash -P 5 0 1M",
        "create -o data_file=data.raw IMAGE 1M; bitmap --add IMAGE a",
    ];

    // Of larger clusters or tables qemu-img creates none, for it calculates with 64 bits how large the disk could be;
    // and with tables of one cluster it cannot open what it creates.
    private static IEnumerable<string> Qed =>
    [
        .. Each("cluster_size", Powers(4 << 10, 2 << 20), "4M"),
        .. Each("table_size", Powers(2, 16), "1M"),
        .. Each("cluster_size=4k,table_size", Powers(2, 16), "10M"),
        .. Each("cluster_size=4M,table_size", ["2"], "100G"),
        .. Each("preallocation", s_preallocations, "1M"),
        "create IMAGE 512", "create IMAGE 300G", "create IMAGE 64T",
        "create -b BASE -F qcow2 IMAGE", "create -b base.qcow2 -F qcow2 IMAGE",
        "create -o backing_file=RAW,backing_fmt=raw IMAGE 1M",
        "create -b base.qcow2 -F qcow2 IMAGE; rebase -u -b elsewhere.img -F raw IMAGE",
        "create -b base.qcow2 -F qcow2 IMAGE; rebase -u -b  IMAGE",
        "convert RAW IMAGE", "create IMAGE 10M; write -P 5 1M 100k", "create IMAGE 10M; crash -P 5 1M 100k",
        "create IMAGE 10M; crash -P 5 1M 100k; check -r all IMAGE", "create IMAGE 10M; resize IMAGE 20M",
    ];

    private static IEnumerable<string> Vpc =>
    [
        .. Each("subformat=dynamic,force_size", ["off", "on"], s_vpcSizes), "create IMAGE 0",
        .. Each("subformat=fixed,force_size", ["off", "on"], s_vpcSizes),
        .. Each("preallocation", s_preallocations, "1M"),
        "convert RAW IMAGE", "convert -o subformat=fixed RAW IMAGE", "convert -o force_size=on RAW IMAGE",
        "convert -o subformat=fixed,force_size=on RAW IMAGE",
        "create IMAGE 10M; write -P 5 1M 100k", "create -o subformat=fixed IMAGE 10M; write -P 5 1M 100k",
        "create IMAGE 10M; crash -P 5 1M 100k",
    ];

    private static readonly string[] s_vpcSizes = ["512", "1234567", "10M", "31G", "127G", "2040G"];

    private static IEnumerable<string> Vhdx =>
    [
        .. Each("subformat", ["dynamic", "fixed"], "0", "1000", "10M"),
        .. Each("block_size", ["0", .. Powers(1 << 20, 256 << 20)], "10M"),
        .. Each("log_size", ["1M", "2M", "64M"], "10M"),
        .. Each("block_state_zero", ["off", "on"], "10M"),
        .. Each("subformat=fixed,block_state_zero", ["off", "on"], "10M"),
        "create IMAGE 31G", "create IMAGE 100G", "create IMAGE 64T", "create -o block_size=1M IMAGE 300G",
        .. Each("preallocation", s_preallocations, "1M"),
        "convert RAW IMAGE", "convert -o subformat=fixed RAW IMAGE", "convert -o block_size=1M RAW IMAGE",
        "create IMAGE 10M; write -P 5 1M 100k", "create -o subformat=fixed IMAGE 10M; write -P 5 1M 100k",
    ];

    private static IEnumerable<string> Vmdk =>
    [
        .. Each(
            "subformat",
            ["monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat", "streamOptimized"],
            "512", "1234567", "10M", "5G"),
        .. Each("adapter_type", ["ide", "lsilogic", "buslogic", "legacyESX"], "10M"),
        .. Each("compat6", ["off", "on"], "10M"), .. Each("hwversion", ["3", "4", "6", "14"], "10M"),
        .. Each("toolsversion", ["2147483647", "12345"], "10M"), .. Each("zeroed_grain", ["off", "on"], "10M"),
        .. Each("subformat=streamOptimized,zeroed_grain", ["on"], "10M"),
        .. Each("subformat=monolithicFlat,adapter_type", ["lsilogic"], "10M"),
        .. Each("subformat=monolithicFlat,preallocation", s_preallocations, "1M"),
        "create IMAGE 2T",
        "create -b base.vmdk -F vmdk IMAGE", "create -o compat6=on -b base.vmdk -F vmdk IMAGE 10M",
        "convert RAW IMAGE", "convert -o zeroed_grain=on RAW IMAGE", "convert -o subformat=streamOptimized RAW IMAGE",
        "convert -c -o subformat=streamOptimized RAW IMAGE", "convert -o subformat=monolithicFlat RAW IMAGE",
        "convert -o subformat=twoGbMaxExtentSparse RAW IMAGE", "convert -o subformat=twoGbMaxExtentFlat RAW IMAGE",
        "create IMAGE 10M; write -P 5 1M 100k", "create IMAGE 10M; crash -P 5 1M 100k",
        "create -o zeroed_grain=on IMAGE 10M; write -z 1M 128k",
        "create -o subformat=twoGbMaxExtentSparse IMAGE 5G; write -P 5 3G 100k",
    ];

    private static IEnumerable<string> Vdi =>
    [
        .. Each("static", ["off", "on"], "0", "1000", "10M", "3500000"), "create IMAGE 1T",
        .. Each("preallocation", s_preallocations, "1M"),
        "convert RAW IMAGE", "convert -o static=on RAW IMAGE", "create IMAGE 10M; write -P 5 1M 100k",
        "create -o static=on IMAGE 10M; write -P 5 1M 100k", "create IMAGE 10M; crash -P 5 1M 100k",
    ];

    private static IEnumerable<string> Parallels =>
    [
        .. Each("cluster_size", Powers(4096, 64 << 20), "10M"),
        .. Each("preallocation", s_preallocations, "10M"),
        "create IMAGE 4T", "convert RAW IMAGE", "convert -o cluster_size=64k RAW IMAGE",
        "create IMAGE 10M; write -P 5 1M 100k", "create IMAGE 10M; crash -P 5 1M 100k",
    ];

    private static IEnumerable<string> Luks =>
    [
        .. Support.LuksVolumeOfQemu.AllOptions.Select(options => $"volume {options}"),
        "volume ; add-key",
    ];

    private static IEnumerable<(string Driver, string Recipe)> Of(string driver, IEnumerable<string> recipes) =>
        recipes.Select(recipe => (driver, recipe));

    private static IEnumerable<string> Each(string option, IEnumerable<string> values, params string[] sizes) =>
        from value in values from size in sizes select $"create -o {option}={value} IMAGE {size}";

    private static IEnumerable<string> Powers(int first, int last)
    {
        for (var value = first; value <= last; value *= 2)
        {
            yield return value.ToString();
        }
    }
}
