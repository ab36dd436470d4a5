#!/usr/bin/env bash
# Runs the RabbitMQ that the table is compared with: Debian's package, a node
# name, ports and folders of its own, everything on loopback, with the plugins
# whose exchange types Warren has too.
#
#   rabbitmq.sh up      install if missing, start, wait, print the address
#   rabbitmq.sh down    stop this node, and only this one
#   rabbitmq.sh wipe    down, then remove its data
#
# Settings, with their defaults:
#
#   COMPAT_DIR       ${TMPDIR:-/tmp}/warren-compat
#   RABBITMQ_PORT    5693
#   RABBITMQ_DIST    25693    RABBITMQ_EPMD_PORT  43693
#
# Exit code 3 means that RabbitMQ cannot be installed here; the reason is the
# last line on stderr.
set -euo pipefail

dir=${COMPAT_DIR:-${TMPDIR:-/tmp}/warren-compat}
port=${RABBITMQ_PORT:-5693}
dist=${RABBITMQ_DIST:-25693}
epmd_port=${RABBITMQ_EPMD_PORT:-43693}

die() { echo "rabbitmq.sh: $1" >&2; exit "${2:-1}"; }

# A package script that asks policy-rc.d and hears 101 starts no service.
install() {
  [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] && return
  command -v apt-get >/dev/null || die "no rabbitmq-server, and no apt-get to install it with" 3
  [ "$(id -u)" = 0 ] || die "no rabbitmq-server, and only root can install it" 3
  local policy=/usr/sbin/policy-rc.d made=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    made=1
  fi
  local ok=1
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends rabbitmq-server; } >&2 || ok=
  [ -z "$made" ] || rm -f "$policy"
  [ -n "$ok" ] || die "apt-get cannot install rabbitmq-server" 3
}

environment() {
  export HOME="$dir" ERL_EPMD_PORT=$epmd_port ERL_EPMD_ADDRESS=127.0.0.1
  export RABBITMQ_NODENAME=compat@localhost RABBITMQ_DIST_PORT=$dist
  export RABBITMQ_MNESIA_BASE="$dir/data" RABBITMQ_LOG_BASE="$dir/log"
  export RABBITMQ_CONFIG_FILE="$dir/rabbitmq" RABBITMQ_ENABLED_PLUGINS_FILE="$dir/enabled_plugins"
  export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}"
  export PATH="/usr/lib/rabbitmq/bin:$PATH"
}

# alive: is the recorded process there, and still an Erlang node?
alive() {
  local pid
  pid=$(cat "$dir/pid" 2>/dev/null) && [ -n "$pid" ] || return 1
  grep -q '^State:[[:space:]]*[^ZX]' "/proc/$pid/status" 2>/dev/null || return 1
  { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -q beam
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

up() {
  install
  if ! alive; then
    mkdir -p "$dir"
    ! listening || die "port $port is taken by another program, set RABBITMQ_PORT"
    echo "listeners.tcp.1 = 127.0.0.1:$port" >"$dir/rabbitmq.conf"
    echo '[rabbitmq_consistent_hash_exchange,rabbitmq_random_exchange,rabbitmq_recent_history_exchange,rabbitmq_sharding].' \
      >"$dir/enabled_plugins"
    (
      environment
      cd "$dir"
      nohup setsid rabbitmq-server >console.log 2>&1 </dev/null &
      for ((i = 0; i < 1200; i++)); do
        ! listening || break
        sleep 0.05
      done
      rabbitmqctl -q eval 'io:format("~s~n", [os:getpid()]).' 2>/dev/null | head -1 >pid
    )
    alive || die "RabbitMQ does not start, see $dir/console.log"
  fi
  echo "127.0.0.1:$port"
}

down() {
  alive || return 0
  (
    environment
    cd "$dir"
    rabbitmqctl -q stop
    for ((i = 0; i < 1200; i++)); do alive || break; sleep 0.05; done
    epmd -kill >/dev/null 2>&1 || true
  )
}

case ${1:-} in
  up) up ;;
  down) down ;;
  wipe) down; rm -rf "${dir:?}" ;;
  *) sed -n '2,/^set -e/{/^set -e/d;s/^# \{0,1\}//p}' "$0"; exit 2 ;;
esac
