#!/usr/bin/env bash
# Runs a scenario set against Warren, the null broker, a plain file that is
# appended to and synced, and every peer that this machine can run, in turn;
# then a backlog. "make bench-peers" calls it. The tables go to the standard
# output and, with a description of the machine, to a file.
#
#   compare-peers.sh [FLAG...]     flags of "amqpbench compare", such as
#                                  -set quick, -rounds 5, -cases 'auto-*'
#
# Without flags: -rounds 3 -retries 1 -add '-duration 3s', which takes about
# three quarters of an hour on a quiet machine. Without -set and -cases there
# is the set "fresh" first, once, each case on brokers that have just been
# started. Settings, with their defaults:
#
#   BIN           bin                   folder with warren and amqpbench
#   OUT           $BIN/bench.jsonl      results, appended
#   TABLES        $BIN/bench.md         tables, written anew
#   PEERS         rabbitmq garagemq     peers to try; "" for none
#   BACKLOG       1000000               messages of the backlogs; 0 for none
#   LONG_BACKLOG  0                     another one for Warren, such as 10000000
#
# Ports and the brokers' folder are those of peers.sh, where data of an earlier
# run is removed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
BIN=$(cd "${BIN:-bin}" && pwd)
export BIN PEERS_DIR=${PEERS_DIR:-${TMPDIR:-/tmp}/amqpbench-peers}
out=${OUT:-$BIN/bench.jsonl} tables=${TABLES:-$BIN/bench.md}
declare -A port=(
  [warren]=${WARREN_PORT_FOR_BENCH:-5677} [null]=${NULL_PORT_FOR_BENCH:-5690} [append-and-sync]=${APPEND_PORT_FOR_BENCH:-5691}
  [rabbitmq]=${RABBITMQ_PORT:-5673} [garagemq]=${GARAGEMQ_PORT:-5674}
)

tmp=$(mktemp -d)
started=()
cleanup() {
  local broker
  for broker in "${started[@]}"; do "$here/peers.sh" wipe "$broker" || true; done
  rm -rf "$tmp"
}
trap cleanup EXIT

# --- who runs what -----------------------------------------------------------

targets=()
notes=()

# up BROKER: starts it with no data. Fails if it cannot be run here.
up() {
  "$here/peers.sh" wipe "$1"
  if "$here/peers.sh" up "$1" >/dev/null 2>"$tmp/log"; then
    started+=("$1")
    return
  fi
  notes+=("$1 is not there: $(tail -1 "$tmp/log")")
  echo "skipped $1: $(tail -1 "$tmp/log")" >&2
  return 1
}

# target NAME BROKER [RULE...]: a broker, as "amqpbench compare" shall run it.
target() {
  local name=$1 broker=$2 rule
  shift 2
  local spec="$name=127.0.0.1:${port[$broker]},pidfile=$PEERS_DIR/$broker/pid"
  for rule in "$@"; do spec+=",$rule"; done
  targets+=(-target "$spec")
}

# without REASON CASE...: rules that leave cases out, in the array rules.
without() {
  local c list=
  for c in "${@:2}"; do
    rules+=("not=$c")
    list+="${list:+, }\`$c\`"
  done
  notes+=("$name leaves out $list: $1")
}

persistent=(only='persistent*' only=latency-persistent)
many=(declare-100k topic-100k fanout-1000 idle-10000)

up warren
target warren warren

name=null rules=()
up null
without "it has no queues, so that a consumer which does not read holds up the publisher" slow-consumer
target null null "${rules[@]}"

up append-and-sync
target append-and-sync append-and-sync "${persistent[@]}"
notes+=("append-and-sync runs only what is persistent: a plain file that is appended to, and synced before the confirms")

