#!/usr/bin/env bash
# node-test.sh [NODE]: runs the tests of the Node package with that program (default: node-find.sh),
# all within DJP_NODE_DEADLINE seconds (1200), JOBS files at a time (default: one a processor), each
# within four minutes. NODE_TESTS names files instead of all, NODE_TEST_NAME keeps the tests whose
# name has it. Prints what failed, the slowest ten tests, and a closing count; a file that failed
# beside others then runs again (see failures.sh).
set -uo pipefail
tools=$(cd "$(dirname "$0")" && pwd)
. "$tools/failures.sh"
node=${1:-$("$tools/node-find.sh")} || exit 1
logs=$(mktemp -d); trap 'rm -rf "$logs"' EXIT
failures_begin "$logs/failures"
files=(${NODE_TESTS:-tests/node/test_*.js})
[ ${#files[@]} != 1 ] || DJP_ALONE=1
options=()
for option in --test-concurrency="${JOBS:-$(nproc)}" --test-timeout=240000; do
  if "$node" "$option" -e 0 2>/dev/null; then options+=("$option"); fi # before 20.11
done
[ -z "${NODE_TEST_NAME:-}" ] || options+=("--test-name-pattern=$NODE_TEST_NAME")
mkdir "$logs/files"
DJP_NODE_FAILURES=$logs/files timeout --kill-after=10 "${DJP_NODE_DEADLINE:-1200}" "$node" --test \
  "${options[@]}" --test-reporter="$tools/node-report.mjs" "${files[@]}" >"$logs/out" 2>&1
status=$?
cat "$logs/out"
for log in "$logs"/files/*; do
  [ -e "$log" ] || continue
  file=$(head -n 1 "$log")
  sed -i 1d "$log"
  failure "$file" "$log" "" env NODE_TESTS="$file" "$0" "$node"
done
if [ $status = 124 ] || [ $status = 137 ]; then
  failure "node --test" "$logs/out" "the deadline passed"
elif [ $status != 0 ] && [ -z "$(ls "$logs/files")" ]; then
  failure "node --test" "$logs/out" "exit $status"
fi
failures_end "$status"
