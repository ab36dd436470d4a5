#!/usr/bin/env bash
# Renews cmd/warren/default.pgo, which "go build" optimises the broker with: runs
# the scenario set pgo against a broker that profiles itself. "make pgo" calls it.
#
#   pgo.sh [SECONDS]               measured part of each case, default 5
#
#   PGO_PORT    5678               port of that broker
set -euo pipefail
port=${PGO_PORT:-5678}
out=$PWD/cmd/warren/default.pgo
tmp=$(mktemp -d)
broker=
cleanup() {
  [ -z "$broker" ] || kill -9 "$broker" 2>/dev/null || true
  rm -rf "$tmp"
}
trap cleanup EXIT

# Without the old profile, or what it has made inline would be missing.
go build -trimpath -pgo off -tags pgo -o "$tmp/warren" ./cmd/warren
CPU_PROFILE="$tmp/cpu.pprof" "$tmp/warren" server --data-dir "$tmp/data" --listen "127.0.0.1:$port" \
  --management none --log-level warn &
broker=$!
for ((i = 0; i < 200; i++)); do
  (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
  sleep 0.05
done

bin/amqpbench compare -set pgo -rounds 1 -retries 0 -add "-duration ${1:-5}s" \
  -target "warren=127.0.0.1:$port,pid=$broker"

kill -USR1 "$broker"
wait "$broker"
broker=
cp "$tmp/cpu.pprof" "$out"
ls -l "$out"
