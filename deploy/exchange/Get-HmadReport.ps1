<#
.SYNOPSIS
    Reads what hmad needs to know of this Exchange server and its organisation.

.DESCRIPTION
    Writes one JSON report, and pushes it to hmad or lays it in a folder. It
    reads only: of Exchange's cmdlets it imports the Get- cmdlets listed in
    $exchangeCommands and no other. Run it on every Exchange server (2013 to SE)
    as a scheduled task under a group managed service account: see
    docs/onprem-report.md.

    A section that cannot be read says why, and the others stand. The task's
    last result is 0 when the report was delivered, 1 when it was not.

.EXAMPLE
    .\Get-HmadReport.ps1 -Url https://jump1.contoso.com:9751/api/v1/onprem-report -TokenFile C:\ProgramData\hmad\token

.EXAMPLE
    .\Get-HmadReport.ps1 -Folder \\files.contoso.com\hmad$
#>
[CmdletBinding(DefaultParameterSetName = 'Folder')]
param(
    # Where hmad listens for reports.
    [Parameter(Mandatory = $true, ParameterSetName = 'Push')] [string] $Url,
    # A file with the bearer token; only the task's account may read it.
    [Parameter(ParameterSetName = 'Push')] [string] $TokenFile,
    # Or a client certificate of Cert:\LocalMachine\My, whose key the account may read.
    [Parameter(ParameterSetName = 'Push')] [string] $CertificateThumbprint,
    # Or a folder, which gets one file per server.
    [Parameter(Mandatory = $true, ParameterSetName = 'Folder')] [string] $Folder,
    # As the scheduled task repeats: hmad misses a report after three intervals.
    [ValidateRange(1, 1440)] [int] $IntervalMinutes = 15,
    # The Exchange server whose PowerShell is asked, by its full name; without it
    # this one.
    [string] $Server,
    # The IIS site of the front end.
    [string] $WebSite = 'Default Web Site',
    # How far back the event log is read.
    [ValidateRange(1, 168)] [int] $EventHours = 26,
    # How far back the front end's log is read: longer than the task's interval.
    [ValidateRange(30, 1440)] [int] $LogMinutes = 60,
    # And how much of it at most, from its end.
    [ValidateRange(1, 2048)] [int] $LogMegabytes = 256,
    # Whose partnership with the cloud is reported: addresses, separated by
    # commas. Give them on one server alone.
    [string[]] $Mailboxes = @()
)

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$version = '1.1.0'
$clock = [System.Diagnostics.Stopwatch]::StartNew()
$sections = [ordered]@{}
$connectError = $null
$reach = $null

# All that is ever called of Exchange.
$exchangeCommands = @(
    'Get-AuthServer', 'Get-Mailbox', 'Get-MailboxDatabaseCopyStatus', 'Get-OrganizationConfig',
    'Get-ActiveSyncOrganizationSettings', 'Get-ActiveSyncDeviceAccessRule',
    'Get-ActiveSyncVirtualDirectory', 'Get-MapiVirtualDirectory', 'Get-WebServicesVirtualDirectory',
    'Get-OabVirtualDirectory', 'Get-AutodiscoverVirtualDirectory', 'Get-ExchangeServer', 'Get-TransportConfig',
    'Get-AuthConfig', 'Get-ExchangeCertificate', 'Get-HybridConfiguration', 'Get-IntraOrganizationConnector',
    'Get-OrganizationRelationship', 'Get-MigrationEndpoint', 'Get-SettingOverride', 'Get-MobileDeviceStatistics'
)

# Add-Section runs a block and keeps what it gives, or why it failed. Sections
# that ask Exchange fail with the reason for which there is no session.
function Add-Section([string] $Name, [scriptblock] $Read, [switch] $Local) {
    try {
        if ($connectError -and -not $Local) { throw $connectError }
        $sections[$Name] = [ordered]@{ ok = $true; error = $null; data = @(& $Read) }
    }
    catch {
        $sections[$Name] = [ordered]@{ ok = $false; error = "$($_.Exception.Message)"; data = $null }
    }
}

# Format-Time writes a date in UTC; nothing stays nothing.
function Format-Time($Time) {
    if ($null -eq $Time -or "$Time" -eq '') { return $null }
    ([datetime] $Time).ToUniversalTime().ToString('o')
}

