# Times the pipeline in this one process. Prints: import in ms, then seconds for the first and each further pass.
param([string] $Module, [string] $Directory, [int] $Passes = 12)
$watch = [Diagnostics.Stopwatch]::StartNew()
Import-Module $Module
$watch.Elapsed.TotalMilliseconds
$expected = (Get-ChildItem $Directory).Count
foreach ($pass in 1..$Passes) {
    $watch.Restart()
    $reports = Get-ChildItem $Directory | Test-ImageFormat
    $watch.Stop()
    if ($reports.Count -ne $expected) { throw "$($reports.Count) reports of $expected files" }
    $watch.Elapsed.TotalSeconds
}
