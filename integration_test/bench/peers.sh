#!/usr/bin/env bash
# Starts and stops the brokers of a comparison, on ports of their own and with
# their data in a temporary folder: other brokers from their Debian packages,
# Warren and the null broker from what "make build" has built.
#
#   peers.sh up NAME        install if missing, start, print the process id
#   peers.sh down NAME      stop this broker, and only this one
#   peers.sh restart NAME   stop and start in order, keep the data
#   peers.sh kill NAME      kill -9, keep the data
#   peers.sh crash NAME     kill -9 and start again, keep the data
#   peers.sh wipe NAME      down, then remove its data
#   peers.sh pid NAME       print the process id to measure
#
# NAME is rabbitmq, garagemq, warren, null, or append-and-sync for the null
# broker with a journal. Exit code 3 means that the broker cannot be installed
# on this machine; the reason is the last line on standard error.
# Settings, with their defaults:
#
#   PEERS_DIR       ${TMPDIR:-/tmp}/amqpbench-peers
#   BIN             the repository's bin, with warren and amqpbench
#   RABBITMQ_PORT   5673     RABBITMQ_MGMT_PORT  15673
#   RABBITMQ_DIST   25673    RABBITMQ_EPMD_PORT  43673
#   GARAGEMQ_PORT   5674     GARAGEMQ_ADMIN_PORT 15674
#   WARREN_PORT_FOR_BENCH  5677
#   NULL_PORT_FOR_BENCH    5690     APPEND_PORT_FOR_BENCH  5691
set -euo pipefail

dir=${PEERS_DIR:-${TMPDIR:-/tmp}/amqpbench-peers}
rabbit_port=${RABBITMQ_PORT:-5673}
rabbit_mgmt=${RABBITMQ_MGMT_PORT:-15673}
rabbit_dist=${RABBITMQ_DIST:-25673}
rabbit_epmd=${RABBITMQ_EPMD_PORT:-43673}
garage_port=${GARAGEMQ_PORT:-5674}
garage_admin=${GARAGEMQ_ADMIN_PORT:-15674}
bin=${BIN:-$(dirname "$0")/../../bin}

die() { echo "peers.sh: $*" >&2; exit 1; }
unavailable() { echo "peers.sh: $*" >&2; exit 3; }

# install_package PACKAGE: installs a Debian package without letting its
# scripts start a service.
install_package() {
  dpkg -s "$1" >/dev/null 2>&1 && return
  command -v apt-get >/dev/null || unavailable "$1 is not installed, and there is no apt-get to install it with"
  [ "$(id -u)" = 0 ] || unavailable "$1 is not installed, and only root can install it"
  local policy=/usr/sbin/policy-rc.d made= ok=1
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    made=1
  fi
  { apt-cache show "$1" >/dev/null 2>&1 || apt-get update -q; } >&2 || ok=
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$1" >&2 || ok=
  [ -z "$made" ] || rm -f "$policy"
  [ -n "$ok" ] || unavailable "apt-get cannot install $1"
}

# alive NAME PATTERN: is the recorded process there, and still the broker? One
# that is exiting has no command line any more, but may still hold its ports.
alive() {
  local pid line
  pid=$(cat "$dir/$1/pid" 2>/dev/null) && [ -n "$pid" ] || return 1
  grep -q '^State:[[:space:]]*[^ZX]' "/proc/$pid/status" 2>/dev/null || return 1
  line=$({ tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null) || return 1
  [ -z "$line" ] || [[ $line == *$2* ]]
}

# wait_port PORT SECONDS: until somebody listens on 127.0.0.1:PORT.
wait_port() {
  local i
  for ((i = 0; i < $2 * 20; i++)); do
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
    sleep 0.05
  done
  die "nothing listens on port $1 after $2 s"
}

# wait_gone NAME PATTERN: until the recorded process has ended, or a minute.
wait_gone() {
  local i
  for ((i = 0; i < 1200; i++)); do
    alive "$1" "$2" || return 0
    sleep 0.05
  done
  echo "peers.sh: $1 does not stop" >&2
  return 1
}

# start NAME PORT COMMAND...: in the background, until it listens.
start() {
  local name=$1 port=$2
  shift 2
  nohup setsid "$@" >"$dir/$name/console.log" 2>&1 </dev/null &
  echo $! >"$dir/$name/pid"
  wait_port "$port" 60
}

# stop NAME PATTERN: ask the recorded process to end, and then make it.
stop() {
  alive "$1" "$2" || return 0
  kill "$(cat "$dir/$1/pid")"
  wait_gone "$1" "$2" || hard "$1" "$2"
}

# hard NAME PATTERN: kill -9.
hard() {
  kill -9 "$(cat "$dir/$1/pid")"
  wait_gone "$1" "$2"
}

# --- RabbitMQ: its defaults, plus the management plugin -----------------------

rabbit_env() {
  export HOME="$dir/rabbitmq" ERL_EPMD_PORT=$rabbit_epmd ERL_EPMD_ADDRESS=127.0.0.1
  export RABBITMQ_NODENAME=amqpbench@localhost RABBITMQ_DIST_PORT=$rabbit_dist
  export RABBITMQ_MNESIA_BASE="$HOME/data" RABBITMQ_LOG_BASE="$HOME/log"
  export RABBITMQ_CONFIG_FILE="$HOME/rabbitmq" RABBITMQ_ENABLED_PLUGINS_FILE="$HOME/enabled_plugins"
  export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}"
  export PATH="/usr/lib/rabbitmq/bin:$PATH"
}

