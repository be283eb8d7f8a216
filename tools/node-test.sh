#!/usr/bin/env bash
# node-test.sh [NODE]: runs the tests of the Node package with that program (default: node-find.sh),
# all within DJP_NODE_DEADLINE seconds (1800), JOBS files at a time (default: one a processor).
# NODE_TESTS names files instead of all, NODE_TEST_NAME keeps the tests whose name has it. Prints
# what failed, the slowest ten tests, and a closing count.
set -uo pipefail
node=${1:-$(tools/node-find.sh)} || exit 1
log=$(mktemp); trap 'rm -f "$log"' EXIT
jobs=--test-concurrency=${JOBS:-$(nproc)}
"$node" $jobs -e 0 2>/dev/null || jobs= # before 20.10
timeout --kill-after=10 "${DJP_NODE_DEADLINE:-1800}" "$node" --test $jobs --test-reporter=tap \
  ${NODE_TEST_NAME:+"--test-name-pattern=$NODE_TEST_NAME"} ${NODE_TESTS:-tests/node/test_*.js} >"$log" 2>&1
bad=$?
if [ $bad != 0 ]; then
  grep -vE '^ *(---|\.\.\.|duration_ms:|type:|# Subtest)|^ *ok ' "$log"
  [ $bad != 124 ] || echo "the deadline passed; the last file that ended: $(grep -E '^# Subtest' "$log" | tail -n 1)"
fi
echo "slowest tests:"
sed -nE 's/^(not )?ok [0-9]+ - (.*)$/\2/; t keep; s/^  duration_ms: ([0-9]+).*/\1/; t time; b; :keep; h; b; :time; G; s/\n/ /p' "$log" | sort -rn |
  head -n 10 | awk '{ ms = $1; $1 = ""; printf "%7.1f s %s\n", ms / 1000, $0 }'
echo "$("$node" --version): $(sed -n 's/^# pass /passed /p; s/^# fail /failed /p; s/^# skipped /skipped /p' "$log" | paste -sd' ')"
exit $bad
