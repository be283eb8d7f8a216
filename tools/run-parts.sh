#!/usr/bin/env bash
# run-parts.sh COUNT PART...: runs targets of the Makefile, COUNT of them beside each other, prints
# the output of each when it ends, and tells how long each took. A part that fails does not stop
# the others. At the end, when nothing else runs, tests that failed run again (see failures.sh), and
# each failing one is named with the end of its output. A part that is not done after PART_SECONDS
# is ended, with the stacks of its processes, and processes that outlive their part are named and
# ended. Nothing may be left to build: two parts would build the same thing at once.
set -uo pipefail
. "$(dirname "$0")/failures.sh"
count=$1; shift
PART_SECONDS=${PART_SECONDS:-1500}
logs=$(mktemp -d); groups=()
stop() {
  for group in "${groups[@]}"; do kill -- "-$group" 2>/dev/null; done
  exit 130
}
trap 'rm -rf "$logs"' EXIT
trap stop INT TERM
unset DJP_FAILURES
failures_begin "$logs/failures"
export DJP_FAILURES
TIMEFORMAT='%0R %0U %0S'

# Each process of a part carries its name in the environment, also one that left its group.
part_processes() { # PART
  local file
  env -u DJP_PART grep -lzx "DJP_PART=$1" /proc/[0-9]*/environ 2>/dev/null | while read -r file; do
    file=${file#/proc/}
    echo "${file%/environ}"
  done
}
part_describe() { # PID: what it is, without the text of a long argument
  echo "$1 $(tr '\0\n' '  ' <"/proc/$1/cmdline" 2>/dev/null | cut -c 1-160)"
}
# Says what each process of an overdue part does, then ends them.
part_overdue() { # PART
  local pid pids
  pids=$(part_processes "$1")
  echo "$1: not done after $PART_SECONDS s, with these processes:" >"$logs/$1.overdue"
  for pid in $pids; do
    part_describe "$pid" | tee -a "$logs/$1.overdue"
    timeout 20 gdb -p "$pid" -batch -nx -ex "thread apply all bt 12" 2>/dev/null | grep '^#'
  done >"$logs/$1.stacks" 2>&1
  kill -ABRT $pids 2>/dev/null # CPython prints its stacks
  sleep 3
  kill -KILL $(part_processes "$1") 2>/dev/null
}
part_watch() { # PART
  trap 'kill $!; exit' TERM
  env -u DJP_PART sleep "$PART_SECONDS" &
  wait $!
  part_overdue "$1"
}
# A process that ends by itself a moment after its part is not left behind.
part_left() { # PART
  local pid pids try
  for try in 1 2 3 4 5 6; do
    pids=$(part_processes "$1")
    [ -n "$pids" ] || return 0
    sleep 1
  done
  for pid in $pids; do echo "left behind by $1: $(part_describe "$pid")"; done
  kill -KILL $pids 2>/dev/null
}
part() {
  export DJP_PART=$1
  local result=good wall user system watch
  part_watch "$1" &
  watch=$!
  { time "${MAKE:-make}" --no-print-directory "$1" >"$logs/$1.out" 2>&1; } 2>"$logs/$1.time" ||
    result=FAILED
  kill "$watch" 2>/dev/null && wait "$watch"
  part_left "$1" >>"$logs/left"
  read -r wall user system <"$logs/$1.time"
  if [ -e "$logs/$1.overdue" ]; then
    failure "the whole part" "$logs/$1.overdue" "not done in time"
  fi
  # One part's output at a time.
  {
    flock 9
    echo "$wall $((user + system)) $1 $result" >>"$logs/times"
    echo "==== $1: $result, $wall s"; cat "$logs/$1.out" "$logs/$1.stacks" 2>/dev/null
    if [ $result = FAILED ] && ! grep -qs "^$1: " "$DJP_FAILURES"/*/test; then
      failure "the whole part" "$logs/$1.out" "it names no test"
    fi
  } 9>"$logs/lock"
}
start=$SECONDS
set -m # every part gets a process group, which an interrupt ends as a whole
for name in "$@"; do
  while [ "$(jobs -rp | wc -l)" -ge "$count" ]; do wait -n; done
  part "$name" &
  groups+=($!)
done
wait
cat "$logs/left"
echo
echo "part                   wall s   cpu s"
sort -rn "$logs/times" | while read -r wall cpu name result; do
  printf '%-20s %8d %7d%s\n' "$name" "$wall" "$cpu" "$([ "$result" = good ] || echo "  $result")"
done
echo "$(wc -l <"$logs/times") parts in $((SECONDS - start)) s, $count at a time"
failures_judge
