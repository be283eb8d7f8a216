#!/usr/bin/env bash
# run-parts.sh COUNT PART...: runs targets of the Makefile, COUNT of them beside each other, prints
# the output of each when it ends, and tells how long each took. A part that fails does not stop the
# others. At the end, when nothing else runs, tests that failed run again (see failures.sh), and each
# failing one is named with the end of its output. Nothing may be left to build: two parts would
# build the same thing at once.
set -uo pipefail
. "$(dirname "$0")/failures.sh"
count=$1; shift
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

part() {
  export DJP_PART=$1
  local result=good wall user system
  { time "${MAKE:-make}" --no-print-directory "$1" >"$logs/$1.out" 2>&1; } 2>"$logs/$1.time" || result=FAILED
  read -r wall user system <"$logs/$1.time"
  # One part's output at a time.
  {
    flock 9
    echo "$wall $((user + system)) $1 $result" >>"$logs/times"
    echo "==== $1: $result, $wall s"; cat "$logs/$1.out"
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
echo
echo "part                   wall s   cpu s"
sort -rn "$logs/times" | while read -r wall cpu name result; do
  printf '%-20s %8d %7d%s\n' "$name" "$wall" "$cpu" "$([ "$result" = good ] || echo "  $result")"
done
echo "$(wc -l <"$logs/times") parts in $((SECONDS - start)) s, $count at a time"
failures_judge
