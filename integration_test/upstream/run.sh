#!/usr/bin/env bash
# Runs the integration tests that amqp091-go keeps for itself, at two of its
# versions, against a broker. The module comes by go get into a temporary
# module; nothing of it is kept.
#
#   run.sh HOST:PORT [COMMAND [ARG...]]
#
# v1.10.0 runs against the broker at HOST:PORT (any free choice of ports).
# v1.16.0 expects the broker on localhost:5672 and its management API on
# localhost:15672. So that it disturbs nobody who holds these ports, COMMAND is
# started in a network namespace of its own, with WARREN_DATA_DIR and HOME in a
# temporary folder, and must serve both ports in the foreground. Without
# COMMAND, or where no namespace can be made, v1.16.0 is skipped.
#
# Settings, with their defaults:
#
#   AMQP_USER    guest        AMQP_PASSWORD   guest      (v1.16.0 needs guest)
#   AMQP_VHOST   the default one; percent-encoded
#   GO_TEST_RUN  a regular expression: only these tests
#   RABBITMQ_RABBITMQCTL_PATH  a rabbitmqctl that reaches HOST:PORT
#
# One test has rabbitmqctl set a memory alarm. Without a rabbitmqctl, v1.10.0's
# runs alone, in a namespace, against COMMAND started with
# WARREN_MEMORY_HIGH_WATERMARK so low that the alarm is on from the start; where
# that raises no alarm, it is skipped. v1.16.0's also waits until the alarm is
# cleared, which takes a rabbitmqctl: it is always skipped.
#
# The last line sums both versions up: N passed, N failed, N skipped. The exit
# code is 1 when a test failed or a suite could not run to its end.
set -euo pipefail

die() { echo "upstream: $*" >&2; exit 2; }

