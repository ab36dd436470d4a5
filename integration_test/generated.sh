#!/usr/bin/env bash
# Sees that the committed *_gen.go files are what the generators write. They are
# written anew either way; what differs is listed, and the exit code is 1.
set -euo pipefail
cd "$(dirname "$0")/.."

state() { find . -name '*_gen.go' -print0 | sort -z | xargs -0 sha256sum; }

before=$(state)
[ -n "$before" ] || { echo "generated.sh: there is no generated file" >&2; exit 1; }
go generate ./...
after=$(state)
if [ "$before" != "$after" ]; then
  echo "generated code was not up to date; \"make generate\" writes it, and it has just been written:" >&2
  diff <(echo "$before") <(echo "$after") | sed -n 's/^[<>] [0-9a-f]*  /  /p' | sort -u >&2
  exit 1
fi
