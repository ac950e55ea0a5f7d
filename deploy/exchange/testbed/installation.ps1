# installation.ps1 DIR: the files of an Exchange server that the collector reads, in
# DIR; and in $env:TESTBED what all runs share, where it is not there yet: the
# assembly of organisation.cs and two signing certificates.
param([string] $Root)
$ErrorActionPreference = 'Stop'

if (-not (Test-Path -LiteralPath "$env:TESTBED/organisation.dll")) {
    Add-Type -Path "$PSScriptRoot/organisation.cs" -OutputAssembly "$env:TESTBED/organisation.dll"
    1..2 | ForEach-Object {
        $key = [System.Security.Cryptography.RSA]::Create(2048)
        $name = 'CN=accounts.accesscontrol.windows.net'
        $padding = [System.Security.Cryptography.RSASignaturePadding]::Pkcs1
        $request = [System.Security.Cryptography.X509Certificates.CertificateRequest]::new($name, $key, 'SHA256', $padding)
        $now = [datetimeoffset]::UtcNow
        [Convert]::ToBase64String($request.CreateSelfSigned($now.AddDays(-90), $now.AddDays(700)).RawData)
    } | Set-Content -Path "$env:TESTBED/signing.txt"
    foreach ($file in 'exchange.ps1', 'windows.ps1', 'start.ps1') { Copy-Item -Path "$PSScriptRoot/$file" -Destination $env:TESTBED }
}

$eas = "$Root/exchange/Logging/HttpProxy/Eas"
$autodiscover = "$Root/exchange/Logging/HttpProxy/Autodiscover"
$null = New-Item -ItemType Directory -Force -Path "$Root/exchange/bin", "$Root/exchange/FrontEnd/HttpProxy/Sync", $eas, $autodiscover,
    "$Root/windows/System32/inetsrv/config", "$Root/out", "$Root/data/hmad/log"
Copy-Item -Path "$env:TESTBED/organisation.dll" -Destination "$Root/exchange/bin/ExSetup.exe"
Set-Content -Path "$Root/exchange/FrontEnd/HttpProxy/Sync/web.config" -Value @'
<?xml version="1.0" encoding="utf-8"?>
<configuration>
  <location inheritInChildApplications="false">
    <system.web><httpRuntime maxRequestLength="10240" targetFramework="4.8" /></system.web>
  </location>
</configuration>
'@
Set-Content -Path "$Root/windows/System32/inetsrv/config/applicationHost.config" -Value @'
<?xml version="1.0" encoding="UTF-8"?>
<configuration>
  <system.webServer><security><access sslFlags="None" /></security></system.webServer>
  <location path="Default Web Site"><system.webServer><security><access sslFlags="None" /></security></system.webServer></location>
  <location path="Default Web Site/Microsoft-Server-ActiveSync">
    <system.webServer><security><access sslFlags="Ssl, Ssl128" /></security></system.webServer>
  </location>
</configuration>
'@

