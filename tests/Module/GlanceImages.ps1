# Images of a Glance that asks for no token, made without the cmdlets that are tested.
$testImages = [Collections.Generic.List[string]]::new()

function New-TestImage($Glance, $Name, $DiskFormat, $Path, $ContainerFormat = 'bare') {
    $image = Invoke-RestMethod "$Glance/v2/images" -Method Post -ContentType application/json -Body (
        @{ name = $Name; disk_format = $DiskFormat; container_format = $ContainerFormat } | ConvertTo-Json)
    $testImages.Add($image.id)
    $null = Invoke-RestMethod "$Glance/v2/images/$($image.id)/file" -Method Put -ContentType application/octet-stream -InFile $Path
    $image.id
}

function Remove-TestImage($Glance) {
    foreach ($id in $testImages) { $null = Invoke-RestMethod "$Glance/v2/images/$id" -Method Delete }
}