# ConvertTo-Text makes texts of values, which through remoting are enumerations,
# URLs and identities that ConvertTo-Json would write otherwise.
function ConvertTo-Text($Values) {
    $Values | Where-Object { $null -ne $_ } | ForEach-Object { "$_" }
}

# --- Exchange: one session, the Get- cmdlets above -------------------------

$session = $null
try {
    # Within the try: a name that does not resolve is told in the report.
    if (-not $Server) {
        $Server = $env:COMPUTERNAME
        $Server = [System.Net.Dns]::GetHostEntry($Server).HostName
    }
    $session = New-PSSession -ConfigurationName Microsoft.Exchange -ConnectionUri "http://$Server/PowerShell/" -Authentication Kerberos
    $null = Import-PSSession -Session $session -CommandName $exchangeCommands -AllowClobber -DisableNameChecking `
        -ErrorAction SilentlyContinue -WarningAction SilentlyContinue -ErrorVariable importErrors
    if (-not (Get-Command -Name 'Get-AuthServer' -ErrorAction SilentlyContinue)) {
        throw "The session offers no Get-AuthServer: is the account in View-Only Organization Management? $($importErrors | Select-Object -First 1)"
    }
}
catch {
    $connectError = "No Exchange session with ${Server}: $($_.Exception.Message)"
}

Add-Section 'authServers' {
    Get-AuthServer -ErrorAction Stop | ForEach-Object {
        [pscustomobject]@{
            name                           = "$($_.Name)"
            type                           = "$($_.Type)"
            enabled                        = $_.Enabled
            isDefaultAuthorizationEndpoint = $_.IsDefaultAuthorizationEndpoint
            issuerIdentifier               = "$($_.IssuerIdentifier)"
            realm                          = "$($_.Realm)"
            authorizationEndpoint          = "$($_.AuthorizationEndpoint)"
            tokenIssuingEndpoint           = "$($_.TokenIssuingEndpoint)"
            authMetadataUrl                = "$($_.AuthMetadataUrl)"
            applicationIdentifier          = "$($_.ApplicationIdentifier)"
            domainName                     = @(ConvertTo-Text $_.DomainName)
            certificateStrings             = @(ConvertTo-Text $_.CertificateStrings)
            whenChanged                    = Format-Time $_.WhenChanged
        }
    }
}

# The mailbox whose active database copy decides where AuthAdmin runs.
function Get-RefreshMailbox {
    Get-Mailbox -Arbitration -IgnoreDefaultScope -ErrorAction Stop |
        Where-Object { "$($_.PersistedCapabilities)" -like '*OrganizationCapabilityManagement*' }
}

Add-Section 'arbitration' {
    Get-RefreshMailbox | ForEach-Object {
        [pscustomobject]@{
            name                  = "$($_.Name)"
            database              = "$($_.Database)"
            persistedCapabilities = @(ConvertTo-Text $_.PersistedCapabilities)
        }
    }
}

Add-Section 'databaseCopies' {
    Get-RefreshMailbox | ForEach-Object { "$($_.Database)" } | Sort-Object -Unique | ForEach-Object {
        Get-MailboxDatabaseCopyStatus -Identity $_ -ErrorAction Stop
    } | ForEach-Object {
        [pscustomobject]@{
            name          = "$($_.Name)"
            databaseName  = "$($_.DatabaseName)"
            mailboxServer = "$($_.MailboxServer)"
            status        = "$($_.Status)"
        }
    }
}

Add-Section 'organizationConfig' {
    Get-OrganizationConfig -ErrorAction Stop | ForEach-Object {
        [pscustomobject]@{
            name                       = "$($_.Name)"
            guid                       = "$($_.Guid)"
            oAuth2ClientProfileEnabled = $_.OAuth2ClientProfileEnabled
            enableAuthAdminReadSession = $_.EnableAuthAdminReadSession
        }
    }
}

Add-Section 'activeSyncSettings' {
    Get-ActiveSyncOrganizationSettings -ErrorAction Stop | ForEach-Object {
        [pscustomobject]@{ defaultAccessLevel = "$($_.DefaultAccessLevel)" }
    }
}

Add-Section 'deviceAccessRules' {
    Get-ActiveSyncDeviceAccessRule -ErrorAction Stop | ForEach-Object {
        [pscustomobject]@{
            name           = "$($_.Name)"
            characteristic = "$($_.Characteristic)"
            queryString    = "$($_.QueryString)"
            accessLevel    = "$($_.AccessLevel)"
        }
    }
}

filter ConvertTo-DirectoryRow([string] $Kind) {
    [pscustomobject]@{
        kind                            = $Kind
        server                          = "$($_.Server)"
        name                            = "$($_.Name)"
        internalUrl                     = "$($_.InternalUrl)"
        externalUrl                     = "$($_.ExternalUrl)"
        internalAuthenticationMethods   = @(ConvertTo-Text $_.InternalAuthenticationMethods)
        externalAuthenticationMethods   = @(ConvertTo-Text $_.ExternalAuthenticationMethods)
        iisAuthenticationMethods        = @(ConvertTo-Text $_.IISAuthenticationMethods)
        extendedProtectionTokenChecking = "$($_.ExtendedProtectionTokenChecking)"
    }
}

# From the directory alone: IIS of other servers would need rights there.
Add-Section 'virtualDirectories' {
    Get-ActiveSyncVirtualDirectory -ADPropertiesOnly -ErrorAction Stop | ConvertTo-DirectoryRow -Kind 'ActiveSync'
    Get-MapiVirtualDirectory -ADPropertiesOnly -ErrorAction Stop | ConvertTo-DirectoryRow -Kind 'Mapi'
    Get-WebServicesVirtualDirectory -ADPropertiesOnly -ErrorAction Stop | ConvertTo-DirectoryRow -Kind 'WebServices'
    Get-OabVirtualDirectory -ADPropertiesOnly -ErrorAction Stop | ConvertTo-DirectoryRow -Kind 'OAB'
    Get-AutodiscoverVirtualDirectory -ADPropertiesOnly -ErrorAction Stop | ConvertTo-DirectoryRow -Kind 'Autodiscover'
}

Add-Section 'exchangeServers' {
    Get-ExchangeServer -ErrorAction Stop | ForEach-Object {
        [pscustomobject]@{
            name                = "$($_.Name)"
            fqdn                = "$($_.Fqdn)"
            adminDisplayVersion = "$($_.AdminDisplayVersion)"
            edition             = "$($_.Edition)"
            serverRole          = "$($_.ServerRole)"
            site                = "$($_.Site)"
            internetWebProxy    = "$($_.InternetWebProxy)"
        }
    }
}

Add-Section 'transportConfig' {
    Get-TransportConfig -ErrorAction Stop | ForEach-Object {
        [pscustomobject]@{ maxSendSize = "$($_.MaxSendSize)"; maxReceiveSize = "$($_.MaxReceiveSize)" }
    }
}

Add-Section 'authConfig' {
    Get-AuthConfig -ErrorAction Stop | ForEach-Object {
        [pscustomobject]@{
            currentCertificateThumbprint  = "$($_.CurrentCertificateThumbprint)"
            nextCertificateThumbprint     = "$($_.NextCertificateThumbprint)"
            previousCertificateThumbprint = "$($_.PreviousCertificateThumbprint)"
            nextCertificateEffectiveDate  = Format-Time $_.NextCertificateEffectiveDate
            serviceName                   = "$($_.ServiceName)"
            realm                         = "$($_.Realm)"
        }
    }
}

Add-Section 'exchangeCertificates' {
    $auth = Get-AuthConfig -ErrorAction Stop
    $wanted = @(ConvertTo-Text @($auth.CurrentCertificateThumbprint, $auth.NextCertificateThumbprint, $auth.PreviousCertificateThumbprint))
    Get-ExchangeCertificate -Server $env:COMPUTERNAME -ErrorAction Stop |
        Where-Object { $wanted -contains "$($_.Thumbprint)" } | ForEach-Object {
            [pscustomobject]@{
                server        = $env:COMPUTERNAME
                thumbprint    = "$($_.Thumbprint)"
                subject       = "$($_.Subject)"
                notBefore     = Format-Time $_.NotBefore
                notAfter      = Format-Time $_.NotAfter
                services      = "$($_.Services)"
                hasPrivateKey = $_.HasPrivateKey
            }
        }
}

Add-Section 'hybridConfiguration' {
    Get-HybridConfiguration -ErrorAction Stop | ForEach-Object {
        [pscustomobject]@{
            serviceInstance = $_.ServiceInstance
            features        = @(ConvertTo-Text $_.Features)
            domains         = @(ConvertTo-Text $_.Domains)
        }
    }
}

Add-Section 'intraOrganizationConnectors' {
    Get-IntraOrganizationConnector -ErrorAction Stop | ForEach-Object {
        [pscustomobject]@{
            name                 = "$($_.Name)"
            enabled              = $_.Enabled
            targetAddressDomains = @(ConvertTo-Text $_.TargetAddressDomains)
            discoveryEndpoint    = "$($_.DiscoveryEndpoint)"
            targetSharingEpr     = "$($_.TargetSharingEpr)"
        }
    }
}

Add-Section 'organizationRelationships' {
    Get-OrganizationRelationship -ErrorAction Stop | ForEach-Object {
        [pscustomobject]@{
            name                  = "$($_.Name)"
            enabled               = $_.Enabled
            domainNames           = @(ConvertTo-Text $_.DomainNames)
            targetSharingEpr      = "$($_.TargetSharingEpr)"
            targetAutodiscoverEpr = "$($_.TargetAutodiscoverEpr)"
        }
    }
}

# Not every version and role group has these two: then hmad does without.
if (Get-Command -Name 'Get-MigrationEndpoint' -ErrorAction SilentlyContinue) {
    Add-Section 'migrationEndpoints' {
        Get-MigrationEndpoint -ErrorAction Stop | ForEach-Object {
            [pscustomobject]@{ identity = "$($_.Identity)"; endpointType = "$($_.EndpointType)"; remoteServer = "$($_.RemoteServer)" }
        }
    }
}

if (Get-Command -Name 'Get-SettingOverride' -ErrorAction SilentlyContinue) {
    Add-Section 'settingOverrides' {
        Get-SettingOverride -ErrorAction Stop | ForEach-Object {
            [pscustomobject]@{
                name          = "$($_.Name)"
                componentName = "$($_.ComponentName)"
                sectionName   = "$($_.SectionName)"
                parameters    = @(ConvertTo-Text $_.Parameters)
                server        = @(ConvertTo-Text $_.Server)
            }
        }
    }
}

# The times of these rows are UTC, also where they do not say so.
function Format-SyncTime($Time) {
    if ($null -eq $Time -or "$Time" -eq '') { return $null }
    $moment = [datetime] $Time
    if ($moment.Kind -eq [System.DateTimeKind]::Unspecified) { $moment = [datetime]::SpecifyKind($moment, [System.DateTimeKind]::Utc) }
    Format-Time $moment
}

# The partnerships of the cloud itself, not those of phones. Through
# powershell.exe -File a list arrives as one text.
$watched = @($Mailboxes | ForEach-Object { $_.Split(',') } | ForEach-Object { $_.Trim() } | Where-Object { $_ } | Select-Object -First 200)
if ($watched) {
    Add-Section 'partnerships' {
        foreach ($address in $watched) {
            Get-MobileDeviceStatistics -Mailbox $address -ErrorAction Stop | Where-Object { "$($_.DeviceType)" -eq 'OutlookService' } | ForEach-Object {
                [pscustomobject]@{
                    mailbox             = $address
                    deviceId            = "$($_.DeviceID)"
                    deviceAccessState   = "$($_.DeviceAccessState)"
                    firstSyncTime       = Format-SyncTime $_.FirstSyncTime
                    lastSyncAttemptTime = Format-SyncTime $_.LastSyncAttemptTime
                    lastSuccessSync     = Format-SyncTime $_.LastSuccessSync
                }
            }
        }
    }
}

if ($session) { Remove-PSSession -Session $session }

# --- This server: event log, configuration files ---------------------------

# Get-RecentEvent gives a source's events, newest first. Levels are taken by
# number: their names are in the server's language. Event 2006 of MSExchange
# OAuth quotes the refused token with its user's name: of it only the key's id
# is kept. $reach tells from when on every event was read: a log that is full
# drops its oldest records, and the limit cuts.
function Get-RecentEvent([string] $Source, [int] $Limit) {
    $script:reach = $null
    $start = (Get-Date).AddHours(-$EventHours)
    $filter = @{ LogName = 'Application'; ProviderName = $Source; StartTime = $start }
    $events = @()
    try {
        $events = @(Get-WinEvent -FilterHashtable $filter -MaxEvents $Limit -ErrorAction Stop)
    }
    catch {
        if ($_.FullyQualifiedErrorId -notlike 'NoMatchingEventsFound*') { throw }
    }
    # Of an empty log nothing is known: then this fails, and so does the section.
    $oldest = (Get-WinEvent -LogName 'Application' -Oldest -MaxEvents 1 -ErrorAction Stop).TimeCreated
    if ($oldest -gt $start) { $start = $oldest }
    if ($events.Count -ge $Limit) { $start = $events[-1].TimeCreated }
    $script:reach = $start
    $levels = @{ 1 = 'Critical'; 2 = 'Error'; 3 = 'Warning' }
    foreach ($entry in $events) {
        $level = $levels[[int] $entry.Level]
        if (-not $level) { $level = 'Information' }
        $message = "$($entry.Message)"
        $keyId = ''
        if ($Source -eq 'MSExchange OAuth' -and $entry.Id -eq 2006) {
            if ($message -match '(?:x5t|kid)["'':=\s]+([A-Za-z0-9_-]{27,40})') { $keyId = $Matches[1] }
            $message = 'Not copied: it quotes the token.'
        }
        [pscustomobject]@{
            time    = Format-Time $entry.TimeCreated
            first   = Format-Time $entry.TimeCreated
            id      = $entry.Id
            level   = $level
            source  = $Source
            count   = 1
            keyId   = $keyId
            message = $message.Substring(0, [Math]::Min(500, $message.Length))
        }
    }
}

Add-Section 'authAdminEvents' -Local { Get-RecentEvent -Source 'MSExchange AuthAdmin' -Limit 500 }
$sections['authAdminEvents'].since = Format-Time $reach

# Of these there may be thousands: one row per event id and key, the newest, with
# their number.
Add-Section 'oauthEvents' -Local {
    Get-RecentEvent -Source 'MSExchange OAuth' -Limit 2000 | Group-Object -Property 'id', 'keyId' | ForEach-Object {
        $newest = $_.Group[0]
        $newest.first = $_.Group[$_.Count - 1].time
        $newest.count = $_.Count
        $newest
    }
}
$sections['oauthEvents'].since = Format-Time $reach

Add-Section 'localServer' -Local {
    $setup = Get-Item -LiteralPath (Join-Path -Path $env:ExchangeInstallPath -ChildPath 'bin\ExSetup.exe')
    [pscustomobject]@{ installPath = $env:ExchangeInstallPath; build = $setup.VersionInfo.FileVersion }
}

# Read-Xml reads a configuration file.
function Read-Xml([string] $Path) {
    $document = New-Object -TypeName System.Xml.XmlDocument
    $document.XmlResolver = $null
    $document.Load($Path)
    $document
}

Add-Section 'webConfig' -Local {
    $path = Join-Path -Path $env:ExchangeInstallPath -ChildPath 'FrontEnd\HttpProxy\Sync\web.config'
    $lengths = (Read-Xml $path).SelectNodes('//*[local-name()="httpRuntime"]/@maxRequestLength') | ForEach-Object { [int] $_.Value }
    if (-not $lengths) { throw "No maxRequestLength in $path" }
    [pscustomobject]@{ path = $path; maxRequestLength = [int] ($lengths | Measure-Object -Minimum).Minimum }
}

# The setting in force is the nearest one: of the directory, the site, the server.
Add-Section 'iis' -Local {
    $config = Read-Xml (Join-Path -Path $env:windir -ChildPath 'System32\inetsrv\config\applicationHost.config')
    foreach ($place in "$WebSite/Microsoft-Server-ActiveSync", $WebSite, '') {
        $flags = $config.SelectNodes('/configuration/location/system.webServer/security/access/@sslFlags') |
            Where-Object { $_.SelectSingleNode('ancestor::location/@path').Value -eq $place } | Select-Object -First 1
        if ($place -eq '' -and $null -eq $flags) {
            $flags = $config.SelectSingleNode('/configuration/system.webServer/security/access/@sslFlags')
        }
        if ($null -ne $flags) {
            return [pscustomobject]@{ location = $place; sslFlags = "$($flags.Value)" }
        }
    }
    throw 'No sslFlags in applicationHost.config'
}

# --- This server: the front end's log of ActiveSync --------------------------

# Read-LogTail gives the columns of a log that Exchange still writes to, and
# those lines of its last bytes that name the OutlookService. Begins is the time
# of the first line, where what is before it was not read. A line without a time
# is the rest of a field that has a line break.
function Read-LogTail([string] $Path, [long] $Limit) {
    $tail = [pscustomobject]@{ columns = @(); begins = $null; size = 0; lines = New-Object -TypeName 'System.Collections.Generic.List[string]' }
    $stream = [System.IO.File]::Open($Path, [System.IO.FileMode]::Open, [System.IO.FileAccess]::Read, [System.IO.FileShare] 'ReadWrite, Delete')
    try {
        $reader = New-Object -TypeName System.IO.StreamReader -ArgumentList $stream
        for ($i = 0; $i -lt 20 -and -not $tail.columns; $i++) {
            $line = "$($reader.ReadLine())"
            if ($line.StartsWith('#Fields:')) { $tail.columns = @($line.Substring(8).Split(',') | ForEach-Object { $_.Trim() }) }
        }
        if (-not $tail.columns) { throw "No line #Fields at the head of $Path" }
        $time = Get-ColumnForm $tail.columns 'DateTime'
        if (-not $time) { throw "No column DateTime in $Path" }
        $start = [Math]::Max(0, $stream.Length - $Limit)
        $tail.size = $stream.Length - $start
        $stream.Position = $start
        $reader.DiscardBufferedData()
        if ($start -gt 0) { $null = $reader.ReadLine() }
        while ($null -ne ($line = $reader.ReadLine())) {
            $isService = $line.IndexOf('OutlookService', [System.StringComparison]::OrdinalIgnoreCase) -ge 0
            if (-not $isService -and ($start -eq 0 -or $tail.begins)) { continue }
            $at = $time.Match($line).Groups[1].Value
            if ($at -notmatch '^\d{4}-\d\d-\d\dT') { continue }
            if ($start -gt 0 -and -not $tail.begins) { $tail.begins = ConvertTo-Moment $at }
            if ($isService) { $tail.lines.Add($line) }
        }
        if ($start -gt 0 -and -not $tail.begins) { $tail.begins = [System.IO.File]::GetLastWriteTimeUtc($Path) }
    }
    finally {
        $stream.Dispose()
    }
    $tail
}

# ConvertTo-Moment reads a time of a log, which is UTC.
function ConvertTo-Moment([string] $Text) {
    [datetime]::Parse($Text, [System.Globalization.CultureInfo]::InvariantCulture, [System.Globalization.DateTimeStyles] 'AssumeUniversal, AdjustToUniversal')
}

# Get-ColumnForm gives the expression that finds a column's field in a line of
# CSV; nothing where the log has no such column.
function Get-ColumnForm([string[]] $Columns, [string] $Name) {
    $field = '(?:"(?:[^"]|"")*"|[^,"]*)'
    for ($i = 0; $i -lt $Columns.Count; $i++) {
        if ($Columns[$i] -eq $Name) {
            return New-Object -TypeName System.Text.RegularExpressions.Regex -ArgumentList ('^(?:' + $field + ',){' + $i + '}(' + $field + ')')
        }
    }
}

# Select-Request gives time and status of the OutlookService's requests among a
# log's lines, and nothing else of them: no user, no address.
function Select-Request($Tail) {
    $time = Get-ColumnForm $Tail.columns 'DateTime'
    $status = Get-ColumnForm $Tail.columns 'HttpStatus'
    $names = @('UserAgent', 'UrlQuery' | ForEach-Object { Get-ColumnForm $Tail.columns $_ })
    if (-not $time -or -not $status -or -not $names) { throw 'The log lacks DateTime, HttpStatus, or both UserAgent and UrlQuery' }
    foreach ($line in $Tail.lines) {
        $code = 0
        $isCode = [int]::TryParse($status.Match($line).Groups[1].Value, [ref] $code)
        $isService = @($names | Where-Object { $_.Match($line).Groups[1].Value -match 'OutlookService' }).Count -gt 0
        if ($isService -and $isCode -and $code -ge 100 -and $code -le 599) {
            [pscustomobject]@{ time = ConvertTo-Moment $time.Match($line).Groups[1].Value; status = $code }
        }
    }
}

# Measure-FrontEnd counts requests in slots of five minutes, from the end of the
# newest log backwards. What Exchange has not written yet is left to the next
# report.
function Measure-FrontEnd {
    $until = (Get-Date).ToUniversalTime().AddMinutes(-1)
    $seen = [pscustomobject]@{ since = $until.AddMinutes(-$LogMinutes); until = $until; newest = $null; counts = @{} }
    $folder = Join-Path -Path $env:ExchangeInstallPath -ChildPath 'Logging\HttpProxy\Eas'
    $logs = @(Get-ChildItem -LiteralPath $folder -Filter '*.LOG' | Sort-Object -Property CreationTimeUtc -Descending)
    if (-not $logs) { throw "No log in $folder" }
    $left = 1MB * $LogMegabytes
    # The newest is still open: the folder does not know when it was written to.
    $wanted = @($logs[0]) + @($logs | Select-Object -Skip 1 | Where-Object { $_.LastWriteTimeUtc -ge $seen.since })
    foreach ($log in $wanted) {
        $tail = Read-LogTail -Path $log.FullName -Limit $left
        $left -= $tail.size
        if ($tail.begins -and $tail.begins -gt $seen.since) { $seen.since = $tail.begins }
        foreach ($request in Select-Request $tail) {
            if ($request.time -lt $seen.since -or $request.time -gt $until) { continue }
            $slot = $request.time.AddTicks(-($request.time.Ticks % (5 * [timespan]::TicksPerMinute)))
            $key = '{0} {1}' -f $slot.Ticks, $request.status
            $seen.counts[$key] = 1 + [int] $seen.counts[$key]
            if ($request.status -ge 200 -and $request.status -le 299 -and (-not $seen.newest -or $request.time -gt $seen.newest)) { $seen.newest = $request.time }
        }
        if ($tail.begins) { break }
    }
    $seen
}

# A server without a front end (Exchange 2013 may have one) has none to count.
if ([System.IO.Directory]::Exists((Join-Path -Path $env:ExchangeInstallPath -ChildPath 'FrontEnd\HttpProxy\Sync'))) {
    Add-Section 'frontEndRequests' -Local {
        $seen = Measure-FrontEnd
        [pscustomobject]@{
            since       = Format-Time $seen.since
            until       = Format-Time $seen.until
            slotSeconds = 300
            lastSuccess = Format-Time $seen.newest
            counts      = @($seen.counts.Keys | Sort-Object | ForEach-Object {
                    $ticks, $code = $_.Split(' ')
                    $start = New-Object -TypeName datetime -ArgumentList ([long] $ticks), ([System.DateTimeKind]::Utc)
                    [pscustomobject]@{ start = Format-Time $start; status = [int] $code; count = $seen.counts[$_] }
                })
        }
    }
}

# --- Delivery --------------------------------------------------------------

$report = [ordered]@{
    schema          = 1
    collector       = $version
    host            = $env:COMPUTERNAME
    intervalSeconds = 60 * $IntervalMinutes
    generatedAt     = Format-Time (Get-Date)
    durationMs      = $clock.ElapsedMilliseconds
    sections        = $sections
}
$json = ConvertTo-Json -InputObject $report -Depth 8 -Compress
$utf8 = New-Object -TypeName System.Text.UTF8Encoding -ArgumentList $false

try {
    if ($PSCmdlet.ParameterSetName -eq 'Push') {
        [System.Net.ServicePointManager]::SecurityProtocol = [System.Net.SecurityProtocolType]::Tls12
        $request = @{
            Uri                = $Url
            Method             = 'Post'
            Body               = $utf8.GetBytes($json)
            ContentType        = 'application/json'
            TimeoutSec         = 60
            MaximumRedirection = 0
            UseBasicParsing    = $true
        }
        if ($TokenFile) { $request.Headers = @{ Authorization = 'Bearer ' + [System.IO.File]::ReadAllText($TokenFile).Trim() } }
        if ($CertificateThumbprint) { $request.Certificate = Get-Item -LiteralPath "Cert:\LocalMachine\My\$CertificateThumbprint" }
        $null = Invoke-WebRequest @request
    }
    else {
        # Written beside and renamed: hmad never sees half a file.
        $target = Join-Path -Path $Folder -ChildPath "$env:COMPUTERNAME.json"
        [System.IO.File]::WriteAllText("$target.tmp", $json, $utf8)
        if ([System.IO.File]::Exists($target)) {
            [System.IO.File]::Replace("$target.tmp", $target, [NullString]::Value)
        }
        else {
            [System.IO.File]::Move("$target.tmp", $target)
        }
    }
}
catch {
    [Console]::Error.WriteLine("The report was not delivered: $($_.Exception.Message) $($_.ErrorDetails)")
    exit 1
}
exit 0
