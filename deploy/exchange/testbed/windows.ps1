# The Windows that the collector runs on: the session with Exchange, which here is
# another PowerShell process that has loaded exchange.ps1; the event log; and the
# machine's certificate store, which has one certificate, $env:TESTBED_CERTIFICATE.
$env:TESTBED_CLIENT = $PID

# The collector carries this function into a runspace of its own: it must need
# nothing but the environment.
function New-PSSession {
    [CmdletBinding()] param($ConfigurationName, $ConnectionUri, $Authentication)
    $scenario = "$env:SCENARIO".Split(',')
    if ($scenario -contains 'hang:New-PSSession') { [System.Threading.Thread]::Sleep(900000) }
    if ($scenario -contains 'no-session') { throw "Connecting to remote server $(([uri] $ConnectionUri).Host) failed with the following error message : Access is denied." }
    $process = [System.Management.Automation.Runspaces.PowerShellProcessInstance]::new()
    $runspace = [System.Management.Automation.Runspaces.RunspaceFactory]::CreateOutOfProcessRunspace($null, $process)
    $runspace.Open()
    $session = [System.Management.Automation.Runspaces.PSSession]::Create($runspace, 'process', $null)
    $load = [scriptblock]::Create((Get-Content -Raw -LiteralPath "$env:TESTBED/exchange.ps1"))
    $null = Invoke-Command -Session $session -ScriptBlock $load
    # As Exchange's session is: commands with parameters, no script.
    $null = Invoke-Command -Session $session -ScriptBlock { $ExecutionContext.SessionState.LanguageMode = 'NoLanguage' }
    $session
}

function Get-WinEvent {
    [CmdletBinding()] param($FilterHashtable, $LogName, [switch] $Oldest, $MaxEvents)
    $now = Get-Date
    if ($Oldest) { return [pscustomobject]@{ TimeCreated = $now.AddDays(-9) } }
    if ("$env:SCENARIO".Split(',') -contains 'no-events') {
        return Write-Error -Message 'No events were found that match the specified selection criteria.' -ErrorId 'NoMatchingEventsFound'
    }
    if ($FilterHashtable.ProviderName -eq 'MSExchange AuthAdmin') {
        return 1, 9, 17, 25 | ForEach-Object {
            [pscustomobject]@{ TimeCreated = $now.AddHours(-$_); Id = 2015; Level = [byte] 4; Message = 'The scheduled run has completed.' }
        }
    }
    1..3 | ForEach-Object {
        [pscustomobject]@{
            TimeCreated = $now.AddSeconds(-30 * $_); Id = 2006; Level = [byte] 2
            Message = 'The token eyJ0eXAiOiJKV1Qi.eyJhdWQi.c2ln was refused; x5t: 0D5A4C3B2A190807F6E5D4C3B2A190801F2E3D4C, user jane@contoso.com'
        }
    }
}

function Get-Item {
    [CmdletBinding()] param([string] $LiteralPath)
    if ($LiteralPath -notlike 'Cert:\*') { return Microsoft.PowerShell.Management\Get-Item -LiteralPath $LiteralPath }
    $pem = [System.Security.Cryptography.X509Certificates.X509Certificate2]::CreateFromPemFile($env:TESTBED_CERTIFICATE)
    if ($LiteralPath -ne "Cert:\LocalMachine\My\$($pem.Thumbprint)") { throw "Cannot find path '$LiteralPath' because it does not exist." }
    $pem
}

# Linux sets no file's time of creation: a file NAME.created beside it holds it.
function Get-ChildItem {
    [CmdletBinding()] param([string] $LiteralPath, [string] $Filter)
    foreach ($item in Microsoft.PowerShell.Management\Get-ChildItem -LiteralPath $LiteralPath -Filter $Filter) {
        $created = $item.CreationTimeUtc
        if (Test-Path -LiteralPath "$($item.FullName).created") { $created = ([datetime] (Get-Content -Raw -LiteralPath "$($item.FullName).created")).ToUniversalTime() }
        [pscustomobject]@{ Name = $item.Name; FullName = $item.FullName; LastWriteTimeUtc = $item.LastWriteTimeUtc; CreationTimeUtc = $created }
    }
}
