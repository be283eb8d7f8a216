#!/usr/bin/env bash
# python-versions.sh MINOR...: the package built and tried with other versions of CPython, as far as they are on this machine (in the
# path or among pyenv's).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

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

for minor in "$@"; do
  python=$(find_python "$minor")
  if [ -z "$python" ]; then
    echo "python $minor: not on this machine"
    continue
  fi
  mkdir -p "$work/source"
  (cd "$root" && git ls-files -z | xargs -0 cp --parents -t "$work/source")
  "$python" -m venv "$work/$minor"
  if ! DJP_TELEMETRY_NATIVE=require "$work/$minor/bin/pip" install -q --disable-pip-version-check "$work/source" >"$work/log" 2>&1; then
    cat "$work/log"
    echo "python $minor: does not build"
    bad=1
  elif (cd "$work" && "$work/$minor/bin/python" "$root/tests/python/smoke.py"); then
    echo "python $minor: good"
  else
    echo "python $minor: does not work"
    bad=1
  fi
  rm -rf "$work/source"
done
exit $bad
