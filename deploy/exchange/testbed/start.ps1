# start.ps1 COLLECTOR [-NAME VALUE]...
# Runs the collector in the Windows of windows.ps1. Its arguments are texts, as the
# task scheduler passes them.
. "$PSScriptRoot/windows.ps1"
$named = @{}
for ($i = 1; $i -lt $args.Count; $i += 2) { $named[$args[$i].TrimStart('-')] = $args[$i + 1] }
& $args[0] @named
exit $LASTEXITCODE
