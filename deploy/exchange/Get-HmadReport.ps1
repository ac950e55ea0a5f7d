#Requires -Version 5.1
<#
.SYNOPSIS
    Reads what hmad needs to know of this Exchange server and its organisation.

.DESCRIPTION
    Writes one JSON report, and pushes it to hmad or lays it in a folder. It
    reads only: of Exchange's cmdlets it calls those listed in $exchangeCommands
    and no other. Run it on every Exchange server (2013 to SE) as a scheduled
    task under a group managed service account: see docs/onprem-report.md.

    A section that cannot be read says why, and the others stand. The task's
    last result is 0 when the report was delivered, 1 when it was not. The log
    file shows for each run what was read, and how the report was delivered.

    Run it by hand with powershell.exe -File, not with the operator &: where a
    question to Exchange hangs, the script ends its process.

.EXAMPLE
    powershell.exe -File .\Get-HmadReport.ps1 -Url https://jump1.contoso.com:9751/api/v1/onprem-report -TokenFile C:\ProgramData\hmad\token

.EXAMPLE
    powershell.exe -File .\Get-HmadReport.ps1 -Folder \\files.contoso.com\hmad$ -Verbose
#>
[CmdletBinding(DefaultParameterSetName = 'Folder')]
param(
    # Where hmad listens for reports: an https URL.
    [Parameter(Mandatory = $true, ParameterSetName = 'Push')] [string] $Url,
    # A file with the bearer token; only the task's account may read it.
    [Parameter(ParameterSetName = 'Push')] [string] $TokenFile,
    # Or a client certificate of Cert:\LocalMachine\My, whose key the account may read.
    [Parameter(ParameterSetName = 'Push')] [string] $CertificateThumbprint,
    # The proxy of the push, such as http://proxy.contoso.com:8080. Without it no
    # proxy is used, whatever the account or the environment name.
    [Parameter(ParameterSetName = 'Push')] [string] $Proxy,
    # Or a folder, which gets one file per server.
    [Parameter(Mandatory = $true, ParameterSetName = 'Folder')] [string] $Folder,
    # As the scheduled task repeats: at most 40. A report is evidence for three
    # intervals and at most two hours; with 40 one lost report does no harm.
    [ValidateRange(1, 1440)] [int] $IntervalMinutes = 15,
    # The Exchange server whose PowerShell is asked, by its full name; without it
    # this one.
    [string] $Server,
    # The IIS site of the front end.
    [string] $WebSite = 'Default Web Site',
    # How far back the event log is read.
    [ValidateRange(1, 168)] [int] $EventHours = 26,
    # How far back the front end's log is read: at least the task's interval and
    # five minutes.
    [ValidateRange(30, 1440)] [int] $LogMinutes = 60,
    # And how much of it at most, from its end.
    [ValidateRange(1, 2048)] [int] $LogMegabytes = 256,
    # Whose partnership with the cloud is reported: addresses, separated by
    # commas, at most 200. Give them on one server alone.
    [string[]] $Mailboxes = @(),
    # How long Exchange may take to answer one question, and to open a session,
    # which gets 25 seconds at least.
    [ValidateRange(1, 300)] [int] $CommandSeconds = 60,
    # How long the run may take, retries of the delivery included; never longer
    # than the interval. Keep it below the task's own limit.
    [ValidateRange(30, 3600)] [int] $RunSeconds = 540,
    # What was read and how it was delivered, in text; without it
    # Get-HmadReport.log in hmad\log below %ProgramData%.
    [string] $LogFile
)

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$version = '1.2.0'
$clock = [System.Diagnostics.Stopwatch]::StartNew()
$limit = [Math]::Min(60 * $IntervalMinutes, $RunSeconds)
# Of the run's time a third, at most two minutes, is left to this server's own
# sections and to the delivery.
$reserve = [Math]::Min(120, $limit / 3)
# The User-Agent of Microsoft's AutoDetect.
$autoDetect = 'OutlookMobileCloudService-Autodetect'
$utf8 = New-Object -TypeName System.Text.UTF8Encoding -ArgumentList $false
$sections = [ordered]@{}
# What a section's block puts here stands beside the section's data.
$beside = [ordered]@{}
# Whether something was left behind that does not end: then the process does not
# end by itself either.
$abandoned = $false

# All that is ever called of Exchange.
$exchangeCommands = @(
    'Get-AuthServer', 'Get-Mailbox', 'Get-MailboxDatabaseCopyStatus', 'Get-OrganizationConfig',
    'Get-ActiveSyncOrganizationSettings', 'Get-ActiveSyncDeviceAccessRule',
    'Get-ActiveSyncVirtualDirectory', 'Get-MapiVirtualDirectory', 'Get-WebServicesVirtualDirectory',
    'Get-OabVirtualDirectory', 'Get-AutodiscoverVirtualDirectory', 'Get-ExchangeServer', 'Get-TransportConfig',
    'Get-AuthConfig', 'Get-ExchangeCertificate', 'Get-HybridConfiguration', 'Get-IntraOrganizationConnector',
    'Get-OrganizationRelationship', 'Get-MigrationEndpoint', 'Get-SettingOverride', 'Get-MobileDeviceStatistics'
)

# --- Values, log file, sections ----------------------------------------------

# ConvertTo-Text makes a text of a value. Remoting brings an enumeration as its
# name, or as a number with the name as its text: the cast takes the name of both,
# where "$value" takes the number.
function ConvertTo-Text($Value) {
    [string] $Value
}

# ConvertTo-TextList makes texts of the values of a list.
function ConvertTo-TextList($Values) {
    foreach ($value in $Values) {
        if ($null -ne $value) { ConvertTo-Text $value }
    }
}

# Format-Time writes a date in UTC; nothing stays nothing.
function Format-Time($Time) {
    if ($null -eq $Time -or (ConvertTo-Text $Time) -eq '') { return $null }
    ([datetime] $Time).ToUniversalTime().ToString('o')
}

# Format-Line makes one line of a text of others, and bounds it.
function Format-Line([string] $Text) {
    $line = ($Text -replace '[\r\n\t]+', ' ').Trim()
    $line.Substring(0, [Math]::Min(500, $line.Length))
}

# Get-SecondsLeft returns how much of the run's time is left.
function Get-SecondsLeft([double] $Without = 0) {
    $limit - $Without - $clock.Elapsed.TotalSeconds
}

# Write-Log appends a line to the log file and closes it, so that a run that is
# killed shows how far it came. Where it cannot be written, the run goes on.
function Write-Log([string] $Line) {
    Write-Verbose -Message $Line
    try {
        $text = '{0}  {1}{2}' -f (Format-Time (Get-Date)), (Format-Line $Line), "`r`n"
        if ([System.IO.File]::Exists($LogFile) -and (New-Object -TypeName System.IO.FileInfo -ArgumentList $LogFile).Length + $text.Length -gt 1MB) {
            [System.IO.File]::Delete("$LogFile.old")
            [System.IO.File]::Move($LogFile, "$LogFile.old")
        }
        [System.IO.File]::AppendAllText($LogFile, $text, $utf8)
    }
    catch {
        Write-Verbose -Message "The log file cannot be written: $($_.Exception.Message)"
    }
}

