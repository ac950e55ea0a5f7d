# The organisation as Exchange's management session offers it: the Get- cmdlets that
# the collector may call. It is loaded into a PowerShell process of its own, so what
# the collector gets has come through PowerShell's remoting, as Exchange's answers do.
# $env:SCENARIO changes single answers; README.md lists the words.
Add-Type -Path "$env:TESTBED/organisation.dll"
[Client]::Follow($env:TESTBED_CLIENT)

$scenario = "$env:SCENARIO".Split(',')
$tenant = '5de110f8-2e0f-4d45-891d-bcf2218e253d'
$organization = [guid] '7c0f0a4e-7d3a-4b5e-9d0e-0a3c1a5c8f11'
$certificates = [MultiValued[string]]::new([string[]] (Get-Content -LiteralPath "$env:TESTBED/signing.txt"))

# New-Local and New-Utc return a time of that kind, which remoting keeps.
function New-Local([string] $Time) { [datetime]::SpecifyKind([datetime] $Time, 'Local') }
function New-Utc([string] $Time) { [datetime]::SpecifyKind([datetime] $Time, 'Utc') }
function New-Names { , [MultiValued[Named]]::new([Named[]] @($args | ForEach-Object { [Named]::new($_) })) }
function New-Texts { , [MultiValued[string]]::new([string[]] $args) }
function New-Methods { , [MultiValued[AuthenticationMethod]]::new([AuthenticationMethod[]] $args) }

# Write-Failure writes an error whose id has the form of Exchange's.
function Write-Failure([string] $Class, [string] $Code, [string] $Message, [string] $Category) {
    $now = [datetime]::UtcNow.ToString('G', [cultureinfo]::InvariantCulture)
    $id = "[Server=EX01,RequestId=$([guid]::NewGuid()),TimeStamp=$now] [FailureCategory=Cmdlet-$Class] $Code"
    Write-Error -Message $Message -ErrorId $id -Category $Category
}

function Write-TransientFailure {
    Write-Failure 'ADTransientException' '63F2A1E0' 'Active Directory server dc01.contoso.com is not available. Error message: A local error occurred.' 'ReadError'
}

# Wait-Forever does what a call does that waits in unmanaged code: Stop has no effect.
function Wait-Forever { [System.Threading.Thread]::Sleep(900000) }

# Answer runs a cmdlet's block, unless the scenario has it do something else. What
# has passed Select-Object keeps its enumerations as numbers with a text.
function Answer([string] $Cmdlet, [scriptblock] $Block) {
    if ($scenario -contains "fail:$Cmdlet") { return Write-TransientFailure }
    if ($scenario -contains "hang:$Cmdlet") { Wait-Forever }
    if ($scenario -contains "slow:$Cmdlet") { while ($true) { Start-Sleep -Milliseconds 100 } }
    if ($scenario -contains "lose:$Cmdlet") { [Environment]::Exit(1) }
    if ($scenario -contains 'numbers') { return & $Block | Select-Object -Property * }
    & $Block
    if ($scenario -contains "half:$Cmdlet") { Write-TransientFailure }
}

function Get-AuthServer {
    [CmdletBinding()] param()
    Answer 'Get-AuthServer' {
        [AuthServer] @{
            Name = "EvoSts - $organization"; Type = 'AzureAD'; Enabled = $true; IsDefaultAuthorizationEndpoint = $true
            IssuerIdentifier = "https://sts.windows.net/$tenant/"; Realm = $tenant
            AuthorizationEndpoint = 'https://login.windows.net/common/oauth2/authorize'
            TokenIssuingEndpoint = 'https://login.windows.net/common/oauth2/token'
            AuthMetadataUrl = "https://login.windows.net/$tenant/federationmetadata/2007-06/federationmetadata.xml"
            DomainName = New-Texts 'contoso.mail.onmicrosoft.com'; CertificateStrings = $certificates
            # Within the hour that daylight saving has twice in central Europe.
            WhenChanged = New-Local '2026-10-25T02:30:00'
        }
        [AuthServer] @{
            Name = "ACS - $organization"; Type = 'MicrosoftACS'; Enabled = $true; Realm = $tenant
            IssuerIdentifier = '00000001-0000-0000-c000-000000000000'
            TokenIssuingEndpoint = "https://accounts.accesscontrol.windows.net/$tenant/tokens/OAuth/2"
            AuthMetadataUrl = "https://accounts.accesscontrol.windows.net/$tenant/metadata/json/1"
            DomainName = New-Texts; CertificateStrings = $certificates
            # And within the hour that it leaves out.
            WhenChanged = New-Local '2026-03-29T02:30:00'
        }
    }
}

