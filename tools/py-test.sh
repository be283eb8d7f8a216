#!/usr/bin/env bash
# py-test.sh PYTHON [ARGUMENT...]: pytest with these arguments. A test that failed beside others
# then runs again (see failures.sh). The output goes to a file, not through a pipe: a process that a
# test left behind would keep that open, and this script would wait for it.
set -uo pipefail
. "$(dirname "$0")/failures.sh"
python=$1; shift
logs=$(mktemp -d); trap 'rm -rf "$logs"' EXIT
failures_begin "$logs/failures"
mkdir "$logs/tests"
shown=
if [ -z "${DJP_PART:-}" ]; then # a run of parts prints it at the end
  : >"$logs/out"
  tail -n +1 -f "$logs/out" &
  shown=$!
fi
DJP_PYTEST_FAILURES=$logs/tests "$python" -m pytest "$@" >"$logs/out" 2>&1
status=$?
if [ -n "$shown" ]; then sleep 1.1; kill "$shown"; else cat "$logs/out"; fi
for log in "$logs"/tests/*; do # of tests/conftest.py
  [ -e "$log" ] || continue
  test=$(head -n 1 "$log")
  sed -i 1d "$log"
  failure "$test" "$log" "" "$0" "$python" "$test"
done
if [ "$status" -gt 1 ] || { [ "$status" = 1 ] && [ -z "$(ls "$logs/tests")" ]; }; then
  failure "pytest" "$logs/out" "exit $status"
fi
failures_end "$status"