# Stop-Run ends the script. A session that was left behind would hold its process
# until it answers, so then the process is ended.
function Stop-Run([int] $Status) {
    if ($abandoned) { [System.Environment]::Exit($Status) }
    exit $Status
}

# Stop-Failed ends a run without a delivered report.
function Stop-Failed([string] $Why) {
    Write-Log "not delivered: $Why"
    [System.Console]::Error.WriteLine((Format-Line "The report was not delivered: $Why"))
    Stop-Run 1
}

# Add-Section runs a block and keeps its rows, or why it failed. A section that is
# optional is left out where Exchange does not offer its cmdlet.
function Add-Section([string] $Name, [scriptblock] $Read, [switch] $Optional) {
    $beside.Clear()
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    $state = 'ok'
    try {
        $section = [ordered]@{ ok = $true; error = $null; data = @(& $Read) }
    }
    catch {
        $state = 'failed'
        $section = [ordered]@{ ok = $false; error = $_.Exception.Message; data = $null }
        if ($Optional -and $_.Exception -is [System.NotSupportedException]) { $state = 'left out' }
    }
    foreach ($key in $beside.Keys) { $section[$key] = $beside[$key] }
    $section.tookMs = $watch.ElapsedMilliseconds
    if ($state -ne 'left out') { $sections[$Name] = $section }
    $rows = @($section.data | Where-Object { $null -ne $_ }).Count
    Write-Log ('{0,-28} {1,-8} {2,5} rows {3,7} ms  {4}' -f $Name, $state, $rows, $section.tookMs, $section.error)
}

if (-not $LogFile) { $LogFile = [System.IO.Path]::Combine([string] $env:ProgramData, 'hmad', 'log', 'Get-HmadReport.log') }
Write-Log "begin: collector $version on $env:COMPUTERNAME, PowerShell $($PSVersionTable.PSVersion), every $IntervalMinutes min, at most $limit s"
if ($IntervalMinutes -gt 40) {
    Stop-Failed "-IntervalMinutes $IntervalMinutes is too long, want at most 40: a report is evidence for at most two hours, and one may be lost"
}

# --- Exchange: one function asks it ------------------------------------------

# The session with Exchange, and the runspace in which it was opened; how many
# were opened; why there is none; and which cmdlets were not answered.
$session = $null
$opener = $null
$opened = 0
$refused = $null
$hung = @{}

# Invoke-Bounded calls a command in a runspace and waits so many seconds. What has
# not answered by then is told to stop; what does not stop within five seconds is
# left behind, for Stop() and Remove-PSSession would wait for it. Any error record
# makes the call fail.
function Invoke-Bounded($Runspace, [string] $Command, [System.Collections.IDictionary] $With, [int] $Seconds) {
    $shell = [System.Management.Automation.PowerShell]::Create()
    $shell.Runspace = $Runspace
    $null = $shell.AddCommand($Command)
    foreach ($name in $With.Keys) { $null = $shell.AddParameter($name, $With[$name]) }
    $wait = $shell.BeginInvoke()
    if (-not $wait.AsyncWaitHandle.WaitOne(1000 * $Seconds)) {
        $hung[$Command] = "$Command was not answered within $Seconds s"
        if (-not $shell.BeginStop($null, $null).AsyncWaitHandle.WaitOne(5000)) {
            $script:abandoned = $true
            $script:session = $null
        }
        throw (New-Object -TypeName System.TimeoutException -ArgumentList $hung[$Command])
    }
    try {
        $rows = $shell.EndInvoke($wait)
    }
    catch {
        $cause = $_.Exception.InnerException
        if ($cause -is [System.Management.Automation.RuntimeException]) { throw $cause.ErrorRecord }
        throw
    }
    if ($shell.Streams.Error.Count) { throw $shell.Streams.Error[0] }
    $rows
}

# Open-Session opens the session with Exchange, in a runspace of its own so that
# the opening has a limit. A function New-PSSession that is defined here goes
# along, with the texts that it uses: tests have one.
function Open-Session([int] $Seconds) {
    # Within a section's try: a name that does not resolve is told in the report.
    if (-not $Server) { $script:Server = [System.Net.Dns]::GetHostEntry($env:COMPUTERNAME).HostName }
    $state = [System.Management.Automation.Runspaces.InitialSessionState]::CreateDefault2()
    $own = Get-Command -Name 'New-PSSession' -CommandType Function -ErrorAction SilentlyContinue
    if ($own) {
        $type = [System.Management.Automation.Runspaces.SessionStateFunctionEntry]
        $state.Commands.Add((New-Object -TypeName $type -ArgumentList $own.Name, $own.Definition))
        $type = [System.Management.Automation.Runspaces.SessionStateVariableEntry]
        Get-Variable | Where-Object { $_.Value -is [string] -and $_.Name -match '^\w+$' -and $own.Definition.Contains('$' + $_.Name) } | ForEach-Object {
            $state.Variables.Add((New-Object -TypeName $type -ArgumentList $_.Name, $_.Value, ''))
        }
    }
    $script:opener = [System.Management.Automation.Runspaces.RunspaceFactory]::CreateRunspace($state)
    $opener.Open()
    $script:session = Invoke-Bounded $opener 'New-PSSession' @{
        ConfigurationName = 'Microsoft.Exchange'
        ConnectionUri     = [uri] "http://$Server/PowerShell/"
        Authentication    = 'Kerberos'
    } $Seconds
}

# Get-QuestionSeconds returns how long the next question may take: so many seconds,
# or what is left of the run's time. Five seconds are for stopping it.
function Get-QuestionSeconds([string] $Command, [int] $Most) {
    $seconds = [Math]::Min($Most, [Math]::Floor((Get-SecondsLeft ($reserve + 5))))
    if ($seconds -lt 1) { throw (New-Object -TypeName System.TimeoutException -ArgumentList "$Command was not asked: the run's time was over") }
    $seconds
}

# Confirm-Session sees to it that there is a session; at most five are opened. Where
# one could not be opened, no other is tried.
function Confirm-Session {
    if ($session -and $session.Runspace.RunspaceStateInfo.State -eq 'Opened') { return }
    $script:session = $null
    if (-not $refused -and $opened -ge 5) { $script:refused = 'Exchange is not asked any more: five sessions were lost in this run' }
    if (-not $refused) {
        $script:opened++
        $seconds = Get-QuestionSeconds 'New-PSSession' ([Math]::Max(25, $CommandSeconds))
        try {
            Open-Session $seconds
        }
        catch {
            $script:refused = "No Exchange session with ${Server}: $($_.Exception.Message)"
        }
    }
    if ($refused) { throw (New-Object -TypeName System.TimeoutException -ArgumentList $refused) }
}

