#!/usr/bin/env bash
# Compares the management API with that of a real RabbitMQ 3.10.8, which is
# started for it on ports of its own and stopped after. Fails on a difference
# that differences_test.go does not explain.
#
#   run.sh [go test flags]     for example: run.sh -v -run Answers
#
# Settings: those of rabbitmq.sh. Without RabbitMQ the recorded answers are
# compared instead.
set -euo pipefail
cd "$(dirname "$0")"

log=$(mktemp)
ours=
finish() {
  [ -z "$ours" ] || ./rabbitmq.sh down
  rm -f "$log"
}
trap finish EXIT

status=0
flags=$(./rabbitmq.sh fresh 2>"$log") && ours=1 || status=$?
if [ "$status" = 3 ]; then
  echo "run.sh: skipped: the live comparison, since $(tail -1 "$log" | sed 's/^rabbitmq.sh: //')"
  echo "run.sh: the recorded answers of RabbitMQ 3.10.8 are compared instead"
elif [ "$status" != 0 ]; then
  cat "$log" >&2
  exit "$status"
fi
# shellcheck disable=SC2086 # several flags
go test -count=1 -timeout 10m . $flags "$@"
