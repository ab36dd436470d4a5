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
#   RABBITMQ_RABBITMQCTL_PATH  a rabbitmqctl for the one test that sets a memory
#                alarm with it; without it the suite skips that test. It is used
#                with v1.10.0 only: the other broker is out of its reach.
#   GO_TEST_RUN  a regular expression: only these tests
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

total_passed=0 total_failed=0 total_skipped=0

# sum VERSION FILE: adds a finished run's counts to the total and prints them.
sum() {
  local passed failed skipped
  read -r passed failed skipped <"$2"
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

# suite VERSION: runs it against AMQP_URL and leaves its counts in VERSION/counts.
suite() {
  (cd "$(cat "$work/$1/folder")" && go tool test2json -t -p "$module" "$work/$1/suite" \
    -test.v=test2json -test.timeout=10m -test.run="${GO_TEST_RUN:-.}") >"$work/$1/events" || true
  "$work/count" <"$work/$1/events" >"$work/$1/counts"
}

# listening PORT: does somebody listen on localhost?
listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# serve VERSION COMMAND…: inside the namespace, starts the broker, runs the
# suite against it, stops the broker.
serve() {
  local version=$1 pid i
  shift
  ip link set lo up
  mkdir -p "$work/broker"
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
  unset RABBITMQ_RABBITMQCTL_PATH
  AMQP_URL="amqp://guest:guest@localhost:5672/" suite "$version"
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

(cd "$here" && GOFLAGS='' go build -o "$work/count" ./count) || die "cannot build $here/count"

version=v1.10.0
if prepare $version; then
  AMQP_URL="amqp://${AMQP_USER:-guest}:${AMQP_PASSWORD:-guest}@$addr/${AMQP_VHOST:-}" suite $version
  sum $version "$work/$version/counts"
else
  give_up $version "go get or compile failed"
fi

version=v1.16.0
if [ $# -eq 0 ]; then
  skip $version "no command given that starts a broker"
elif fault=$(namespace_fault); then
  skip $version "$fault"
elif ! prepare $version; then
  give_up $version "go get or compile failed"
else
  export -f serve suite listening
  export work module
  if namespace bash -euo pipefail -c 'serve "$@"' - $version "$@"; then
    sum $version "$work/$version/counts"
  else
    give_up $version "the broker does not run in the namespace"
  fi
fi

echo "upstream: $total_passed passed, $total_failed failed, $total_skipped skipped"
[ "$total_failed" -eq 0 ]
