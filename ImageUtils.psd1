@{
    # A nested module's help is looked for beside its assembly, a root module's only beside this file.
    NestedModules        = @('module/bin/ImageUtils.PowerShell.dll')
    ModuleVersion        = '0.1.0'
    GUID                 = '6d0a4f0e-6a55-4f0b-9d3c-2f1c7f6a7b21'
    Author               = 'The ImageUtils developers'
    CompanyName          = 'The ImageUtils developers'
    Copyright            = 'Copyright The ImageUtils developers. Apache License 2.0.'
    Description          = 'Inspects, checks and converts virtual machine disk images: what OpenStack does with images, at a prompt or in a runbook, with or without qemu-img.'
    PowerShellVersion    = '7.6'
    CompatiblePSEditions = @('Core')
    FormatsToProcess     = @('module/ImageUtils.Format.ps1xml')
    TypesToProcess       = @('module/ImageUtils.Types.ps1xml')
    FunctionsToExport    = @()
    AliasesToExport      = @()
    VariablesToExport    = @()
    CmdletsToExport      = @(
        'Clear-ImageTemporaryFile'
        'Compare-DiskImage'
        'Connect-ImageService'
        'Convert-DiskImage'
        'Convert-GlanceImage'
        'ConvertFrom-QemuImageInfo'
        'Disconnect-ImageService'
        'Expand-XenServerImage'
        'Get-DiskImageMap'
        'Get-GlanceImage'
        'Get-GlanceImportMethod'
        'Get-GlanceStore'
        'Get-GlanceTask'
        'Get-ImageServiceSession'
        'Get-ImageUtilsConfiguration'
        'Get-QemuImageInfo'
        'Get-QemuImageVersion'
        'Get-VhdChain'
        'Get-VhdImage'
        'Import-VolumeImage'
        'Measure-DiskImage'
        'Merge-VhdChain'
        'New-DiskImage'
        'New-ImagePolicy'
        'New-ImageSignature'
        'New-VhdImage'
        'Optimize-VhdImage'
        'Publish-VolumeImage'
        'Remove-GlanceImage'
        'Repair-VhdChain'
        'Resize-DiskImage'
        'Resize-VhdImage'
        'Save-GlanceImage'
        'Select-ImageProperty'
        'Set-GlanceImage'
        'Set-ImageUtilsConfiguration'
        'Set-VhdParent'
        'Start-GlanceImport'
        'Test-ImageFormat'
        'Test-ImageSignature'
        'Test-ImageSpace'
        'Test-QemuImageVersion'
        'Test-VhdImage'
    )
    PrivateData          = @{
        PSData = @{
            Tags       = @('qcow2', 'vhd', 'vhdx', 'vmdk', 'vdi', 'luks', 'qemu', 'qemu-img', 'OpenStack', 'Glance', 'disk-image')
            LicenseUri = 'https://www.apache.org/licenses/LICENSE-2.0'
        }
    }
}
