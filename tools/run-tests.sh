#!/usr/bin/env bash
# run-tests.sh [--valgrind] PROGRAM...: runs test programs beside each other, JOBS at a time
# (default: one a processor), with a deadline each. Prints the output of those that fail, and a
# closing count.
set -uo pipefail
prefix=() deadline=300
if [ "${1:-}" = --valgrind ]; then
  shift
  deadline=900 # ten to thirty times as slow
  prefix=(valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --suppressions=tools/valgrind.supp)
fi
jobs=${JOBS:-$(nproc)}
logs=$(mktemp -d); trap 'rm -rf "$logs"' EXIT
run() {
  local log=$logs/${1//\//_} started=$SECONDS
  if timeout "$deadline" "${@:2}" "$1" >"$log" 2>&1; then
    echo "ok   $1 ($((SECONDS - started)) s)"; touch "$log.ok"
  else
    echo "FAIL $1 (exit $?)"; tail -n 60 "$log"
  fi
}
for program in "$@"; do
  while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
  run "$program" "${prefix[@]}" &
done
wait
passed=$(ls "$logs" | grep -c '\.ok$')
echo "$passed passed, $(($# - passed)) failed"
[ "$passed" = $# ]
