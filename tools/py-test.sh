#!/usr/bin/env bash
# py-test.sh PYTHON [ARGUMENT...]: pytest with these arguments. A test that failed beside others then
# runs again (see failures.sh).
set -uo pipefail
. "$(dirname "$0")/failures.sh"
python=$1; shift
logs=$(mktemp -d); trap 'rm -rf "$logs"' EXIT
failures_begin "$logs/failures"
mkdir "$logs/tests"
DJP_PYTEST_FAILURES=$logs/tests "$python" -m pytest "$@" 2>&1 | tee "$logs/out"
status=${PIPESTATUS[0]}
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
