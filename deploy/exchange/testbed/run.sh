#!/bin/sh
# run.sh [SCENARIO [ARGUMENT...]]
# Runs the collector on the test bed and prints its report. README.md lists the
# scenarios. The arguments go to the collector; LC_ALL and TZ choose the culture and
# the zone of both sides. KEEP=DIR keeps the files. Exit status: the collector's.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
pwsh=${HMAD_PWSH:-pwsh}
scenario=${1:-healthy}
[ $# = 0 ] || shift
dir=${KEEP:-$(mktemp -d)}
mkdir -p "$dir/testbed"
export TESTBED="$dir/testbed" SCENARIO="$scenario" COMPUTERNAME=EX01 windir="$dir/windows" ProgramData="$dir/data"
[ -d "$dir/exchange" ] || "$pwsh" -NoProfile -NonInteractive -File "$here/installation.ps1" "$dir"
export ExchangeInstallPath="${ExchangeInstallPath-$dir/exchange/}"
case " $* " in
*" -Url "*) ;;
*) set -- -Folder "$dir/out" "$@" ;;
esac
status=0
"$pwsh" -NoProfile -NonInteractive -File "$TESTBED/start.ps1" "$here/../Get-HmadReport.ps1" -Server ex01.contoso.com "$@" || status=$?
[ ! -f "$dir/out/EX01.json" ] || cat "$dir/out/EX01.json"
[ -n "${KEEP:-}" ] || rm -rf "$dir"
exit $status
