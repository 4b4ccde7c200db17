# A way to a Glance that is so slow that what is done over it can be interrupted: 1 MB/s.
function Start-SlowGlance($Glance) {
    $script = "$PSScriptRoot/../Interop/slow_proxy.py"
    $start = [Diagnostics.ProcessStartInfo]::new('/usr/bin/python3', [string[]]('-B', $script, ([uri]$Glance).Port, '1000000'))
    $start.RedirectStandardInput = $start.RedirectStandardOutput = $true
    $process = [Diagnostics.Process]::Start($start)
    [pscustomobject]@{ Process = $process; Endpoint = "http://127.0.0.1:$($process.StandardOutput.ReadLine())" }
}

function Stop-SlowGlance($Slow) {
    $Slow.Process.StandardInput.Close()
    $Slow.Process.WaitForExit()
}

# Runs a command, presses Ctrl+C when it says how far it is, and returns how many seconds it took to end.
function Stop-HalfWay($Slow, $Command) {
    $shell = [powershell]::Create()
    $module = Resolve-Path "$PSScriptRoot/../../ImageUtils.psd1"
    $null = $shell.AddScript("Import-Module '$module'; Connect-ImageService -Endpoint '$($Slow.Endpoint)' | Out-Null; $Command")
    $run = $shell.BeginInvoke()
    $limit = [Diagnostics.Stopwatch]::StartNew()
    while ($shell.Streams.Progress.Count -eq 0 -and -not $run.IsCompleted -and $limit.Elapsed.TotalSeconds -lt 60) {
        Start-Sleep -Milliseconds 5
    }
    if ($run.IsCompleted) { throw "It has ended already: $($shell.Streams.Error)" }
    $clock = [Diagnostics.Stopwatch]::StartNew()
    $shell.Stop()
    $seconds = $clock.Elapsed.TotalSeconds
    $state = $shell.InvocationStateInfo.State
    $shell.Dispose()
    if ($state -ne 'Stopped') { throw "It is $state." }
    $seconds
}