for name in ${PEERS-rabbitmq garagemq}; do
  rules=()
  case $name in
    rabbitmq)
      up rabbitmq || continue
      without "they would take it minutes, at about a thousand declarations, bindings or connections per second" "${many[@]}"
      target rabbitmq rabbitmq "${rules[@]}"
      target rabbitmq-v2 rabbitmq flag=-args=x-queue-version=2 "${persistent[@]}"
      target rabbitmq-quorum rabbitmq flag=-queue-type=quorum "${persistent[@]}"
      notes+=("rabbitmq-v2 and rabbitmq-quorum run only what is persistent: the rest is as with its classic queues")
      ;;
    garagemq)
      up garagemq || continue
      without "it hangs when a persistent message is acknowledged before it is stored" 'persistent*' latency-persistent
      without "it hangs when the queue of a consumer that does not read is deleted" slow-consumer
      without "they would take it minutes: it looks at every binding for each message" "${many[@]}"
      target garagemq garagemq "${rules[@]}"
      ;;
    *) echo "compare-peers.sh: no peer is called $name" >&2; exit 2 ;;
  esac
done

# --- the machine -------------------------------------------------------------

# sync_ms: how long a synchronous write of 4 KiB takes, the mean of 500.
sync_ms() {
  LC_ALL=C dd if=/dev/zero of="$tmp/sync" bs=4k count=500 oflag=dsync 2>&1 | awk '/copied/ {for (i = 2; i <= NF; i++) if ($i ~ /^s,/) printf "%.2f", $(i - 1) * 1000 / 500}'
  rm -f "$tmp/sync"
}

describe() {
  local cpu memory
  cpu=$(sed -n 's/^model name[[:space:]]*: *//p' /proc/cpuinfo | head -1)
  memory=$(awk '/^MemTotal/ {printf "%.0f", $2 / 1048576}' /proc/meminfo)
  echo "$(date +%F), commit $(git -C "$here" rev-parse --short HEAD 2>/dev/null || echo unknown), \`compare-peers.sh$(printf ' %q' "$@")\`:" \
    "$(nproc) cores of ${cpu:-an unknown processor}, $memory GiB of memory, $(uname -sr), a file system of type $(stat -f -c %T "$tmp")" \
    "on which a synchronous write of 4 KiB takes $(sync_ms) ms. Everything is on the loopback interface, the generator on the same cores." \
    "The load average was $(cut -d' ' -f1 /proc/loadavg) when it began."
  echo
  printf -- '- %s.\n' "${notes[@]}"
}

describe "$@" | tee "$tables"

# --- the runs ----------------------------------------------------------------

baseline=warren
[[ ${started[*]} == *rabbitmq* ]] && baseline=rabbitmq
ulimit -n "$(ulimit -Hn)" # for idle-10000
compare() {
  "$BIN/amqpbench" compare -baseline "$baseline" -out "$out" -rounds 3 -retries 1 -add '-duration 3s' "${targets[@]}" "$@" |
    tee -a "$tables"
}

# afresh: those that run every case start again without what they hold.
afresh() {
  local broker
  for broker in warren null; do
    "$here/peers.sh" wipe "$broker"
    "$here/peers.sh" up "$broker" >/dev/null
  done
}

if [[ " $* " != *" -set"* && " $* " != *" -cases"* ]]; then
  for c in idle-5000 declare-100k; do # the peers run only the first of them
    compare "$@" -set fresh -cases "$c" -rounds 1 -retries 0
    afresh
  done
fi
compare "$@"

# backlog BROKER COUNT
backlog() {
  BENCH="$BIN/amqpbench" OUT=$out KILL="./peers.sh kill $1" DATA="$PEERS_DIR/$1" \
    "$here/backlog.sh" "$1" "127.0.0.1:${port[$1]}" "./peers.sh up $1" "./peers.sh down $1" "$2" | tee -a "$tables"
}

[ "${BACKLOG:-1000000}" != 0 ] || exit 0
printf '\n### backlog\n\nPersistent messages of 100 B on a durable queue that nobody consumes.\n\n' | tee -a "$tables"
"$here/backlog.sh" head | tee -a "$tables"
backlog warren "${BACKLOG:-1000000}"
[ "${LONG_BACKLOG:-0}" = 0 ] || backlog warren "$LONG_BACKLOG"
[[ ${started[*]} != *rabbitmq* ]] || backlog rabbitmq "${BACKLOG:-1000000}"
