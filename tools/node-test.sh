#!/usr/bin/env bash
# node-test.sh [NODE]: runs the tests of the Node package with that program (default: node-find.sh). NODE_TESTS names files instead of all.
set -euo pipefail
node=${1:-$(tools/node-find.sh)}
"$node" --test --test-reporter=tap ${NODE_TESTS:-tests/node/test_*.js} > "${TMPDIR:-/tmp}/djp-node-$$.tap" 2>&1 || bad=1
log=${TMPDIR:-/tmp}/djp-node-$$.tap
if [ -n "${bad:-}" ]; then grep -vE '^ *(---|\.\.\.|duration_ms:|type:|# Subtest)|^ *ok ' "$log" || true; fi
echo "$("$node" --version): $(sed -n 's/^# pass /passed /p; s/^# fail /failed /p; s/^# skipped /skipped /p' "$log" | paste -sd' ')"
rm -f "$log"
exit "${bad:-0}"