[ $# -ge 1 ] || die "usage: run.sh HOST:PORT [COMMAND [ARG...]]"
addr=$1
shift
[[ $addr == *:* ]] || die "$addr is not HOST:PORT"
command -v go >/dev/null || die "go is not installed"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
module=github.com/rabbitmq/amqp091-go
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GOWORK=off GOFLAGS=-mod=mod

alarm_test=TestConnection_Close_WhenMemoryAlarmIsActive
total_passed=0 total_failed=0 total_skipped=0

# sum VERSION: adds up the counts of its parts, prints them and adds them to the total.
sum() {
  local passed=0 failed=0 skipped=0 p f s
  while read -r p f s; do
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  done < <(cat "$work/$1"/*.counts)
  echo "amqp091-go $1: $passed passed, $failed failed, $skipped skipped"
  total_passed=$((total_passed + passed))
  total_failed=$((total_failed + failed))
  total_skipped=$((total_skipped + skipped))
}

# give_up VERSION REASON: the suite did not run at all, which is no success.
give_up() {
  echo "amqp091-go $1: not run: $2"
  total_failed=$((total_failed + 1))
}

# skip VERSION REASON: the suite cannot run here.
skip() {
  echo "amqp091-go $1: skipped: $2"
  total_skipped=$((total_skipped + 1))
}

# prepare VERSION: a temporary module that needs this version.
prepare() {
  mkdir -p "$work/$1"
  (
    cd "$work/$1" &&
      go mod init upstream &&
      go get -t "$module@$1" &&
      go test -c -tags integration -o "$work/$1/suite" "$module" && # here: a namespace has no network
      go list -m -f '{{.Dir}}' "$module" >"$work/$1/folder"
  ) >"$work/$1/prepare.log" 2>&1 && return
  cat "$work/$1/prepare.log" >&2
  return 1
}

# suite VERSION PART: runs the alarm part, which is one test, or the main part,
# which is the others, against AMQP_URL and leaves its counts in PART.counts.
suite() {
  local filter=(-test.run="${GO_TEST_RUN:-.}")
  case $2 in
    alarm) filter=(-test.run="^$alarm_test\$") ;;
    main) ! alarm_apart "$1" || filter=(-test.skip="^$alarm_test\$") ;;
  esac
  (cd "$(cat "$work/$1/folder")" && go tool test2json -t -p "$module" "$work/$1/suite" \
    -test.v=test2json -test.timeout=10m "${filter[@]}") >"$work/$1/$2.events" || true
  "$work/count" <"$work/$1/$2.events" >"$work/$1/$2.counts"
}

# alarm_apart VERSION: does the test that needs an alarm run for itself?
alarm_apart() { [ "$1" = v1.10.0 ] && [ -z "${RABBITMQ_RABBITMQCTL_PATH:-}${GO_TEST_RUN:-}" ]; }

# listening PORT: does somebody listen on localhost?
listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# alarmed: does the broker's API tell of an alarm?
alarmed() {
  exec 3<>"/dev/tcp/127.0.0.1/15672"
  printf 'GET /api/health/checks/alarms HTTP/1.0\r\nAuthorization: Basic %s\r\n\r\n' \
    "$(printf guest:guest | base64)" >&3
  head -1 <&3 | grep -q ' 503 '
}

# serve VERSION PART COMMAND…: inside the namespace, starts the broker, runs a
# part of the suite against it, stops the broker.
serve() {
  local version=$1 part=$2 pid i
  shift 2
  ip link set lo up
  rm -rf "$work/broker"
  mkdir -p "$work/broker"
  [ "$part" = main ] || export WARREN_MEMORY_HIGH_WATERMARK=1MB
  HOME=$work/broker WARREN_DATA_DIR=$work/broker/data "$@" >"$work/broker.log" 2>&1 </dev/null &
  pid=$!
  # shellcheck disable=SC2064 # pid is local, the trap runs outside
  trap "kill $pid 2>/dev/null && wait $pid || true" EXIT
  for ((i = 0; i < 600; i++)); do
    listening 5672 && listening 15672 && break
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  if ! listening 5672 || ! listening 15672; then
    tail -20 "$work/broker.log" >&2
    echo "upstream: '$*' does not serve ports 5672 and 15672" >&2
    return 1
  fi
  export AMQP_URL="amqp://guest:guest@localhost:5672/"
  if [ "$part" = main ]; then
    unset RABBITMQ_RABBITMQCTL_PATH # it reaches another broker
    suite "$version" main
    return
  fi
  for ((i = 0; i < 100; i++)); do
    (alarmed) && break
    sleep 0.1
  done
  if [ $i -lt 100 ]; then
    RABBITMQ_RABBITMQCTL_PATH=$(command -v true) suite "$version" alarm # what it would do is done
  else
    skip_alarm "$version" "no alarm at a watermark of 1MB"
  fi
}

# skip_alarm VERSION REASON: the test that needs an alarm cannot run.
skip_alarm() {
  echo "$alarm_test: skipped: $2" >&2
  echo 0 0 1 >"$work/$1/alarm.counts"
}

# namespace COMMAND…: runs it in a network namespace of its own, as root or, where
# the system lets users make them, inside a user namespace.
namespace() {
  local options=--net
  [ "$(id -u)" = 0 ] || options="--net --map-root-user"
  # shellcheck disable=SC2086 # two options, not one
  unshare $options "$@"
}

# namespace_fault: prints why no namespace can be had; fails when there is none to tell.
namespace_fault() {
  local tool
  for tool in unshare ip; do
    command -v $tool >/dev/null || { echo "no '$tool' here (Debian: util-linux, iproute2)"; return; }
  done
  namespace ip link set lo up >/dev/null 2>&1 || { echo "no network namespace can be made here (run as root)"; return; }
  return 1
}

# in_namespace VERSION PART COMMAND…: serve, in a namespace. It fails when the
# broker does not run.
in_namespace() {
  export -f serve suite listening alarmed alarm_apart skip_alarm
  export work module alarm_test
  namespace bash -euo pipefail -c 'serve "$@"' - "$@"
}

# alarm_part VERSION COMMAND…: the test that needs an alarm, unless the main part has it.
alarm_part() {
  local version=$1
  shift
  alarm_apart "$version" || return 0
  if [ -n "$no_namespace" ]; then
    skip_alarm "$version" "$no_namespace"
  elif ! in_namespace "$version" alarm "$@"; then
    skip_alarm "$version" "the broker does not run in the namespace"
  fi
}

(cd "$here" && GOFLAGS='' go build -o "$work/count" ./count) || die "cannot build $here/count"

if [ $# -eq 0 ]; then
  no_namespace="no command given that starts a broker"
else
  no_namespace=$(namespace_fault) || no_namespace=
fi

version=v1.10.0
if prepare $version; then
  AMQP_URL="amqp://${AMQP_USER:-guest}:${AMQP_PASSWORD:-guest}@$addr/${AMQP_VHOST:-}" suite $version main
  alarm_part $version "$@"
  sum $version
else
  give_up $version "go get or compile failed"
fi

version=v1.16.0
if [ -n "$no_namespace" ]; then
  skip $version "$no_namespace"
elif ! prepare $version; then
  give_up $version "go get or compile failed"
elif in_namespace $version main "$@"; then
  sum $version
else
  give_up $version "the broker does not run in the namespace"
fi

echo "upstream: $total_passed passed, $total_failed failed, $total_skipped skipped"
[ "$total_failed" -eq 0 ]
