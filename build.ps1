<#
.SYNOPSIS
    Builds, tests, documents and packages ImageUtils.
.DESCRIPTION
    Build    compiles the module into module/bin, ahead of time where the platform's compiler can be had
    Test     runs all tests, Pester's as well
    Help     makes module/en-US/*-Help.xml from docs/en-US (needs Microsoft.PowerShell.PlatyPS)
    Package  builds, and puts the module into artifacts/ImageUtils and a zip beside it
#>
[CmdletBinding()]
param(
    [ValidateSet('Build', 'Test', 'Help', 'Package')]
    [string[]] $Task = 'Build',

    [ValidateSet('Release', 'Debug')]
    [string] $Configuration = 'Release'
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$project = "$PSScriptRoot/src/ImageUtils.PowerShell/ImageUtils.PowerShell.csproj"
$version = (Import-PowerShellDataFile "$PSScriptRoot/ImageUtils.psd1").ModuleVersion

function Invoke-DotNet {
    dotnet @args
    if ($LASTEXITCODE -ne 0) { throw "dotnet $($args[0]) failed with exit code $LASTEXITCODE." }
}

function Build {
    $target = "$PSScriptRoot/module/bin"
    $common = 'publish', $project, '-c', $Configuration, '-o', $target, '--nologo', '-v', 'quiet'
    if (Test-Path $target) { Remove-Item -Recurse $target }
    # Code compiled ahead of time loads faster, and still runs on every other platform, compiled there.
    dotnet @common --use-current-runtime --no-self-contained -p:PublishReadyToRun=true
    if ($LASTEXITCODE -ne 0) {
        Write-Warning 'No compiler ahead of time is to be had for this platform; building without.'
        Invoke-DotNet @common
    }
    Remove-Item "$target/*.xml"
    "Built. Now: Import-Module $PSScriptRoot/ImageUtils.psd1"
}

function Test {
    Invoke-DotNet test "$PSScriptRoot/ImageUtils.slnx" --nologo
}

function Help {
    Import-Module Microsoft.PowerShell.PlatyPS
    $target = "$PSScriptRoot/module/en-US"
    $scratch = Join-Path ([IO.Path]::GetTempPath()) ([guid]::NewGuid())
    try {
        Get-ChildItem "$PSScriptRoot/docs/en-US/*-*.md" | Import-MarkdownCommandHelp |
            Export-MamlCommandHelp -OutputFolder $scratch -Force | Out-Null
        $made = Get-ChildItem $scratch -Recurse -Filter '*-Help.xml'
        $null = New-Item -ItemType Directory -Force $target
        $text = [IO.File]::ReadAllText($made.FullName).ReplaceLineEndings("`n").TrimEnd() + "`n"
        [IO.File]::WriteAllText("$target/ImageUtils.PowerShell.dll-Help.xml", $text)
        "Made $target/ImageUtils.PowerShell.dll-Help.xml"
    } finally {
        Remove-Item -Recurse $scratch -ErrorAction Ignore
    }
}

function Package {
    Build
    $target = "$PSScriptRoot/artifacts/ImageUtils/$version"
    if (Test-Path $target) { Remove-Item -Recurse $target }
    $null = New-Item -ItemType Directory "$target/module", "$target/en-US"
    Copy-Item "$PSScriptRoot/ImageUtils.psd1", "$PSScriptRoot/LICENSE", "$PSScriptRoot/README.md", "$PSScriptRoot/CHANGELOG.md" $target
    Copy-Item -Recurse "$PSScriptRoot/module/*" "$target/module"
    foreach ($topic in Get-ChildItem "$PSScriptRoot/docs/en-US/about_*.md") {
        Copy-Item $topic "$target/en-US/$($topic.BaseName).help.txt"
    }
    $zip = "$PSScriptRoot/artifacts/ImageUtils-$version.zip"
    Compress-Archive "$PSScriptRoot/artifacts/ImageUtils" $zip -Force
    "Packaged $zip"
}

foreach ($one in $Task) { & $one }
