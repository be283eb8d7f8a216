#!/usr/bin/env bash
# run-tests.sh [--valgrind] PROGRAM...: runs test programs beside each other, JOBS at a time
# (default: one a processor), with a deadline each. Prints a closing count and the output of those
# that fail; a program that failed beside others runs again before that (see failures.sh).
set -uo pipefail
. "$(dirname "$0")/failures.sh"
prefix=() deadline=300
if [ "${1:-}" = --valgrind ]; then
  shift
  deadline=900 # ten to thirty times as slow
  prefix=(valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite)
  prefix+=(--suppressions=tools/valgrind.supp)
fi
jobs=${JOBS:-$(nproc)}
brief=${DJP_FAILURES:-} # a run of parts prints no line for what passes
logs=$(mktemp -d); trap 'rm -rf "$logs"' EXIT
failures_begin "$logs/failures"
[ $# != 1 ] || DJP_ALONE=1

run() { # NUMBER PROGRAM
  local log=$logs/$1 program=$2 started=$SECONDS status=0 why= command
  command=(timeout "$deadline" "${prefix[@]}" "$program")
  "${command[@]}" >"$log" 2>&1 || status=$?
  if [ $status = 0 ] && ! failures_report "$log" >/dev/null; then
    echo "$((SECONDS - started)) $program" >"$log.good"
    [ -n "$brief" ] || echo "ok   $program ($((SECONDS - started)) s)"
    return
  fi
  echo "FAIL $program (exit $status)"
  [ -z "$brief" ] || tail -n 60 "$log" # the run of parts repeats less of it
  echo "exit $status$([ $status != 124 ] || echo ", its $deadline s are over")" >>"$log"
  if [ ${#prefix[@]} != 0 ] && [ $status = 99 ]; then why="a report of valgrind"; fi
  if [ $status -gt 128 ]; then why="ended by signal $((status - 128))"; fi
  failure "$program" "$log" "$why" "${command[@]}"
}
number=0
for program in "$@"; do
  while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
  number=$((number + 1))
  run $number "$program" &
done
wait
good=$(cat "$logs"/*.good 2>/dev/null | wc -l)
if [ -n "$brief" ]; then
  echo "slowest:"
  cat "$logs"/*.good 2>/dev/null | sort -rn | head -n 5 | sed 's/ / s  /'
fi
echo "$good passed, $(($# - good)) failed"
[ "$good" = $# ]
failures_end $?
