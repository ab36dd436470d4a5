#!/usr/bin/env bash
# Plays the table of scripted exchanges against Warren and against a real
# RabbitMQ 3.10.8 (Debian's package), both on ports of their own, and prints
# every difference. Fails on one that testdata/differences.txt does not explain.
#
#   run.sh [go test flags]     for example: run.sh -run '/publish/'
#
# Settings: those of rabbitmq.sh, and
#
#   WARREN_PORT      5694      a Warren built from this tree is started there
#   WARREN_ADDR                use this running Warren instead
#   RABBITMQ_ADDR              use this running RabbitMQ instead
#
# Without RabbitMQ the table is still compared with the recorded answers.
set -euo pipefail
cd "$(dirname "$0")"

scratch=$(mktemp -d)
warren_pid= ours=
finish() {
  [ -z "$warren_pid" ] || { kill "$warren_pid" 2>/dev/null && wait "$warren_pid"; } || true
  [ -z "$ours" ] || ./rabbitmq.sh down || true
  rm -rf "$scratch"
}
trap finish EXIT

if [ -z "${WARREN_ADDR:-}" ]; then
  port=${WARREN_PORT:-5694}
  go build -o "$scratch/warren" ../../cmd/warren
  "$scratch/warren" server --listen "127.0.0.1:$port" --management "127.0.0.1:$((port + 10000))" \
    --data-dir "$scratch/data" --log-level warn >"$scratch/warren.log" 2>&1 &
  warren_pid=$!
  for ((i = 0; i < 200; i++)); do
    kill -0 "$warren_pid" 2>/dev/null || break
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    sleep 0.05
  done
  kill -0 "$warren_pid" 2>/dev/null || { cat "$scratch/warren.log" >&2; echo "run.sh: Warren does not start" >&2; exit 1; }
  export WARREN_ADDR=127.0.0.1:$port
fi

status=0
if [ -z "${RABBITMQ_ADDR:-}" ]; then
  RABBITMQ_ADDR=$(./rabbitmq.sh up 2>"$scratch/rabbitmq.log") && ours=1 || status=$?
fi
if [ "$status" = 3 ]; then
  echo "run.sh: skipped: the live comparison, since $(tail -1 "$scratch/rabbitmq.log" | sed 's/^rabbitmq.sh: //')"
  echo "run.sh: the recorded answers of RabbitMQ 3.10.8 are compared instead"
  go test -count=1 . "$@"
  exit
elif [ "$status" != 0 ]; then
  cat "$scratch/rabbitmq.log" >&2
  exit "$status"
fi
go test -count=1 -timeout 20m . -rabbitmq "$RABBITMQ_ADDR" "$@"
