#!/usr/bin/env bash
# Compares Warren with RabbitMQ and tries it with other people's clients:
#
#   1. the scripted exchanges of compat, against Warren and a live RabbitMQ
#   2. the answers of the management API, with those of a live RabbitMQ
#   3. the test suite of amqp091-go, two versions of it
#   4. a program for each of six client libraries in other languages
#
# As root on Debian it installs what is missing; elsewhere each part says what
# it skips and why. All parts run, and the exit code is 1 if one failed.
#
#   BIN      bin        folder with warren
#   PARTS    "table management upstream clients"
set -uo pipefail
cd "$(dirname "$0")/.." || exit
bin=${BIN:-bin}
parts=${PARTS:-table management upstream clients}
here=integration_test
summary=()
failed=

tmp=$(mktemp -d)
warren=
cleanup() {
  [ -z "$warren" ] || { kill "$warren" 2>/dev/null && wait "$warren" 2>/dev/null; }
  rm -rf "$tmp"
}
trap cleanup EXIT

note() {
  echo "== $1"
  summary+=("$1")
}

# start_warren: a broker on ports that are free, its addresses in $amqp and $api.
start_warren() {
  local i
  "$bin/warren" server --data-dir "$tmp/data" --listen 127.0.0.1:0 --management 127.0.0.1:0 \
    --log-format json 2>"$tmp/warren.log" &
  warren=$!
  for ((i = 0; i < 200; i++)); do
    amqp=$(sed -n 's/.*"amqp":\["\([^"]*\)"\].*Server startup complete.*/\1/p' "$tmp/warren.log")
    [ -z "$amqp" ] || return 0
    kill -0 "$warren" 2>/dev/null || break
    sleep 0.05
  done
  echo "compat.sh: warren does not start:" >&2
  cat "$tmp/warren.log" >&2
  exit 1
}

part_table() {
  WARREN_ADDR=$amqp "$here/compat/run.sh" -v 2>&1 | tee "$tmp/table.log" | grep -v '^=== \|^ *--- PASS'
  [ "${PIPESTATUS[0]}" = 0 ] || failed=1
  note "table: $(grep -c '^ *--- PASS.*/.*/' "$tmp/table.log") passed, $(grep -c '^ *--- FAIL.*/.*/' "$tmp/table.log") failed$(
    sed -n 's/^run.sh: skipped: /; skipped /p' "$tmp/table.log")"
}

part_management() {
  "$here/management/run.sh" -v 2>&1 | tee "$tmp/management.log" | grep -v '^=== \|^ *--- PASS'
  [ "${PIPESTATUS[0]}" = 0 ] || failed=1
  note "management: $(grep -c '^ *--- PASS.*/.*/' "$tmp/management.log") passed, $(grep -c '^ *--- FAIL.*/.*/' "$tmp/management.log") failed$(
    sed -n 's/^run.sh: skipped: /; skipped /p' "$tmp/management.log")"
}

part_upstream() {
  "$here/upstream/run.sh" "$amqp" "$bin/warren" server 2>&1 | tee "$tmp/upstream.log"
  [ "${PIPESTATUS[0]}" = 0 ] || failed=1
  note "$(tail -1 "$tmp/upstream.log")"
}

part_clients() {
  "$here/clients/run.sh" "$amqp" 2>&1 | tee "$tmp/clients.log"
  [ "${PIPESTATUS[0]}" = 0 ] || failed=1
  note "$(tail -1 "$tmp/clients.log")"
}

start_warren
for part in $parts; do
  "part_$part"
done
echo
printf '%s\n' "${summary[@]}"
[ -z "$failed" ]
