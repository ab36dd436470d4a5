#!/usr/bin/env bash
# Shows that nothing grows in a broker that runs for long: a steady load of
# persistent messages with confirms, once on an empty queue and once on one with
# a standing backlog, and what the broker holds and writes meanwhile.
#
#   steady.sh [MINUTES [DEPTH [RATE [SIZE]]]]     10, 1000000, 5000, 1024
#
# It starts a Warren of its own, with its data in a temporary folder. Settings:
#
#   BIN    bin      folder with warren
#   PORT   5679     port of the broker
#
# Columns: seconds, messages waiting, anonymous and mapped memory in MiB, size
# of the data folder in MiB, bytes written since the beginning for each byte of
# the bodies that were published, user and system CPU seconds.
set -euo pipefail
minutes=${1:-10} depth=${2:-1000000} rate=${3:-5000} size=${4:-1024}
bin=$(cd "${BIN:-bin}" && pwd)
port=${PORT:-5679}
uri=amqp://guest:guest@127.0.0.1:$port/

tmp=$(mktemp -d)
trap 'kill "$broker" 2>/dev/null && wait "$broker" 2>/dev/null || true; rm -rf "$tmp"' EXIT
"$bin/warren" server --data-dir "$tmp/data" --listen "127.0.0.1:$port" --management "127.0.0.1:$((port + 10000))" \
  --log-level warn 2>"$tmp/warren.log" &
broker=$!
for ((i = 0; i < 200; i++)); do
  (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
  sleep 0.05
done

written() { awk '/^write_bytes/ {print $2}' "/proc/$broker/io"; }
waiting() { curl -su guest:guest "127.0.0.1:$((port + 10000))/api/queues/%2F/steady" | grep -o '"messages":[0-9]*' | cut -d: -f2; }

sample() {
  local published=$(($1 * rate * size))
  awk -v s="$1" -v waiting="$(waiting)" -v disk="$(du -sm "$tmp/data" | cut -f1)" -v written=$(($(written) - start)) -v published=$published \
    '/^RssAnon/ {anon = $2 / 1024} /^RssFile/ {file = $2 / 1024} END {printf "%6d %10d %8.0f %8.0f %8d %8.2f", s, waiting, anon, file, disk, written / published}' \
    "/proc/$broker/status"
  awk '{printf " %8.1f\n", ($14 + $15) / 100}' "/proc/$broker/stat"
}

run() {
  local depth=$1
  "$bin/warren" bench --uri "$uri" --queue steady --keep --consumers 0 --count $((depth + 1)) --duration 0 --size "$size" --persistent \
    --confirm 2000 >/dev/null 2>&1
  echo "depth $depth, $rate messages of $size bytes per second, $minutes minutes"
  echo "     s    waiting     anon   mapped     disk  written      CPU"
  start=$(written)
  "$bin/warren" bench --uri "$uri" --queue steady --existing --rate "$rate" --consumer-rate "$rate" --prefetch 500 --ack-every 10 --size "$size" \
    --persistent --confirm 2000 --duration "${minutes}m" >"$tmp/result" 2>/dev/null &
  local load=$! began=$SECONDS
  while sleep 30 && kill -0 $load 2>/dev/null; do
    [ $((SECONDS - began)) -ge $((minutes * 60)) ] || sample $((SECONDS - began))
  done
  wait $load
  grep -E 'published|received|to delivery|to confirm|least' "$tmp/result"
}

run 0
run "$depth"
cat "$tmp/warren.log"
