#!/bin/sh
# Silences every alert of one target, for a patch night: from now on, for four
# hours unless said otherwise. hmad goes on looking; the status page and the
# dashboards show what it sees.
#
#   patch-night.sh TARGET [DURATION] [COMMENT]
#
# Prints the silence's id; `amtool silence expire ID` ends it when the work is
# done. amtool finds Alertmanager by its own config or by ALERTMANAGER_URL.
set -eu
if [ $# -lt 1 ]; then
	echo "usage: $0 TARGET [DURATION] [COMMENT]" >&2
	exit 2
fi
if [ -n "${ALERTMANAGER_URL:-}" ]; then
	set -- "$1" "${2:-4h}" "${3:-patch night}" --alertmanager.url="$ALERTMANAGER_URL"
else
	set -- "$1" "${2:-4h}" "${3:-patch night}"
fi
target=$1 duration=$2 comment=$3
shift 3
# alertname: a silence of everything that carries the label would be too wide.
exec amtool silence add "$@" --author="$(id -un)" --duration="$duration" --comment="$comment" \
	"target=$target" 'alertname=~Hmad.+'
