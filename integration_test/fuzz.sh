#!/usr/bin/env bash
# Runs every fuzz target for a while, one after the other.
#
#   fuzz.sh [TIME [PACKAGE...]]      3s ./...
#
# What a target finds is written below its package's testdata/fuzz, where the
# ordinary tests try it from then on.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-3s}
[ $# -gt 1 ] && packages=("${@:2}") || packages=(./...)

# fuzz runs $target of $package. -run nothing: the ordinary tests have run the seeds.
fuzz() { go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package" 2>&1; }

# deadline_only: the engine itself was late to stop, which it reports as a
# failure; no input was found. That is tried once more.
deadline_only() { [[ $out == *"context deadline exceeded"* && $out != *"Failing input written"* ]]; }

# "go test -list" prints a package's targets and then "ok PACKAGE".
list=$(go test -list '^Fuzz' "${packages[@]}")
count=0
while read -r package target; do
  count=$((count + 1))
  printf '%-55s ' "${package#github.com/warren-mq/warren/} $target"
  if ! out=$(fuzz) && ! { deadline_only && out=$(fuzz); }; then
    echo "FAILED"
    echo "$out"
    exit 1
  fi
  echo "$out" | sed -n 's/.*execs: \([0-9]*\).*/\1/p' | tail -1 | sed 's/$/ executions/'
done < <(awk '$1 == "ok" { for (i = 1; i <= n; i++) print $2, t[i]; n = 0; next } /^Fuzz/ { t[++n] = $1; next } { n = 0 }' <<<"$list")

# A list that is empty by mistake must not look like success.
[ "$count" -gt 0 ] || [ "$#" -gt 1 ] || { echo "fuzz.sh: no fuzz target was found" >&2; exit 1; }
