using BenchmarkDotNet.Running;
using ImageUtils.Benchmarks;

// dotnet run -c Release --project tests/Benchmarks -- inspection   races against the peers, prints docs/benchmarks.md's table
// dotnet run -c Release --project tests/Benchmarks -- --filter '*' micro-benchmarks
if (args is ["inspection", ..])
{
    return InspectionRace.Run();
}

BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
return 0;
