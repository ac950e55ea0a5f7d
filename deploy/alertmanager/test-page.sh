#!/bin/sh
# Tries one's own pager: sends a test alert through the routes of Alertmanager, to
# whoever is paged with critical alerts. It says that it is a test, and ends by
# itself after ten minutes; then MENDED follows.
#
#   test-page.sh
#
# amtool finds Alertmanager by its own config or by ALERTMANAGER_URL.
set -eu
if [ $# -gt 0 ]; then
	echo "usage: $0" >&2
	exit 2
fi
if [ -n "${ALERTMANAGER_URL:-}" ]; then
	set -- --alertmanager.url="$ALERTMANAGER_URL"
fi
end=$(date -u -d '10 minutes' +%Y-%m-%dT%H:%M:%SZ)
exec amtool alert add "$@" --end="$end" \
	--annotation='summary=This is a test of the pager. Nothing is wrong.' \
	--annotation="description=Sent by $(id -un) on $(hostname) with test-page.sh." \
	--annotation='fix=Nothing is to be done. It ends by itself after ten minutes.' \
	--annotation='runbook_url=https://github.com/hmad/hmad/blob/main/docs/alerting.md#try-your-own-pager' \
	alertname=HmadTest severity=critical target=TEST check=hmad reason=test
