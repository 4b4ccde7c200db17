using BenchmarkDotNet.Running;
using ImageUtils.Benchmarks;
using ImageUtils.Benchmarks.Fuzzing;

// dotnet run -c Release --project tests/Benchmarks -- inspection   races against the peers, prints docs/benchmarks.md's table
// dotnet run -c Release --project tests/Benchmarks -- conversion [--disk FILE] [--directory DIRECTORY] [--pairs 5]
//     [--only WORK] [--imageutils PROGRAM] [--write]   the console front against qemu-img, whole processes
// dotnet run -c Release --project tests/Benchmarks -- memory [--directory DIRECTORY] [--islands 131072]
//     [--imageutils PROGRAM] [--write]                the most memory, on images that are large or in many pieces
// dotnet run -c Release --project tests/Benchmarks -- torture [200] [--disk FILE] [--directory DIRECTORY] [--seed N]
//     [--imageutils PROGRAM] [--write]                kills conversions at random moments; 1 on any that left a mess
// dotnet run -c Release --project tests/Benchmarks -- merges [--directory DIRECTORY] [--pairs 5] [--imageutils PROGRAM] [--write]
//     merges of a VHD chain beside vhd-util
// dotnet run -c Release --project tests/Benchmarks -- chains [1000] [--directory DIRECTORY] [--seed N]
//     [--imageutils PROGRAM] [--write]                kills merges of VHD chains at random moments; 1 on any loss
// dotnet run -c Release --project tests/Benchmarks -- sending [--disk FILE] [--directory DIRECTORY] [--pairs 3] [--islands N]
//     uploads while the image is made, beside qemu-img convert, sha512sum and curl -T
// dotnet run -c Release --project tests/Benchmarks -- imports [--disk FILE] [--directory DIRECTORY] [--pairs 3] [--write]
//     volumes of images of a real Glance in one pass, beside curl, sha512sum, qemu-img info and convert
// dotnet run -c Release --project tests/Benchmarks -- glance-faults [--rounds 500] [--seed N] [--case NAME]
//     [--directory DIRECTORY] [--write]               disturbs work with a real Glance; 1 on anything half done
// dotnet run -c Release --project tests/Benchmarks -- verdicts docs/formats   what is checked, beside oslo.utils
// dotnet run -c Release --project tests/Benchmarks -- fuzz [seconds] [seed] [directory] [part of a seed image's name]
// dotnet run -c Release --project tests/Benchmarks -- --filter '*' micro-benchmarks
if (args is ["inspection", ..])
{
    return InspectionRace.Run();
}

if (args is ["conversion", ..])
{
    return ConversionRace.Run(args.AsSpan(1));
}

if (args is ["memory", ..])
{
    return MemoryPeaks.Run(args.AsSpan(1));
}

if (args is ["sending", ..])
{
    return SendRace.Run(args.AsSpan(1));
}

if (args is [Sending.Name, _, _, _, ..])
{
    return await Sending.RunAsync(args.AsMemory(1));
}

if (args is ["imports", ..])
{
    return ImportRace.Run(args.AsSpan(1));
}

if (args is [ImportRace.One, _, _, _, _])
{
    return await ImportRace.RunOneAsync(args.AsMemory(1));
}

if (args is ["glance-faults", ..])
{
    return await GlanceFaults.RunAsync(args.AsMemory(1));
}

if (args is ["torture", ..])
{
    return Torture.Run(args.AsSpan(1));
}

if (args is ["merges", ..])
{
    return MergeRace.Run(args.AsSpan(1));
}

if (args is ["chains", ..])
{
    return ChainTorture.Run(args.AsSpan(1));
}

if (args is [InPlaceConversion.Name, _, _, ..])
{
    return InPlaceConversion.Run(args.AsSpan(1));
}

if (args is ["verdicts", ..])
{
    return VerdictTable.Run(args.Length > 1 ? args[1] : ".");
}

if (args is ["fuzz", ..])
{
    return await FuzzRun.RunAsync(args.AsMemory(1));
}

BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
return 0;