# Invoke-Exchange asks Exchange one question and returns the answer's rows. A cmdlet
# that was not answered is not asked again in this run. TimeoutException: there is no
# answer; NotSupportedException: Exchange does not offer the cmdlet; all else is
# Exchange's own error.
function Invoke-Exchange([string] $Cmdlet, [System.Collections.IDictionary] $With = @{}) {
    if ($exchangeCommands -notcontains $Cmdlet) { throw "$Cmdlet is none of the cmdlets that may be called" }
    if ($hung[$Cmdlet]) { throw (New-Object -TypeName System.TimeoutException -ArgumentList "$($hung[$Cmdlet]), and is not asked again in this run") }
    $null = Get-QuestionSeconds $Cmdlet $CommandSeconds
    Confirm-Session
    $seconds = Get-QuestionSeconds $Cmdlet $CommandSeconds
    try {
        Invoke-Bounded $session.Runspace $Cmdlet $With $seconds
    }
    catch {
        if ($_.FullyQualifiedErrorId -like 'CommandNotFoundException*') {
            $why = "$Cmdlet is not offered to this account: a role is missing, or this version lacks it"
            throw (New-Object -TypeName System.NotSupportedException -ArgumentList $why)
        }
        throw
    }
}

# Close-Session closes the session, if it closes.
function Close-Session {
    if (-not $session) { return }
    try {
        $null = Invoke-Bounded $opener 'Remove-PSSession' @{ Session = $session } 5
    }
    catch {
        Write-Verbose -Message "The session with Exchange does not close: $($_.Exception.Message)"
    }
}

# Get-ErrorClass returns Exchange's failure category and code, or the category
# alone: an error's text may name a mailbox.
function Get-ErrorClass($Record) {
    if ($Record.Exception -is [System.TimeoutException] -or $Record.Exception -is [System.NotSupportedException]) { return $Record.Exception.Message }
    $inner = $null
    if ($Record.Exception -is [System.Management.Automation.RuntimeException]) { $inner = $Record.Exception.ErrorRecord }
    $id = "$($Record.FullyQualifiedErrorId) $($inner.FullyQualifiedErrorId)"
    if ($id -match 'FailureCategory=(?:\w+-)?(\w+)\]\s+([0-9A-F]{6,8})') { return "$($Matches[1]) $($Matches[2])" }
    ConvertTo-Text $Record.CategoryInfo.Category
}

Add-Section 'authServers' {
    Invoke-Exchange 'Get-AuthServer' | ForEach-Object {
        [pscustomobject]@{
            name                           = ConvertTo-Text $_.Name
            type                           = ConvertTo-Text $_.Type
            enabled                        = $_.Enabled
            isDefaultAuthorizationEndpoint = $_.IsDefaultAuthorizationEndpoint
            issuerIdentifier               = ConvertTo-Text $_.IssuerIdentifier
            realm                          = ConvertTo-Text $_.Realm
            authorizationEndpoint          = ConvertTo-Text $_.AuthorizationEndpoint
            tokenIssuingEndpoint           = ConvertTo-Text $_.TokenIssuingEndpoint
            authMetadataUrl                = ConvertTo-Text $_.AuthMetadataUrl
            applicationIdentifier          = ConvertTo-Text $_.ApplicationIdentifier
            domainName                     = @(ConvertTo-TextList $_.DomainName)
            certificateStrings             = @(ConvertTo-TextList $_.CertificateStrings)
            whenChanged                    = Format-Time $_.WhenChanged
        }
    }
}

# The mailbox whose active database copy decides where AuthAdmin runs.
function Get-RefreshMailbox {
    Invoke-Exchange 'Get-Mailbox' @{ Arbitration = $true; IgnoreDefaultScope = $true } |
        Where-Object { @(ConvertTo-TextList $_.PersistedCapabilities) -contains 'OrganizationCapabilityManagement' }
}

Add-Section 'arbitration' {
    Get-RefreshMailbox | ForEach-Object {
        [pscustomobject]@{
            name                  = ConvertTo-Text $_.Name
            database              = ConvertTo-Text $_.Database
            persistedCapabilities = @(ConvertTo-TextList $_.PersistedCapabilities)
        }
    }
}

Add-Section 'databaseCopies' {
    Get-RefreshMailbox | ForEach-Object { ConvertTo-Text $_.Database } | Sort-Object -Unique | ForEach-Object {
        Invoke-Exchange 'Get-MailboxDatabaseCopyStatus' @{ Identity = $_ }
    } | ForEach-Object {
        [pscustomobject]@{
            name          = ConvertTo-Text $_.Name
            databaseName  = ConvertTo-Text $_.DatabaseName
            mailboxServer = ConvertTo-Text $_.MailboxServer
            status        = ConvertTo-Text $_.Status
        }
    }
}

Add-Section 'organizationConfig' {
    Invoke-Exchange 'Get-OrganizationConfig' | ForEach-Object {
        [pscustomobject]@{
            name                       = ConvertTo-Text $_.Name
            guid                       = ConvertTo-Text $_.Guid
            oAuth2ClientProfileEnabled = $_.OAuth2ClientProfileEnabled
            enableAuthAdminReadSession = $_.EnableAuthAdminReadSession
        }
    }
}

Add-Section 'activeSyncSettings' {
    Invoke-Exchange 'Get-ActiveSyncOrganizationSettings' | ForEach-Object {
        [pscustomobject]@{ defaultAccessLevel = ConvertTo-Text $_.DefaultAccessLevel }
    }
}

Add-Section 'deviceAccessRules' {
    Invoke-Exchange 'Get-ActiveSyncDeviceAccessRule' | ForEach-Object {
        [pscustomobject]@{
            name           = ConvertTo-Text $_.Name
            characteristic = ConvertTo-Text $_.Characteristic
            queryString    = ConvertTo-Text $_.QueryString
            accessLevel    = ConvertTo-Text $_.AccessLevel
        }
    }
}

filter ConvertTo-DirectoryRow([string] $Kind) {
    [pscustomobject]@{
        kind                            = $Kind
        server                          = ConvertTo-Text $_.Server
        name                            = ConvertTo-Text $_.Name
        internalUrl                     = ConvertTo-Text $_.InternalUrl
        externalUrl                     = ConvertTo-Text $_.ExternalUrl
        internalAuthenticationMethods   = @(ConvertTo-TextList $_.InternalAuthenticationMethods)
        externalAuthenticationMethods   = @(ConvertTo-TextList $_.ExternalAuthenticationMethods)
        iisAuthenticationMethods        = @(ConvertTo-TextList $_.IISAuthenticationMethods)
        extendedProtectionTokenChecking = ConvertTo-Text $_.ExtendedProtectionTokenChecking
    }
}

# From the directory alone: IIS of other servers would need rights there.
Add-Section 'virtualDirectories' {
    Invoke-Exchange 'Get-ActiveSyncVirtualDirectory' @{ ADPropertiesOnly = $true } | ConvertTo-DirectoryRow -Kind 'ActiveSync'
    Invoke-Exchange 'Get-MapiVirtualDirectory' @{ ADPropertiesOnly = $true } | ConvertTo-DirectoryRow -Kind 'Mapi'
    Invoke-Exchange 'Get-WebServicesVirtualDirectory' @{ ADPropertiesOnly = $true } | ConvertTo-DirectoryRow -Kind 'WebServices'
    Invoke-Exchange 'Get-OabVirtualDirectory' @{ ADPropertiesOnly = $true } | ConvertTo-DirectoryRow -Kind 'OAB'
    Invoke-Exchange 'Get-AutodiscoverVirtualDirectory' @{ ADPropertiesOnly = $true } | ConvertTo-DirectoryRow -Kind 'Autodiscover'
}