function Get-Mailbox {
    [CmdletBinding()] param([switch] $Arbitration, [switch] $IgnoreDefaultScope)
    Answer 'Get-Mailbox' {
        if ($scenario -contains 'no-arbitration-mailbox') { return }
        [Mailbox] @{
            Name = 'SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}'; Database = [Named]::new('DB01')
            PersistedCapabilities = [MultiValued[Capability]]::new('OrganizationCapabilityManagement', 'OrganizationCapabilityUMGrammar')
        }
        [Mailbox] @{
            Name = 'Migration.8f3e7716-2011-43e4-96b1-aba62d229136'; Database = [Named]::new('DB02')
            PersistedCapabilities = [MultiValued[Capability]]::new([Capability] 'OrganizationCapabilityMigration')
        }
    }
}

function Get-MailboxDatabaseCopyStatus {
    [CmdletBinding()] param($Identity)
    Answer 'Get-MailboxDatabaseCopyStatus' {
        [DatabaseCopy] @{ Name = "$Identity\EX01"; DatabaseName = "$Identity"; MailboxServer = 'EX01'; Status = 'Mounted' }
        [DatabaseCopy] @{ Name = "$Identity\EX02"; DatabaseName = "$Identity"; MailboxServer = 'EX02'; Status = 'Healthy' }
    }
}

function Get-OrganizationConfig {
    [CmdletBinding()] param()
    Answer 'Get-OrganizationConfig' {
        [OrganizationConfig] @{ Name = 'Contoso Gr' + [char] 0xFC + 'n'; Guid = $organization; OAuth2ClientProfileEnabled = $true }
    }
}

function Get-ActiveSyncOrganizationSettings {
    [CmdletBinding()] param()
    Answer 'Get-ActiveSyncOrganizationSettings' { [ActiveSyncSettings] @{ DefaultAccessLevel = 'Quarantine' } }
}

function Get-ActiveSyncDeviceAccessRule {
    [CmdletBinding()] param()
    Answer 'Get-ActiveSyncDeviceAccessRule' {
        [AccessRule] @{
            Name = 'OutlookService (DeviceType)'; Characteristic = 'DeviceType'; QueryString = 'OutlookService'; AccessLevel = 'Allow'
        }
    }
}

# New-Directory returns the virtual directory of a kind.
function New-Directory([string] $Kind, [string] $Path) {
    $url = if ($Path) { [uri] "https://mail.contoso.com/$Path" }
    [VirtualDirectory] @{
        Server = [Named]::new('EX01'); Name = "$Kind (Default Web Site)"; InternalUrl = $url; ExternalUrl = $url
        InternalAuthenticationMethods = New-Methods 'Basic' 'OAuth'; ExternalAuthenticationMethods = New-Methods 'OAuth'
        IISAuthenticationMethods = New-Methods; ExtendedProtectionTokenChecking = 'None'
    }
}
function Get-ActiveSyncVirtualDirectory {
    [CmdletBinding()] param([switch] $ADPropertiesOnly)
    Answer 'Get-ActiveSyncVirtualDirectory' { New-Directory 'Microsoft-Server-ActiveSync' 'Microsoft-Server-ActiveSync' }
}
function Get-MapiVirtualDirectory {
    [CmdletBinding()] param([switch] $ADPropertiesOnly)
    Answer 'Get-MapiVirtualDirectory' { New-Directory 'mapi' 'mapi' }
}
function Get-WebServicesVirtualDirectory {
    [CmdletBinding()] param([switch] $ADPropertiesOnly)
    Answer 'Get-WebServicesVirtualDirectory' { New-Directory 'EWS' 'EWS/Exchange.asmx' }
}
function Get-OabVirtualDirectory {
    [CmdletBinding()] param([switch] $ADPropertiesOnly)
    Answer 'Get-OabVirtualDirectory' { New-Directory 'OAB' 'OAB' }
}
function Get-AutodiscoverVirtualDirectory {
    [CmdletBinding()] param([switch] $ADPropertiesOnly)
    Answer 'Get-AutodiscoverVirtualDirectory' { New-Directory 'Autodiscover' }
}

function Get-ExchangeServer {
    [CmdletBinding()] param()
    Answer 'Get-ExchangeServer' {
        foreach ($n in 1, 2) {
            [ExchangeServer] @{
                Name = "EX0$n"; Fqdn = "ex0$n.contoso.com"; AdminDisplayVersion = [Named]::new('Version 15.2 (Build 2562.17)')
                Edition = 'Enterprise'; ServerRole = [Named]::new('Mailbox')
                Site = [Named]::new('contoso.com/Configuration/Sites/Default-First-Site-Name')
            }
        }
    }
}

function Get-TransportConfig {
    [CmdletBinding()] param()
    Answer 'Get-TransportConfig' { [TransportConfig] @{ MaxSendSize = [Size]::new(36700160); MaxReceiveSize = [Size]::new(36700160) } }
}

