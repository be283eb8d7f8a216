#!/usr/bin/env bash
# python-versions.sh MINOR...: the package built and tried with other versions of CPython, as far as
# they are on this machine (in the path or among pyenv's), JOBS of them at a time (default: one a
# processor).
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A shim of pyenv stands in the path for versions that are not chosen, too, and fails.
find_python() {
  local candidate
  for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python; do
    if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
}
try() { # MINOR: prints the verdict; fails when the package does not work with it
  local minor=$1 python place=$work/$1
  python=$(find_python "$minor")
  if [ -z "$python" ]; then
    echo "python $minor: not on this machine"
    return
  fi
  mkdir -p "$place/source"
  (cd "$root" && git ls-files -z | xargs -0 cp --parents -t "$place/source") || return 1
  "$python" -m venv "$place/venv" || return 1
  if ! DJP_TELEMETRY_NATIVE=require "$place/venv/bin/pip" install -q \
    --disable-pip-version-check "$place/source" >"$place/log" 2>&1; then
    cat "$place/log"
    echo "python $minor: does not build"
    return 1
  fi
  if ! (cd "$place" && venv/bin/python "$root/tests/python/smoke.py"); then
    echo "python $minor: does not work"
    return 1
  fi
  echo "python $minor: good"
}

for minor in "$@"; do
  while [ "$(jobs -rp | wc -l)" -ge "${JOBS:-$(nproc)}" ]; do wait -n; done
  (try "$minor" >"$work/$minor.verdict" 2>&1 || touch "$work/failed") &
done
wait
for minor in "$@"; do cat "$work/$minor.verdict"; done
[ ! -e "$work/failed" ]