Add-Section 'exchangeServers' {
    Invoke-Exchange 'Get-ExchangeServer' | ForEach-Object {
        [pscustomobject]@{
            name                = ConvertTo-Text $_.Name
            fqdn                = ConvertTo-Text $_.Fqdn
            adminDisplayVersion = ConvertTo-Text $_.AdminDisplayVersion
            edition             = ConvertTo-Text $_.Edition
            serverRole          = ConvertTo-Text $_.ServerRole
            site                = ConvertTo-Text $_.Site
            internetWebProxy    = ConvertTo-Text $_.InternetWebProxy
        }
    }
}

Add-Section 'transportConfig' {
    Invoke-Exchange 'Get-TransportConfig' | ForEach-Object {
        [pscustomobject]@{ maxSendSize = ConvertTo-Text $_.MaxSendSize; maxReceiveSize = ConvertTo-Text $_.MaxReceiveSize }
    }
}

Add-Section 'authConfig' {
    Invoke-Exchange 'Get-AuthConfig' | ForEach-Object {
        [pscustomobject]@{
            currentCertificateThumbprint  = ConvertTo-Text $_.CurrentCertificateThumbprint
            nextCertificateThumbprint     = ConvertTo-Text $_.NextCertificateThumbprint
            previousCertificateThumbprint = ConvertTo-Text $_.PreviousCertificateThumbprint
            nextCertificateEffectiveDate  = Format-Time $_.NextCertificateEffectiveDate
            serviceName                   = ConvertTo-Text $_.ServiceName
            realm                         = ConvertTo-Text $_.Realm
        }
    }
}

Add-Section 'exchangeCertificates' {
    $auth = Invoke-Exchange 'Get-AuthConfig'
    $wanted = @(ConvertTo-TextList @($auth.CurrentCertificateThumbprint, $auth.NextCertificateThumbprint, $auth.PreviousCertificateThumbprint))
    Invoke-Exchange 'Get-ExchangeCertificate' @{ Server = $env:COMPUTERNAME } |
        Where-Object { $wanted -contains (ConvertTo-Text $_.Thumbprint) } | ForEach-Object {
            [pscustomobject]@{
                server        = $env:COMPUTERNAME
                thumbprint    = ConvertTo-Text $_.Thumbprint
                subject       = ConvertTo-Text $_.Subject
                notBefore     = Format-Time $_.NotBefore
                notAfter      = Format-Time $_.NotAfter
                services      = ConvertTo-Text $_.Services
                hasPrivateKey = $_.HasPrivateKey
            }
        }
}

Add-Section 'hybridConfiguration' {
    Invoke-Exchange 'Get-HybridConfiguration' | ForEach-Object {
        [pscustomobject]@{
            serviceInstance = $_.ServiceInstance
            features        = @(ConvertTo-TextList $_.Features)
            domains         = @(ConvertTo-TextList $_.Domains)
        }
    }
}

Add-Section 'intraOrganizationConnectors' {
    Invoke-Exchange 'Get-IntraOrganizationConnector' | ForEach-Object {
        [pscustomobject]@{
            name                 = ConvertTo-Text $_.Name
            enabled              = $_.Enabled
            targetAddressDomains = @(ConvertTo-TextList $_.TargetAddressDomains)
            discoveryEndpoint    = ConvertTo-Text $_.DiscoveryEndpoint
            targetSharingEpr     = ConvertTo-Text $_.TargetSharingEpr
        }
    }
}

Add-Section 'organizationRelationships' {
    Invoke-Exchange 'Get-OrganizationRelationship' | ForEach-Object {
        [pscustomobject]@{
            name                  = ConvertTo-Text $_.Name
            enabled               = $_.Enabled
            domainNames           = @(ConvertTo-TextList $_.DomainNames)
            targetSharingEpr      = ConvertTo-Text $_.TargetSharingEpr
            targetAutodiscoverEpr = ConvertTo-Text $_.TargetAutodiscoverEpr
        }
    }
}

# Not every version and role group has these two: then hmad does without.
Add-Section 'migrationEndpoints' -Optional {
    Invoke-Exchange 'Get-MigrationEndpoint' | ForEach-Object {
        [pscustomobject]@{
            identity     = ConvertTo-Text $_.Identity
            endpointType = ConvertTo-Text $_.EndpointType
            remoteServer = ConvertTo-Text $_.RemoteServer
        }
    }
}

Add-Section 'settingOverrides' -Optional {
    Invoke-Exchange 'Get-SettingOverride' | ForEach-Object {
        [pscustomobject]@{
            name          = ConvertTo-Text $_.Name
            componentName = ConvertTo-Text $_.ComponentName
            sectionName   = ConvertTo-Text $_.SectionName
            parameters    = @(ConvertTo-TextList $_.Parameters)
            server        = @(ConvertTo-TextList $_.Server)
        }
    }
}

# The times of these rows are UTC, also where they do not say so.
function Format-SyncTime($Time) {
    if ($null -eq $Time -or (ConvertTo-Text $Time) -eq '') { return $null }
    $moment = [datetime] $Time
    if ($moment.Kind -eq [System.DateTimeKind]::Unspecified) { $moment = [datetime]::SpecifyKind($moment, [System.DateTimeKind]::Utc) }
    Format-Time $moment
}

# Get-Partnership returns the partnerships of the cloud itself with one mailbox,
# not those of phones.
function Get-Partnership([string] $Address) {
    $devices = Invoke-Exchange 'Get-MobileDeviceStatistics' @{ Mailbox = $Address }
    $devices | Where-Object { (ConvertTo-Text $_.DeviceType) -eq 'OutlookService' } | ForEach-Object {
        [pscustomobject]@{
            mailbox             = $Address
            deviceId            = ConvertTo-Text $_.DeviceID
            deviceAccessState   = ConvertTo-Text $_.DeviceAccessState
            firstSyncTime       = Format-SyncTime $_.FirstSyncTime
            lastSyncAttemptTime = Format-SyncTime $_.LastSyncAttemptTime
            lastSuccessSync     = Format-SyncTime $_.LastSuccessSync
        }
    }
}

# Get-AllPartnerships asks of every address. One that fails has its error beside
# the others' rows; where no address was answered, this fails.
function Get-AllPartnerships([string[]] $Addresses) {
    $failed = @()
    $answers = 0
    foreach ($address in $Addresses) {
        try {
            Get-Partnership $address
            $answers++
        }
        catch {
            $class = Get-ErrorClass $_
            $failed += [pscustomobject]@{ mailbox = $address; error = $class }
            # That Exchange does not know the mailbox is an answer.
            if ($class -like 'ManagementObjectNotFoundException*') { $answers++ }
        }
    }
    if ($failed) { $beside.errors = $failed }
    if (-not $answers) { throw (@($failed | ForEach-Object { $_.error } | Select-Object -Unique) -join '; ') }
}