function Get-AuthConfig {
    [CmdletBinding()] param()
    Answer 'Get-AuthConfig' {
        [AuthConfig] @{
            CurrentCertificateThumbprint = 'A1B2C3D4E5F60718293A4B5C6D7E8F9001122334'; PreviousCertificateThumbprint = ''
            ServiceName = '00000002-0000-0ff1-ce00-000000000000'; Realm = ''
        }
    }
}

function Get-ExchangeCertificate {
    [CmdletBinding()] param($Server)
    Answer 'Get-ExchangeCertificate' {
        [ExchangeCertificate] @{
            Thumbprint = 'A1B2C3D4E5F60718293A4B5C6D7E8F9001122334'; Subject = 'CN=Microsoft Exchange Server Auth Certificate'
            NotBefore = New-Local '2024-01-01'; NotAfter = New-Local '2029-01-01'; Services = [Named]::new('SMTP'); HasPrivateKey = $true
        }
        [ExchangeCertificate] @{
            Thumbprint = '0011223344556677889900112233445566778899'; Subject = 'CN=mail.contoso.com'
            NotBefore = New-Local '2026-01-01'; NotAfter = New-Local '2027-01-01'; Services = [Named]::new('IIS, SMTP'); HasPrivateKey = $true
        }
    }
}

function Get-HybridConfiguration {
    [CmdletBinding()] param()
    Answer 'Get-HybridConfiguration' {
        [HybridConfiguration] @{
            ServiceInstance = 0; Features = [MultiValued[HybridFeature]]::new('FreeBusy', 'SecureMail'); Domains = New-Names 'contoso.com'
        }
    }
}

function Get-IntraOrganizationConnector {
    [CmdletBinding()] param()
    Answer 'Get-IntraOrganizationConnector' {
        [IntraOrganizationConnector] @{
            Name = "HybridIOC - $organization"; Enabled = $true; TargetAddressDomains = New-Names 'contoso.mail.onmicrosoft.com'
            DiscoveryEndpoint = [uri] 'https://autodiscover-s.outlook.com/autodiscover/autodiscover.svc'
        }
    }
}

function Get-OrganizationRelationship {
    [CmdletBinding()] param()
    Answer 'Get-OrganizationRelationship' {
        [OrganizationRelationship] @{
            Name = 'On-premises to O365'; Enabled = $true; DomainNames = New-Names 'contoso.mail.onmicrosoft.com'
            TargetAutodiscoverEpr = [uri] 'https://autodiscover-s.outlook.com/autodiscover/autodiscover.svc/WSSecurity'
        }
    }
}

function Get-MigrationEndpoint {
    [CmdletBinding()] param()
    Answer 'Get-MigrationEndpoint' {
        [MigrationEndpoint] @{
            Identity = [Named]::new('Hybrid Migration Endpoint'); EndpointType = 'ExchangeRemoteMove'
            RemoteServer = [Named]::new('mail.contoso.com')
        }
    }
}

function Get-SettingOverride {
    [CmdletBinding()] param()
    Answer 'Get-SettingOverride' {
        [SettingOverride] @{
            Name = 'EnableExchangeHybrid3PAppFeature'; ComponentName = 'Global'; SectionName = 'ExchangeOnpremAsThirdPartyAppId'
            Parameters = New-Texts 'Enabled=true'; Server = New-Texts
        }
    }
}

# Of a mailbox its name decides: gone... is not known, hang... is never answered,
# odd... fails in a way that Exchange does not name.
function Get-MobileDeviceStatistics {
    [CmdletBinding()] param($Mailbox)
    Answer 'Get-MobileDeviceStatistics' {
        if ($Mailbox -like 'hang*') { Wait-Forever }
        if ($Mailbox -like 'odd*') { throw "Cannot serve $Mailbox today." }
        if ($Mailbox -like 'gone*') {
            $text = "The operation couldn't be performed because object '$Mailbox' couldn't be found on 'dc01.contoso.com'."
            return Write-Failure 'ManagementObjectNotFoundException' '4B953CE' $text 'InvalidData'
        }
        [DeviceStatistics] @{ DeviceType = 'iPhone'; DeviceID = 'APPLF2LL'; DeviceAccessState = 'Allowed'; LastSuccessSync = [datetime]::UtcNow }
        [DeviceStatistics] @{
            DeviceType = 'OutlookService'; DeviceID = '5E3B0F6C'; DeviceAccessState = 'Allowed'; FirstSyncTime = [datetime] '2026-01-02T03:04:05'
            LastSyncAttemptTime = [datetime]::UtcNow.AddMinutes(-5); LastSuccessSync = [datetime]::UtcNow.AddMinutes(-10)
        }
    }
}

# A role group that lacks a cmdlet does not offer it.
foreach ($word in $scenario -like 'without:*') { Remove-Item -Path "function:$($word.Substring(8))" }
