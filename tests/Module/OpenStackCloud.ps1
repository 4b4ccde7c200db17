# The servers that a Pester file talks to: those that the run of all tests has started, or its own.
$startScript = "$PSScriptRoot/../Interop/openstack/start.py"

# For BeforeDiscovery: whether servers can be had.
function Test-OpenStackCloud {
    if ($env:IMAGEUTILS_TEST_CLOUD) { return $true }
    if (-not $IsLinux -or -not (Test-Path /usr/bin/python3)) { return $false }
    $null = & /usr/bin/python3 -B $startScript --check
    $LASTEXITCODE -eq 0
}

# For BeforeAll: what OpenStackCloud.cs says of them, in snake case, with the file of clouds as .clouds.
function Start-OpenStackCloud {
    if ($env:IMAGEUTILS_TEST_CLOUD) { return $env:IMAGEUTILS_TEST_CLOUD | ConvertFrom-Json }
    $start = [Diagnostics.ProcessStartInfo]::new('/usr/bin/python3', [string[]]('-B', $startScript))
    $start.RedirectStandardInput = $start.RedirectStandardOutput = $true
    $process = [Diagnostics.Process]::Start($start)
    $cloud = $process.StandardOutput.ReadLine() | ConvertFrom-Json
    if ($cloud.PSObject.Properties['error']) { throw $cloud.error }
    $cloud | Add-Member -NotePropertyName Process -NotePropertyValue $process -PassThru
}

# For AfterAll.
function Stop-OpenStackCloud($Cloud) {
    if ($Cloud.PSObject.Properties['Process']) {
        $Cloud.Process.StandardInput.Close()
        $Cloud.Process.WaitForExit()
    }
}

# A new image, which has no data: of the format qcow2, with a tag of its own by which it is found and removed.
function New-CloudImage($Session, $Name, $Tag) {
    $image = [ImageUtils.Glance.NewGlanceImage]@{
        Name = $Name; DiskFormat = 'qcow2'; ContainerFormat = 'bare'; Tags = [string[]]$Tag
    }
    [ImageUtils.Glance.GlanceClient]::new($Session).CreateAsync($image).GetAwaiter().GetResult()
}
