# failures.sh: for scripts that run tests. Sourced. Each failing test becomes a folder in
# $DJP_FAILURES, with these files:
#   test    its name
#   output  what it printed
#   again   a script that runs it alone; absent for a failure that stands
#   why     why it stands
# Beside others a test may also fail for want of time. So at the end each one runs again, alone, but
# not after a report of a sanitizer or of valgrind or after a crash, and not if it ran alone
# (DJP_ALONE). Up to two that pass then leave the run green.

UNSTEADY_MAX=2   # tests that fail beside others and pass alone; more are a failure
AGAIN_MAX=10     # tests that run again; with more failures the run is red anyway
SHOWN_LINES=150  # of output, in all

failures_begin() { # FOLDER: where they are kept, unless a run of parts has one
  failures_owned=
  [ -z "${DJP_FAILURES:-}" ] || return 0
  failures_owned=1
  DJP_FAILURES=$1
  mkdir "$1"
}

# failures_report LOG: prints what kind of report is in it. Fails when there is none.
failures_report() {
  local pattern='(ERROR|WARNING|FATAL|SUMMARY): [A-Za-z]+Sanitizer|:[0-9]+: runtime error: '
  grep -qE "$pattern" "$1" && echo "a report of a sanitizer"
}

# failures_crash LOG: the same for a crash of the test or of a program that it started.
failures_crash() {
  local pattern="SIG(SEGV|ABRT|BUS|ILL|FPE)|Segmentation fault|core dumped"
  pattern+="|Test failed with exception" # cmocka
  pattern+="|worker '[^']*' crashed|Fatal Python error|assert -(4|6|7|8|11) =="
  grep -qE "$pattern" "$1" && echo "a crash"
}

# failure TEST LOG WHY [COMMAND...]: keeps a failing test. WHY it stands is empty where the log is
# to show that; a failure without a COMMAND stands, too.
failure() {
  local name=$1 log=$2 why=$3 folder; shift 3
  folder=$(mktemp -d "$DJP_FAILURES/XXXXXX")
  echo "${DJP_PART:+$DJP_PART: }$name" >"$folder/test"
  cp "$log" "$folder/output"
  why=${why:-$(failures_report "$log" || failures_crash "$log")}
  if [ -n "$why" ]; then
    echo "$why" >"$folder/why"
  elif [ $# -gt 0 ] && [ -z "${DJP_ALONE:-}" ]; then
    {
      export -p
      printf 'unset DJP_FAILURES DJP_PART\nexport DJP_ALONE=1\ncd %q && exec' "$PWD"
      printf ' %q' "$@"
      echo
    } >"$folder/again"
  fi
}

# Prints the end of the output of each test, SHOWN_LINES in all.
failures_show() { # FOLDER...
  local lines=$((SHOWN_LINES / $# - 1)) shown=0 folder
  lines=$((lines < 1 ? 1 : lines > 30 ? 30 : lines))
  for folder in "$@"; do
    [ $shown -lt $((SHOWN_LINES / 2)) ] || break
    shown=$((shown + 1))
    echo "---- $(cat "$folder/test")$(sed 's/.*/ (&)/' "$folder/why" 2>/dev/null)"
    # Without the lines of cmocka for tests that began and passed.
    grep -vE '^\[ +(RUN|OK) +\]' "$folder/output" | cut -c 1-300 | tail -n "$lines"
  done
  [ $shown = $# ] || echo "... and $(($# - shown)) more"
}

# Runs again what may be, and prints the failing tests, then the unsteady ones. Its status is the
# verdict.
failures_judge() {
  local failing=() unsteady=() folder again=0
  for folder in "$DJP_FAILURES"/*/; do
    [ -d "$folder" ] || continue
    folder=${folder%/}
    if [ -e "$folder/again" ] && [ $again -lt $AGAIN_MAX ]; then
      again=$((again + 1))
      echo "again, alone: $(cat "$folder/test")"
      if env -i bash "$folder/again" >"$folder/second" 2>&1 &&
        ! failures_report "$folder/second" >/dev/null; then
        unsteady+=("$folder")
        continue
      fi
      echo "failed alone, too" >"$folder/why"
    elif [ -e "$folder/again" ]; then
      echo "not run again after $AGAIN_MAX others" >"$folder/why"
    fi
    failing+=("$folder")
  done
  if [ ${#failing[@]} -gt 0 ]; then
    echo; echo "==== failing tests: ${#failing[@]}"
    failures_show "${failing[@]}"
  fi
  if [ ${#unsteady[@]} -gt 0 ]; then
    echo; echo "==== unsteady: failed beside others, passed alone: ${#unsteady[@]}"
    echo "(up to $UNSTEADY_MAX leave a run green)"
    failures_show "${unsteady[@]}"
  fi
  [ ${#failing[@]} = 0 ] && [ ${#unsteady[@]} -le $UNSTEADY_MAX ]
}

# failures_end STATUS: the verdict of a script. In a run of parts, the run judges. DJP_REPORTS is
# the folder of the sanitizers' reports, where they do not go to the output.
failures_end() {
  local status=$1 report
  for report in "${DJP_REPORTS:-/nowhere}"/*; do
    [ -e "$report" ] || continue
    failure "${report##*/}" "$report" ""
    status=1
  done
  [ -n "$failures_owned" ] || return "$status"
  failures_judge && { [ "$status" = 0 ] || [ -n "$(ls "$DJP_FAILURES")" ]; }
}
