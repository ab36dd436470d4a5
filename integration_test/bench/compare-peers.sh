#!/usr/bin/env bash
# Runs a scenario set against Warren, the null broker and every peer that this
# machine can run, in turn, and prints the tables. "make bench-peers" calls it.
#
#   compare-peers.sh [FLAG...]     flags of "amqpbench compare", such as
#                                  -set quick, -rounds 5, -cases 'auto-*'
#
# Settings, with their defaults:
#
#   BIN         bin                   folder with warren and amqpbench
#   OUT         $BIN/bench.jsonl      results, appended
#   PEERS       rabbitmq garagemq     peers to try; "" for none
#   WARREN_PORT_FOR_BENCH  5677       NULL_PORT_FOR_BENCH  5690
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bin=$(cd "${BIN:-bin}" && pwd)
out=${OUT:-$bin/bench.jsonl}
warren_port=${WARREN_PORT_FOR_BENCH:-5677}
null_port=${NULL_PORT_FOR_BENCH:-5690}

tmp=$(mktemp -d)
started=()
cleanup() {
  local pid peer
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
  for peer in $up; do "$here/peers.sh" down "$peer" || true; done
  rm -rf "$tmp"
}
up=
trap cleanup EXIT

# wait_port PORT LOG: until somebody listens there, or 10 s.
wait_port() {
  local i
  for ((i = 0; i < 200; i++)); do
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
    sleep 0.05
  done
  echo "compare-peers.sh: nothing listens on port $1:" >&2
  cat "$2" >&2
  exit 1
}

"$bin/warren" server --data-dir "$tmp/data" --listen "127.0.0.1:$warren_port" --management none \
  --log-level warn 2>"$tmp/warren.log" &
started+=($!)
wait_port "$warren_port" "$tmp/warren.log"
targets=(-target "warren=127.0.0.1:$warren_port,pid=$!")

"$bin/amqpbench" null -listen "127.0.0.1:$null_port" 2>"$tmp/null.log" &
started+=($!)
wait_port "$null_port" "$tmp/null.log"
targets+=(-target "null=127.0.0.1:$null_port,pid=$!")

for peer in ${PEERS-rabbitmq garagemq}; do
  case $peer in
    rabbitmq) port=${RABBITMQ_PORT:-5673} rules= ;;
    # It hangs when a persistent message is acknowledged before it is stored.
    garagemq) port=${GARAGEMQ_PORT:-5674} rules=",not=persistent*,not=latency-persistent" ;;
    *) echo "compare-peers.sh: no peer is called $peer" >&2; exit 2 ;;
  esac
  if pid=$("$here/peers.sh" up "$peer" 2>"$tmp/$peer.log"); then
    up="$up $peer"
    targets+=(-target "$peer=127.0.0.1:$port,pid=$pid$rules")
  else
    echo "skipped $peer: $(tail -1 "$tmp/$peer.log")" >&2
  fi
done

baseline=warren
[[ $up == *rabbitmq* ]] && baseline=rabbitmq
"$bin/amqpbench" compare -baseline "$baseline" -out "$out" "${targets[@]}" "$@"
