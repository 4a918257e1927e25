#!/bin/sh
# Clones this checkout as a stranger would, starts `./dev run --demo` with an empty home and waits for a first generation.
# first_start.sh [--local]: with the real local model instead. Prints the seconds it took; fails over the bar.
set -eu
cd "$(dirname "$0")/.."
mode=--demo limit=90
[ "${1:-}" != --local ] || { mode=; limit=150; }
here=$(pwd) room=$(mktemp -d) pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || :; wait 2>/dev/null || :; rm -rf "$room"' EXIT INT TERM
mkdir "$room/home"
git clone -q "$here" "$room/clone"
cd "$room/clone"
begin=$(date +%s)
for name in $(env | sed -n 's/^\([A-Z0-9_]*_API_KEY\)=.*/\1/p'); do unset "$name"; done
HOME=$room/home FAREBOX_HOME=$room/home/farebox ./dev run $mode --port 0 >"$room/log" 2>&1 &
pid=$!
answer() { "$room/clone/.venv/bin/python" "$room/clone/tools/first_call.py" "$room/log"; }
until [ -x .venv/bin/python ] && answer; do
  kill -0 "$pid" 2>/dev/null || { tail -n 30 "$room/log"; echo "first start: ended before it answered"; exit 1; }
  [ $(($(date +%s) - begin)) -lt $((limit * 2)) ] || { tail -n 30 "$room/log"; echo "first start: no answer"; exit 1; }
  sleep 1
done
took=$(($(date +%s) - begin))
echo "first start: the first generation was answered after $took s (bar: $limit s)"
[ "$took" -le "$limit" ]
