#!/usr/bin/env bash
# Runs the scenarios of README.md with every client library against a broker.
#
#   run.sh HOST:PORT [FOLDER...]     FOLDER: c java node php python ruby celery sneakers spring
#
# Settings, with their defaults:
#
#   AMQP_USER   guest     AMQP_PASSWORD   guest     AMQP_VHOST   /
#   INSTALL     yes       as root on a Debian system, missing packages are
#                         installed (no service of theirs is started), and npm
#                         fetches amqplib into node/node_modules, root or not.
#                         no: what is missing is skipped.
#   LIMIT       120       seconds that one language may take
#
# The last line is "clients: N passed, N failed, N skipped", counted in
# scenarios. The exit code is 1 when one failed.
set -euo pipefail

die() { echo "clients: $*" >&2; exit 2; }

[ $# -ge 1 ] || die "usage: run.sh HOST:PORT [FOLDER...]"
[[ $1 == *:* ]] || die "$1 is not HOST:PORT"
export AMQP_HOST=${1%:*} AMQP_PORT=${1##*:}
export AMQP_USER=${AMQP_USER:-guest} AMQP_PASSWORD=${AMQP_PASSWORD:-guest} AMQP_VHOST=${AMQP_VHOST:-/}
shift
(exec 3<>"/dev/tcp/$AMQP_HOST/$AMQP_PORT") 2>/dev/null || die "no broker listens at $AMQP_HOST:$AMQP_PORT"

cd "$(dirname "${BASH_SOURCE[0]}")"
languages=(c java node php python ruby celery sneakers spring)

# scenarios_of FOLDER: what its program reports.
scenarios_of() {
  case $1 in
    celery) echo countdown priority delayed-delivery-classic delayed-delivery-quorum ;;
    sneakers) echo retry ;;
    spring) echo dead-letter-retry backoff ;;
    *) echo work-queue redelivery rpc topic confirms ;;
  esac
}
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
passed=0 failed=0 skipped=0
apt_updated=

# may_install: may this script add Debian packages to the system?
may_install() {
  [ "${INSTALL:-yes}" != no ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null
}

# install PACKAGE...: Debian packages, without letting their scripts start a service.
install() {
  local policy=/usr/sbin/policy-rc.d made='' status=0
  may_install || return 1
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    made=1
  fi
  if [ -z "$apt_updated" ] && ! apt-cache show "$@" >/dev/null 2>&1; then
    apt-get update -q >&2 || true
    apt_updated=1
  fi
  DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@" >&2 || status=1
  [ -z "$made" ] || rm -f "$policy"
  return $status
}

# need "PROBE" PACKAGE...: the probe succeeds, if need be after installing the
# packages; else says what is missing.
need() {
  local probe=$1
  shift
  eval "$probe" >/dev/null 2>&1 && return
  if install "$@" && eval "$probe" >/dev/null 2>&1; then return; fi
  missing="needs $* (Debian)"
  return 1
}

# Each language has ready_LANGUAGE, which makes it runnable or sets missing and
# fails, and run_LANGUAGE.

ready_c() {
  need "command -v cc && echo '#include <amqp.h>' | cc -E -" gcc libc6-dev librabbitmq-dev
}
run_c() { cc -std=gnu11 -O1 -Wall -Wextra -Werror -o "$build/c" c/scenarios.c -lrabbitmq && "$build/c"; }

jars=/usr/share/java
ready_java() {
  need "java --list-modules | grep -q jdk.compiler" default-jdk-headless || return
  need "[ -e $jars/amqp-client.jar ] && [ -e $jars/slf4j-api.jar ]" librabbitmq-client-java libslf4j-java
}
run_java() { java -cp "$jars/amqp-client.jar:$jars/slf4j-api.jar:$jars/slf4j-nop.jar" java/Scenarios.java; }

ready_node() {
  need "command -v node" nodejs || return
  (cd node && node -e 'require.resolve("amqplib")') >/dev/null 2>&1 && return
  [ "${INSTALL:-yes}" != no ] || { missing="needs node_modules (npm ci in node/)"; return 1; }
  need "command -v npm" npm || return
  (cd node && npm ci >&2) || { missing="npm ci failed, see above"; return 1; }
}
run_node() { node node/scenarios.js; }

ready_php() {
  need "php -r 'exit((int) !((include \"PhpAmqpLib/autoload.php\") && extension_loaded(\"sockets\")));'" \
    php-cli php-amqplib
}
run_php() { php php/scenarios.php; }

# Debian's pika belongs to Debian's Python, whatever else is first in PATH.
ready_python() { need "/usr/bin/python3 -c 'import pika'" python3-pika; }
run_python() { /usr/bin/python3 python/scenarios.py; }

ready_ruby() { need "/usr/bin/ruby -e 'require \"bunny\"'" ruby-bunny; }
run_ruby() { /usr/bin/ruby ruby/scenarios.rb; }

# The following are programs for what people build on those libraries.

ready_celery() {
  ready_python || return
  # Without "from", the folder celery beside this file passes for the package.
  need "/usr/bin/python3 -c 'from celery import Celery'" python3-celery
}
run_celery() { /usr/bin/python3 celery/scenarios.py; }

ready_sneakers() { ready_ruby; }
run_sneakers() { /usr/bin/ruby sneakers/scenarios.rb; }

ready_spring() { ready_java; }
run_spring() { java -cp "$jars/amqp-client.jar:$jars/slf4j-api.jar:$jars/slf4j-nop.jar" spring/Scenarios.java; }

# run LANGUAGE: runs the program and counts its scenarios. One that it does not
# report is a failed one: the program died before.
run() {
  local language=$1 out=$build/$1.out status=0 name
  local scenarios=($(scenarios_of "$1"))
  export -f "run_$language"
  timeout --kill-after=5 "${LIMIT:-120}" bash -c "run_$language" >"$out" 2>"$build/$language.err" || status=$?
  for name in "${scenarios[@]}"; do
    if grep -qx "ok $name" "$out"; then
      passed=$((passed + 1))
      echo "ok $language $name"
    else
      failed=$((failed + 1))
      echo "not ok $language $name: $(sed -n "s/^not ok $name: //p" "$out" | grep . || echo "no report, exit code $status")"
    fi
  done
  if [ "$status" -ne 0 ]; then
    sed "s/^/  $language: /" "$build/$language.err" | tail -n 60
    [ "$(grep -c '^ok ' "$out")" -lt ${#scenarios[@]} ] || { # all held, yet it ended badly
      failed=$((failed + 1))
      echo "not ok $language: exit code $status"
    }
  fi
}

export build jars
for language in "${@:-${languages[@]}}"; do
  [[ " ${languages[*]} " == *" $language "* ]] || die "no folder $language; there are ${languages[*]}"
  missing=
  if "ready_$language"; then
    run "$language"
  else
    skipped=$((skipped + $(scenarios_of "$language" | wc -w)))
    echo "skipped $language: $missing"
  fi
done
echo "clients: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