up_rabbitmq() {
  install_package rabbitmq-server
  mkdir -p "$dir/rabbitmq"
  cat >"$dir/rabbitmq/rabbitmq.conf" <<EOF
listeners.tcp.1 = 127.0.0.1:$rabbit_port
management.tcp.ip = 127.0.0.1
management.tcp.port = $rabbit_mgmt
EOF
  echo '[rabbitmq_management].' >"$dir/rabbitmq/enabled_plugins"
  (
    rabbit_env
    cd "$HOME"
    nohup setsid rabbitmq-server >"$HOME/console.log" 2>&1 </dev/null &
    wait_port "$rabbit_port" 300 # after a kill -9 with a backlog it takes its time
    rabbitmqctl -q eval 'io:format("~s~n", [os:getpid()]).' 2>/dev/null | head -1 >"$HOME/pid"
  )
}

down_rabbitmq() {
  alive rabbitmq beam || return 0
  (rabbit_env; cd "$HOME"; rabbitmqctl -q stop; wait_gone rabbitmq beam; epmd -kill >/dev/null 2>&1) || true
}

# --- GarageMQ: its packaged configuration, with other ports ------------------

up_garagemq() {
  install_package garagemq
  mkdir -p "$dir/garagemq/db"
  sed -e "/^tcp:/,/port:/ s/port:.*/port: $garage_port/" \
    -e "/^admin:/,/port:/ s/port:.*/port: $garage_admin/" \
    -e "s#defaultPath: /var/lib.*#defaultPath: $dir/garagemq/db#" \
    /etc/garagemq/config.yaml >"$dir/garagemq/config.yaml"
  cd "$dir/garagemq"
  start garagemq "$garage_port" garagemq --config config.yaml --log-level error
}

down_garagemq() { stop garagemq garagemq; }

# --- Warren, and the null broker without and with a journal ------------------

# built PROGRAM: its path.
built() {
  [ -x "$bin/$1" ] || die "there is no $bin/$1: make build"
  echo "$bin/$1"
}

up_warren() {
  local program
  program=$(built warren)
  mkdir -p "$dir/warren"
  start warren "${WARREN_PORT_FOR_BENCH:-5677}" "$program" server --data-dir "$dir/warren/data" \
    --listen "127.0.0.1:${WARREN_PORT_FOR_BENCH:-5677}" --management none --log-level warn
}

down_warren() { stop warren warren; }

up_null() {
  local program
  program=$(built amqpbench)
  mkdir -p "$dir/null"
  start null "${NULL_PORT_FOR_BENCH:-5690}" "$program" null -listen "127.0.0.1:${NULL_PORT_FOR_BENCH:-5690}"
}

down_null() { stop null amqpbench; }

up_append-and-sync() {
  local program
  program=$(built amqpbench)
  mkdir -p "$dir/append-and-sync"
  start append-and-sync "${APPEND_PORT_FOR_BENCH:-5691}" "$program" null -listen "127.0.0.1:${APPEND_PORT_FOR_BENCH:-5691}" \
    -append "$dir/append-and-sync/journal"
}

down_append-and-sync() { stop append-and-sync amqpbench; }

# ------------------------------------------------------------------------------

command=${1:-} name=${2:-}
case $name in
  rabbitmq) pattern=beam ;;
  garagemq) pattern=garagemq ;;
  warren) pattern=warren ;;
  null | append-and-sync) pattern=amqpbench ;;
  *) sed -n '2,/^set -e/{/^set -e/d;s/^# \{0,1\}//p}' "$0"; exit 2 ;;
esac
case $command in
  up)
    alive "$name" "$pattern" || "up_$name"
    cat "$dir/$name/pid"
    ;;
  down) "down_$name" ;;
  restart)
    "down_$name"
    "up_$name"
    cat "$dir/$name/pid"
    ;;
  kill | crash)
    alive "$name" "$pattern" || die "$name does not run"
    hard "$name" "$pattern"
    [ "$command" = crash ] || exit 0
    "up_$name"
    cat "$dir/$name/pid"
    ;;
  wipe)
    "down_$name"
    rm -rf "${dir:?}/$name"
    ;;
  pid) alive "$name" "$pattern" && cat "$dir/$name/pid" || die "$name does not run" ;;
  *) die "unknown command ${command:-(none)}; see the head of this file" ;;
esac
