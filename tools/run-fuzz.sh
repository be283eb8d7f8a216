#!/usr/bin/env bash
# run-fuzz.sh SECONDS PROGRAM...: runs every fuzz target for that long, JOBS at a time (default: one
# a processor); new inputs that matter go to build/corpus. Fails when one has a finding.
set -uo pipefail
. "$(dirname "$0")/failures.sh"
seconds=$1; shift
brief=${DJP_FAILURES:-} # a run of parts prints no line for what passes
logs=$(mktemp -d); trap 'rm -rf "$logs"' EXIT
failures_begin "$logs/failures"
bad=0
one() {
  local name=$(basename "$1") corpus=build/corpus/$(basename "$1")
  mkdir -p "$corpus"
  if "$1" -max_total_time="$seconds" -max_len=4096 -timeout=10 \
    -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="build/corpus/$name-" \
    "$corpus" >"$corpus.log" 2>&1; then
    [ -n "$brief" ] || echo "ok   $name: $(grep -o 'number_of_executed_units: .*' "$corpus.log")"
  else
    echo "FAIL $name"
    failure "$name" "$corpus.log" "a finding"
    return 1
  fi
}
pids=()
for target in "$@"; do
  while [ "$(jobs -rp | wc -l)" -ge "${JOBS:-$(nproc)}" ]; do wait -n || bad=1; done
  one "$target" &
done
while [ "$(jobs -rp | wc -l)" -gt 0 ]; do wait -n || bad=1; done
[ -z "$brief" ] || echo "$# targets, $seconds s each"
failures_end $bad