# Through powershell.exe -File a list arrives as one text.
$watched = @($Mailboxes | ForEach-Object { $_.Split(',') } | ForEach-Object { $_.Trim() } | Where-Object { $_ } | Select-Object -Unique)
if ($watched) {
    Add-Section 'partnerships' {
        if ($watched.Count -gt 200) { $beside.leftOut = $watched.Count - 200 }
        Get-AllPartnerships @($watched | Select-Object -First 200)
    }
}

Close-Session

# --- This server: event log, configuration files ---------------------------

# Get-RecentEvent returns a source's events, newest first. Levels are taken by
# number: their names are in the server's language. Event 2006 of MSExchange
# OAuth quotes the refused token with its user's name: of it only the key's id
# is kept. Beside the rows stands from when on every event was read: a log that
# is full drops its oldest records, and the limit cuts.
function Get-RecentEvent([string] $Source, [int] $Limit) {
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
    $beside.since = Format-Time $start
    $levels = @{ 1 = 'Critical'; 2 = 'Error'; 3 = 'Warning' }
    foreach ($entry in $events) {
        $level = $levels[[int] $entry.Level]
        if (-not $level) { $level = 'Information' }
        $message = ConvertTo-Text $entry.Message
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

Add-Section 'authAdminEvents' { Get-RecentEvent -Source 'MSExchange AuthAdmin' -Limit 500 }

# Of these there may be thousands: one row per event id and key, the newest, with
# their number.
Add-Section 'oauthEvents' {
    Get-RecentEvent -Source 'MSExchange OAuth' -Limit 2000 | Group-Object -Property 'id', 'keyId' | ForEach-Object {
        $newest = $_.Group[0]
        $newest.first = $_.Group[$_.Count - 1].time
        $newest.count = $_.Count
        $newest
    }
}

# Join-Installation returns the path of a file of Exchange's.
function Join-Installation([string] $Path) {
    if (-not $env:ExchangeInstallPath) {
        throw 'ExchangeInstallPath is not set: Exchange is not installed here, or the task has run since before it was'
    }
    Join-Path -Path $env:ExchangeInstallPath -ChildPath $Path
}

Add-Section 'localServer' {
    $setup = Get-Item -LiteralPath (Join-Installation 'bin\ExSetup.exe')
    [pscustomobject]@{ installPath = $env:ExchangeInstallPath; build = $setup.VersionInfo.FileVersion }
}

# Read-Xml reads a configuration file.
function Read-Xml([string] $Path) {
    $document = New-Object -TypeName System.Xml.XmlDocument
    $document.XmlResolver = $null
    $document.Load($Path)
    $document
}

Add-Section 'webConfig' {
    $path = Join-Installation 'FrontEnd\HttpProxy\Sync\web.config'
    $lengths = (Read-Xml $path).SelectNodes('//*[local-name()="httpRuntime"]/@maxRequestLength') | ForEach-Object { [int] $_.Value }
    if (-not $lengths) { throw "No maxRequestLength in $path" }
    [pscustomobject]@{ path = $path; maxRequestLength = [int] ($lengths | Measure-Object -Minimum).Minimum }
}

# The setting in force is the nearest one: of the directory, the site, the server.
Add-Section 'iis' {
    $config = Read-Xml (Join-Path -Path $env:windir -ChildPath 'System32\inetsrv\config\applicationHost.config')
    foreach ($place in "$WebSite/Microsoft-Server-ActiveSync", $WebSite, '') {
        $flags = $config.SelectNodes('/configuration/location/system.webServer/security/access/@sslFlags') |
            Where-Object { $_.SelectSingleNode('ancestor::location/@path').Value -eq $place } | Select-Object -First 1
        if ($place -eq '' -and $null -eq $flags) {
            $flags = $config.SelectSingleNode('/configuration/system.webServer/security/access/@sslFlags')
        }
        if ($null -ne $flags) {
            return [pscustomobject]@{ location = $place; sslFlags = ConvertTo-Text $flags.Value }
        }
    }
    throw 'No sslFlags in applicationHost.config'
}

# --- This server: the front end's log of ActiveSync --------------------------

# ConvertTo-Moment reads a time of a log, which is UTC.
function ConvertTo-Moment([string] $Text) {
    [datetime]::Parse($Text, [System.Globalization.CultureInfo]::InvariantCulture, [System.Globalization.DateTimeStyles] 'AssumeUniversal, AdjustToUniversal')
}

# Read-Column returns the columns of a log, by the line #Fields at its head. It
# returns none where Exchange has not written that line to its end yet: such a log
# has nothing to count.
function Read-Column($Stream) {
    $buffer = New-Object -TypeName 'byte[]' -ArgumentList 65536
    $filled = 0
    while ($filled -lt $buffer.Length -and ($n = $Stream.Read($buffer, $filled, $buffer.Length - $filled)) -gt 0) { $filled += $n }
    $head = $utf8.GetString($buffer, 0, $filled).TrimStart([char] 0xFEFF)
    if ($head -match '(?m)^#Fields:([^\r\n]*)\r?\n') {
        return $Matches[1].Split(',') | ForEach-Object { $_.Trim() }
    }
    if ($head -match '(?m)^[^#\r\n][^\r\n]*\r?\n') { throw 'No line #Fields at the head of the log' }
}

# New-LineForm returns the expression that finds the wanted columns' fields in a
# line of CSV, as groups of their names. A field may be quoted. Each line begins
# anew: a line without a time is the rest of a field that has a line break.
function New-LineForm([string[]] $Columns) {
    $field = '(?>"(?:[^"]|"")*"|[^,"]*)'
    $wanted = 'UrlStem', 'AuthenticationType', 'UserAgent', 'HttpStatus', 'Method', 'UrlQuery'
    $names = $Columns -contains 'UserAgent' -or $Columns -contains 'UrlQuery'
    if (-not $names -or $Columns -notcontains 'DateTime' -or $Columns -notcontains 'HttpStatus') {
        throw 'The log lacks DateTime, HttpStatus, or both UserAgent and UrlQuery'
    }
    $last = 0
    for ($i = 0; $i -lt $Columns.Count; $i++) { if ($Columns[$i] -eq 'DateTime' -or $wanted -contains $Columns[$i]) { $last = $i } }
    $form = '^'
    for ($i = 0; $i -le $last; $i++) {
        if ($i) { $form += ',' }
        if ($Columns[$i] -eq 'DateTime') { $form += '"?(?<DateTime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z?)"?' }
        elseif ($wanted -contains $Columns[$i]) { $form += "(?<$($Columns[$i])>$field)" }
        else { $form += $field }
    }
    New-Object -TypeName System.Text.RegularExpressions.Regex -ArgumentList $form, ([System.Text.RegularExpressions.RegexOptions]::Compiled)
}

# New-Count returns an empty count: requests by minute, status and whether HMA is in
# use; all requests of Outlook mobile by authentication; the time of the newest
# success; AutoDetect's visits by method, document and status, and the newest one's
# time.
function New-Count {
    [pscustomobject]@{ minutes = @{}; authentication = @{}; newest = ''; visits = @{}; last = ''; size = 0; begins = $null; hasAuthentication = $false }
}

# Measure-Line counts a line of the log in $Count: nothing of it is kept but the
# minute, the status and the kind of authentication. The cloud's own client is
# named OutlookService; Outlook mobile without HMA, basic authentication through
# the cloud, Outlook-iOS-Android. Where name and authentication disagree, the
# authentication decides.
function Measure-Line($Match, [string] $At, $Count) {
    $agent = $Match.Groups['UserAgent'].Value
    $named = "$agent $($Match.Groups['UrlQuery'].Value)"
    $isService = $named.IndexOf('OutlookService', [System.StringComparison]::OrdinalIgnoreCase) -ge 0
    if (-not $isService -and $agent.IndexOf('Outlook-iOS-Android', [System.StringComparison]::OrdinalIgnoreCase) -lt 0) { return }
    $code = 0
    if (-not [int]::TryParse($Match.Groups['HttpStatus'].Value, [ref] $code) -or $code -lt 100 -or $code -gt 599) { return }
    $how = $Match.Groups['AuthenticationType'].Value
    $Count.authentication[$how] = 1 + $Count.authentication[$how]
    $hma = $how -eq 'Bearer' -or ($isService -and $how -ne 'Basic')
    $key = '{0} {1} {2}' -f $At.Substring(0, 16), $code, $hma
    $Count.minutes[$key] = 1 + $Count.minutes[$key]
    if ($hma -and $code -ge 200 -and $code -le 299 -and [string]::CompareOrdinal($At, $Count.newest) -gt 0) { $Count.newest = $At }
}

# Measure-Visit counts a visit of AutoDetect's to AutoDiscover in $Count: nothing of it
# is kept but the method, the document and the status.
function Measure-Visit($Match, [string] $At, $Count) {
    if ($Match.Groups['UserAgent'].Value.IndexOf($autoDetect, [System.StringComparison]::OrdinalIgnoreCase) -lt 0) { return }
    $code = 0
    if (-not [int]::TryParse($Match.Groups['HttpStatus'].Value, [ref] $code) -or $code -lt 100 -or $code -gt 599) { return }
    $method = 'other'
    foreach ($known in 'GET', 'POST') { if ($Match.Groups['Method'].Value -eq $known) { $method = $known } }
    $document = 'other'
    foreach ($known in 'json', 'xml') { if ($Match.Groups['UrlStem'].Value -like "*/autodiscover.$known*") { $document = $known } }
    $key = '{0} {1} {2}' -f $method, $document, $code
    $Count.visits[$key] = 1 + $Count.visits[$key]
    if ([string]::CompareOrdinal($At, $Count.last) -gt 0) { $Count.last = $At }
}

# Measure-Log counts the lines of one log between two times that have a word, from
# its last bytes: AutoDetect's visits where that is its name, else ActiveSync's
# requests. In the count, begins is the time of the first line where what is before it was not
# read. It throws where the log cannot be read to its end.
function Measure-Log([string] $Path, [long] $Limit, [string] $Since, [string] $Until, [string] $Word) {
    $count = New-Count
    $stream = [System.IO.File]::Open($Path, [System.IO.FileMode]::Open, [System.IO.FileAccess]::Read, [System.IO.FileShare] 'ReadWrite, Delete')
    try {
        $columns = @(Read-Column $stream)
        if (-not $columns) { return $count }
        $form = New-LineForm $columns
        $count.hasAuthentication = $columns -contains 'AuthenticationType'
        $start = [Math]::Max(0, $stream.Length - $Limit)
        $count.size = $stream.Length - $start
        $stream.Position = $start
        $reader = New-Object -TypeName System.IO.StreamReader -ArgumentList $stream, $utf8, $false, 65536
        if ($start -gt 0) { $null = $reader.ReadLine() }
        for ($n = 1; $null -ne ($line = $reader.ReadLine()); $n++) {
            if ($n % 4096 -eq 0 -and (Get-SecondsLeft ($reserve / 2)) -lt 0) { throw "the run's time was over" }
            $seek = $start -gt 0 -and -not $count.begins
            if (-not $seek -and $line.IndexOf($Word, [System.StringComparison]::OrdinalIgnoreCase) -lt 0) { continue }
            $match = $form.Match($line)
            if (-not $match.Success) { continue }
            $at = $match.Groups['DateTime'].Value
            if ($seek) { $count.begins = ConvertTo-Moment $at }
            if ([string]::CompareOrdinal($at, $Since) -lt 0 -or [string]::CompareOrdinal($at, $Until) -gt 0) { continue }
            if ($Word -eq $autoDetect) { Measure-Visit $match $at $count } else { Measure-Line $match $at $count }
        }
        if ($start -gt 0 -and -not $count.begins) { $count.begins = [System.IO.File]::GetLastWriteTimeUtc($Path) }
    }
    finally {
        $stream.Dispose()
    }
    $count
}

# Measure-FrontEnd counts requests of a protocol whose lines have a word, from the end
# of the newest log backwards. What Exchange has not written yet is left to the next
# report. A log that cannot be read must not look like silence: while nothing newer
# was read, the time that is counted ends where that log begins; otherwise it begins
# where the log after it begins.
function Measure-FrontEnd([string] $Protocol, [string] $Word) {
    $until = (Get-Date).ToUniversalTime().AddMinutes(-1)
    $since = $until.AddMinutes(-$LogMinutes)
    $form = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'"
    $invariant = [System.Globalization.CultureInfo]::InvariantCulture
    $folder = Join-Installation "Logging\HttpProxy\$Protocol"
    $logs = @(Get-ChildItem -LiteralPath $folder -Filter '*.LOG' | Sort-Object -Property CreationTimeUtc, Name -Descending)
    if (-not $logs) { throw "No log in $folder" }
    # The newest is still open: the folder does not know when it was written to.
    $wanted = @($logs[0]) + @($logs | Select-Object -Skip 1 | Where-Object { $_.LastWriteTimeUtc -ge $since })
    $all = New-Count
    $edge = $null
    $problem = $null
    foreach ($log in $wanted) {
        $left = 1MB * $LogMegabytes - $all.size
        try {
            if ($left -le 0) { throw 'the limit of -LogMegabytes was reached' }
            $count = Measure-Log $log.FullName $left $since.ToString($form, $invariant) $until.ToString($form, $invariant) $Word
        }
        catch {
            $problem = "$($log.Name): $($_.Exception.Message)"
            if (-not $edge) {
                if ($log.CreationTimeUtc -lt $until) { $until = $log.CreationTimeUtc }
                continue
            }
            if ($edge -gt $since) { $since = $edge }
            break
        }
        Add-Count $all $count
        $edge = $log.CreationTimeUtc
        if ($count.begins) {
            if ($count.begins -gt $since) { $since = $count.begins }
            break
        }
    }
    if (-not $edge -or $until -le $since) { throw "No log of the last $LogMinutes minutes can be read: $problem" }
    [pscustomobject]@{ since = $since; until = $until; count = $all }
}

# Add-Count adds a log's count to the others'.
function Add-Count($All, $More) {
    foreach ($key in $More.minutes.Keys) { $All.minutes[$key] = $More.minutes[$key] + $All.minutes[$key] }
    foreach ($key in $More.authentication.Keys) { $All.authentication[$key] = $More.authentication[$key] + $All.authentication[$key] }
    foreach ($key in $More.visits.Keys) { $All.visits[$key] = $More.visits[$key] + $All.visits[$key] }
    if ([string]::CompareOrdinal($More.newest, $All.newest) -gt 0) { $All.newest = $More.newest }
    if ([string]::CompareOrdinal($More.last, $All.last) -gt 0) { $All.last = $More.last }
    $All.size += $More.size
    if ($More.hasAuthentication) { $All.hasAuthentication = $true }
}

# Get-SlotRow returns the requests of one kind, a row per slot and status.
function Get-SlotRow($Minutes) {
    $slots = @{}
    foreach ($key in $Minutes.Keys) {
        $minute, $code, $hma = $key.Split(' ')
        if ($hma -ne 'True') { continue }
        $at = ConvertTo-Moment "${minute}:00Z"
        $slot = '{0} {1}' -f $at.AddMinutes(-($at.Minute % 5)).ToString('o'), $code
        $slots[$slot] = $Minutes[$key] + $slots[$slot]
    }
    foreach ($slot in $slots.Keys | Sort-Object) {
        $start, $code = $slot.Split(' ')
        [pscustomobject]@{ start = $start; status = [int] $code; count = $slots[$slot] }
    }
}

# Get-AuthenticationRow returns the requests of Outlook mobile by authentication:
# Bearer, Basic, none, or other.
function Get-AuthenticationRow($Authentication) {
    $kinds = @{}
    foreach ($how in $Authentication.Keys) {
        $kind = 'other'
        if ($how -eq '') { $kind = 'none' }
        foreach ($known in 'Bearer', 'Basic') { if ($how -eq $known) { $kind = $known } }
        $kinds[$kind] = $Authentication[$how] + $kinds[$kind]
    }
    foreach ($kind in $kinds.Keys | Sort-Object) { [pscustomobject]@{ type = $kind; count = $kinds[$kind] } }
}

# Get-VisitRow returns AutoDetect's visits, a row per method, document and status.
function Get-VisitRow($Visits) {
    foreach ($key in $Visits.Keys | Sort-Object) {
        $method, $document, $code = $key.Split(' ')
        [pscustomobject]@{ method = $method; document = $document; status = [int] $code; count = $Visits[$key] }
    }
}

# Test-FrontEnd reports whether this server has a front end to count. Exchange 2013
# may have none.
function Test-FrontEnd {
    -not $env:ExchangeInstallPath -or [System.IO.Directory]::Exists((Join-Installation 'FrontEnd\HttpProxy\Sync'))
}

if (Test-FrontEnd) {
    Add-Section 'frontEndRequests' {
        $seen = Measure-FrontEnd 'Eas' 'Outlook'
        $newest = $null
        if ($seen.count.newest) { $newest = ConvertTo-Moment $seen.count.newest }
        $without = 0
        foreach ($key in $seen.count.minutes.Keys) { if ($key.EndsWith(' False')) { $without += $seen.count.minutes[$key] } }
        $row = [ordered]@{
            since          = Format-Time $seen.since
            until          = Format-Time $seen.until
            slotSeconds    = 300
            lastSuccess    = Format-Time $newest
            counts         = @(Get-SlotRow $seen.count.minutes)
            withoutHma     = $without
            authentication = $null
        }
        if ($seen.count.hasAuthentication) { $row.authentication = @(Get-AuthenticationRow $seen.count.authentication) }
        [pscustomobject] $row
    }
    Add-Section 'autodetectVisits' {
        $seen = Measure-FrontEnd 'Autodiscover' $autoDetect
        $last = $null
        if ($seen.count.last) { $last = ConvertTo-Moment $seen.count.last }
        [pscustomobject] [ordered]@{
            since     = Format-Time $seen.since
            until     = Format-Time $seen.until
            lastVisit = Format-Time $last
            counts    = @(Get-VisitRow $seen.count.visits)
        }
    }
}

# --- Delivery --------------------------------------------------------------

# ConvertTo-Gzip packs a body.
function ConvertTo-Gzip([byte[]] $Body) {
    $packed = New-Object -TypeName System.IO.MemoryStream
    $gzip = New-Object -TypeName System.IO.Compression.GZipStream -ArgumentList $packed, ([System.IO.Compression.CompressionMode]::Compress)
    $gzip.Write($Body, 0, $Body.Length)
    $gzip.Dispose()
    , $packed.ToArray()
}

# New-Push returns a request that pushes the report. HttpWebRequest is the same in
# Windows PowerShell and PowerShell 7, where Invoke-WebRequest is not.
function New-Push([uri] $Uri, [int] $Length) {
    $request = [System.Net.HttpWebRequest] [System.Net.WebRequest]::Create($Uri)
    $request.Method = 'POST'
    $request.ContentType = 'application/json'
    $request.ContentLength = $Length
    $request.AllowAutoRedirect = $false
    $request.KeepAlive = $false
    # The account's proxy, or the environment's, is not asked.
    $request.Proxy = $null
    if ($Proxy) { $request.Proxy = New-Object -TypeName System.Net.WebProxy -ArgumentList $Proxy }
    $milliseconds = [int] (1000 * [Math]::Max(1, [Math]::Min(60, (Get-SecondsLeft))))
    $request.Timeout = $milliseconds
    $request.ReadWriteTimeout = $milliseconds
    $request.Headers.Add('Content-Encoding', 'gzip')
    $request.Headers.Add('X-Hmad-Host', $env:COMPUTERNAME)
    if ($TokenFile) { $request.Headers.Add('Authorization', 'Bearer ' + [System.IO.File]::ReadAllText($TokenFile).Trim()) }
    if ($CertificateThumbprint) { $null = $request.ClientCertificates.Add((Get-Item -LiteralPath "Cert:\LocalMachine\My\$CertificateThumbprint")) }
    $request
}

# Read-Answer returns what matters of an answer: its status, where it redirects to
# and when to come again, and the first bytes of its text.
function Read-Answer($Response) {
    $buffer = New-Object -TypeName 'byte[]' -ArgumentList 1024
    $stream = $Response.GetResponseStream()
    $filled = 0
    while ($filled -lt $buffer.Length -and ($n = $stream.Read($buffer, $filled, $buffer.Length - $filled)) -gt 0) { $filled += $n }
    $answer = [pscustomobject]@{
        code = [int] $Response.StatusCode; location = $Response.Headers['Location']; after = $Response.Headers['Retry-After']
        text = $utf8.GetString($buffer, 0, $filled); cause = $null; again = $false
    }
    $Response.Close()
    $answer.again = $answer.code -eq 429 -or ($answer.code -ge 500 -and $answer.code -ne 507)
    $answer
}

# Test-Passing reports whether a failure without an answer may pass: a refused
# connection, a reset, a time-out. In PowerShell 7 the status of the exception says
# nothing, so what is within decides.
function Test-Passing([System.Exception] $Failure) {
    $brokenOff = 'Timeout', 'ConnectionClosed', 'KeepAliveFailure', 'ReceiveFailure', 'SendFailure'
    $passing = $false
    for ($e = $Failure; $e; $e = $e.InnerException) {
        if ($e -is [System.Security.Authentication.AuthenticationException]) { return $false }
        if ($e -is [System.Net.Sockets.SocketException]) { return $e.SocketErrorCode -notin 'HostNotFound', 'NoData', 'AccessDenied' }
        if ($e -is [System.IO.IOException] -or $e -is [System.OperationCanceledException]) { $passing = $true }
        if ($e -is [System.Net.WebException] -and $e.Status -in $brokenOff) { $passing = $true }
    }
    $passing
}

# Send-Push pushes the report once. An answer with code 0 is none.
function Send-Push([uri] $Uri, [byte[]] $Body) {
    $request = New-Push $Uri $Body.Length
    try {
        $stream = $request.GetRequestStream()
        $stream.Write($Body, 0, $Body.Length)
        $stream.Dispose()
        return Read-Answer $request.GetResponse()
    }
    catch {
        $failure = $_.Exception
        for ($e = $failure; $e; $e = $e.InnerException) {
            if ($e -is [System.Net.WebException] -and $e.Response) { return Read-Answer $e.Response }
        }
        $cause = $failure.GetBaseException().Message
        [pscustomobject]@{ code = 0; location = $null; after = $null; text = ''; cause = $cause; again = Test-Passing $failure }
    }
}

# Get-Address returns a URL without user, query and fragment.
function Get-Address([uri] $Uri) {
    $Uri.GetComponents([System.UriComponents] 'SchemeAndServer, Path', [System.UriFormat]::UriEscaped)
}

# Get-Refusal says why an answer is no delivery.
function Get-Refusal([uri] $Uri, $Answer) {
    $code = $Answer.code
    if (-not $code) { return "no answer from $(Get-Address $Uri): $($Answer.cause)" }
    if ($Answer.location -and $code -ge 300 -and $code -le 399) {
        $target = New-Object -TypeName System.Uri -ArgumentList $Uri, $Answer.location
        return "$(Get-Address $Uri) answered $code and redirects to $(Get-Address $target), which is not followed"
    }
    if ($code -lt 400) { return "$(Get-Address $Uri) answered $code, want 204: it is not hmad that answers, but such as a proxy with a sign-in page" }
    "$(Get-Address $Uri) answered ${code}: $($Answer.text.Trim())"
}

# Get-Pause returns the seconds until the next attempt: what the answer asks for
# in Retry-After, as seconds or as a date, and a random part that grows, so that
# many servers that were refused at once do not come again at once.
function Get-Pause([int] $Attempt, [string] $After) {
    $floor = 1
    $seconds = 0
    if ([int]::TryParse($After, [ref] $seconds)) { $floor = [Math]::Max($floor, $seconds) }
    elseif ($After) {
        try { $floor = [Math]::Max($floor, ((ConvertTo-Moment $After) - (Get-Date).ToUniversalTime()).TotalSeconds) }
        catch { Write-Verbose -Message 'Retry-After is no time.' }
    }
    $spread = 10, 15, 20, 25
    $floor + $spread[$Attempt] * (Get-Random -Minimum 0.0 -Maximum 1.0)
}

# Send-Report pushes the report until it is taken: at most four times more after
# what may pass, within the run's time. A report that arrived at an attempt that got
# no answer is taken for a replay at the next: hmad then names its time.
function Send-Report([uri] $Uri, [byte[]] $Body, [string] $GeneratedAt) {
    if (-not $Uri.IsAbsoluteUri -or ($Uri.Scheme -ne 'https' -and -not ($Uri.Scheme -eq 'http' -and $Uri.IsLoopback))) {
        throw '-Url must begin with https://, or the token would cross the network in the clear; nothing was sent'
    }
    [System.Net.ServicePointManager]::SecurityProtocol = [System.Net.SecurityProtocolType]::Tls12
    [System.Net.ServicePointManager]::Expect100Continue = $false
    $unanswered = $false
    for ($attempt = 0; ; $attempt++) {
        $answer = Send-Push $Uri $Body
        if ($answer.code -eq 204) { return "204 from $(Get-Address $Uri)" }
        if ($answer.code -eq 409 -and $unanswered -and $answer.text.Contains($GeneratedAt)) {
            return "409 from $(Get-Address $Uri): an attempt that got no answer had arrived"
        }
        if (-not $answer.code) { $unanswered = $true }
        $why = Get-Refusal $Uri $answer
        if (-not $answer.again) { throw $why }
        if ($attempt -ge 4) { throw "$why (attempt $($attempt + 1), the last)" }
        $pause = Get-Pause $attempt $answer.after
        if ($pause + 1 -gt (Get-SecondsLeft)) { throw "$why (attempt $($attempt + 1); no time is left for another)" }
        Write-Log "attempt $($attempt + 1): $why; again in $([int] $pause) s"
        Start-Sleep -Milliseconds ([int] (1000 * $pause))
    }
}

# Save-Report lays the report in the folder. It is written beside and renamed: hmad
# never sees half a file.
function Save-Report([byte[]] $Body) {
    $target = Join-Path -Path $Folder -ChildPath "$env:COMPUTERNAME.json"
    try {
        [System.IO.File]::WriteAllBytes("$target.tmp", $Body)
        if ([System.IO.File]::Exists($target)) {
            [System.IO.File]::Replace("$target.tmp", $target, [NullString]::Value)
        }
        else {
            [System.IO.File]::Move("$target.tmp", $target)
        }
    }
    catch {
        $why = $_.Exception.GetBaseException().Message
        try { [System.IO.File]::Delete("$target.tmp") }
        catch { $why += " $target.tmp stays behind" }
        throw $why
    }
    $target
}

$report = [ordered]@{
    schema          = 1
    collector       = $version
    host            = $env:COMPUTERNAME
    intervalSeconds = 60 * $IntervalMinutes
    generatedAt     = Format-Time (Get-Date)
    durationMs      = $clock.ElapsedMilliseconds
    sections        = $sections
}
try {
    $body = $utf8.GetBytes((ConvertTo-Json -InputObject $report -Depth 8 -Compress))
    if ($PSCmdlet.ParameterSetName -eq 'Push') {
        $how = Send-Report $Url (ConvertTo-Gzip $body) $report.generatedAt
    }
    else {
        $how = Save-Report $body
    }
}
catch {
    Stop-Failed $_.Exception.Message
}
Write-Log "delivered: $how"
Stop-Run 0