# The front end's log, with the columns of Exchange 2019 and SE: one request of the
# cloud a minute, one refused every fifth, and phones between.
$columns = (@'
DateTime,RequestId,MajorVersion,MinorVersion,BuildVersion,RevisionVersion,ClientRequestId,Protocol,UrlHost,UrlStem,ProtocolAction,
AuthenticationType,IsAuthenticated,AuthenticatedUser,Organization,AnchorMailbox,UserAgent,ClientIpAddress,ServerHostName,HttpStatus,
BackEndStatus,ErrorCode,Method,ProxyAction,TargetServer,TargetServerVersion,RoutingType,RoutingHint,BackEndCookie,ServerLocatorHost,
ServerLocatorLatency,RequestBytes,ResponseBytes,TargetOutstandingRequests,AuthModulePerfContext,HttpPipelineLatency,
CalculateTargetBackEndLatency,GlsLatencyBreakup,TotalGlsLatency,AccountForestLatencyBreakup,TotalAccountForestLatency,
ResourceForestLatencyBreakup,TotalResourceForestLatency,ADLatency,SharedCacheLatencyBreakup,TotalSharedCacheLatency,
ActivityContextLifeTime,ModuleToHandlerSwitchingLatency,ClientReqStreamLatency,BackendReqInitLatency,BackendReqStreamLatency,
BackendProcessingLatency,BackendRespInitLatency,BackendRespStreamLatency,ClientRespStreamLatency,KerberosAuthHeaderLatency,
HandlerCompletionLatency,RequestHandlerLatency,HandlerToModuleSwitchingLatency,ProxyTime,CoreLatency,RoutingLatency,HttpProxyOverhead,
TotalRequestTime,RouteRefresherLatency,UrlQuery,BackEndGenericInfo,GenericInfo,GenericErrors,EdgeTraceId,DatabaseGuid,
UserADObjectGuid,PartitionEndpointLookupLatency,RoutingStatus
'@ -replace '\s', '').Split(',')
$head = "#Software: Microsoft Exchange Server`r`n#Version: 15.02.2562.017`r`n#Log-type: HttpProxy Logs`r`n#Date: {0:yyyy-MM-ddTHH:mm:ss.fffZ}`r`n" +
    "#Fields: $($columns -join ',')`r`n"
function Line([datetime] $At, [int] $Status, [string] $Agent, [string] $Query) {
    $value = @{
        DateTime = $At.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", [cultureinfo]::InvariantCulture); HttpStatus = "$Status"; UserAgent = $Agent
        UrlQuery = $Query; UrlStem = '/Microsoft-Server-ActiveSync/default.eas'; AuthenticatedUser = 'CONTOSO\jane'
        AuthenticationType = if ($Status -eq 401) { '' } elseif ($Query -like '*OutlookService*') { 'Bearer' } else { 'Basic' }
        GenericInfo = '"a, ""quoted"" field"'
    }
    (($columns | ForEach-Object { $value[$_] }) -join ',') + "`r`n"
}
$now = [datetime]::UtcNow
foreach ($hours in 5, 0) {
    $start = $now.AddHours(-$hours)
    $text = [System.Text.StringBuilder]::new([string]::Format([cultureinfo]::InvariantCulture, $head, $start.AddHours(-1)))
    foreach ($minute in 55..2) {
        $at = $start.AddMinutes(-$minute)
        $null = $text.Append((Line $at 200 'OutlookService' '?Cmd=Sync&User=a%40contoso.com&DeviceId=1&DeviceType=OutlookService'))
        if ($minute % 5 -eq 0) { $null = $text.Append((Line $at 401 '' '?Cmd=Ping&DeviceType=OutlookService')) }
        $null = $text.Append((Line $at 200 'Apple-iPhone14C2/2101' '?Cmd=Ping&DeviceType=iPhone'))
    }
    $name = 'HttpProxy_{0}-1.LOG' -f $start.ToString('yyyyMMddHH', [cultureinfo]::InvariantCulture)
    [System.IO.File]::WriteAllText("$eas/$name", "$text")
    Start-Sleep -Milliseconds 20
}

# AutoDiscover's log of the front end: two visits of AutoDetect every ten minutes, and
# Outlook between.
$text = [System.Text.StringBuilder]::new([string]::Format([cultureinfo]::InvariantCulture, $head, $now.AddHours(-1)))
foreach ($minute in 55..2) {
    $line = (Line $now.AddMinutes(-$minute) 200 'Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17932)' '') -replace
        '/Microsoft-Server-ActiveSync/default.eas', '/autodiscover/autodiscover.xml'
    $null = $text.Append($line)
    if ($minute % 10) { continue }
    foreach ($visit in @{ method = 'GET'; document = 'json'; status = 200 }, @{ method = 'POST'; document = 'xml'; status = 401 }) {
        $value = @{
            DateTime = $now.AddMinutes(-$minute).ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", [cultureinfo]::InvariantCulture)
            UrlStem = "/autodiscover/autodiscover.$($visit.document)"; UserAgent = 'OutlookMobileCloudService-Autodetect/1.0.0'
            HttpStatus = "$($visit.status)"; Method = $visit.method; UrlQuery = '?Email=jane%40contoso.com&Protocol=ActiveSync&RedirectCount=1'
        }
        $null = $text.Append((($columns | ForEach-Object { $value[$_] }) -join ',') + "`r`n")
    }
}
$name = 'HttpProxy_{0}-1.LOG' -f $now.ToString('yyyyMMddHH', [cultureinfo]::InvariantCulture)
[System.IO.File]::WriteAllText("$autodiscover/$name", "$text")
