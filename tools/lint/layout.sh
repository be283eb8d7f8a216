#!/usr/bin/env bash
# layout.sh [FILE...]: the layout of those files (default: all) is that of the formatters. Prints
# what differs and fails; `make format` writes it.
set -uo pipefail
cd "$(dirname "$0")/../.."
bin=${VENV:-.venv}/bin
[ $# -gt 0 ] || set -- $(git ls-files)
c=() python=() js=()
for file in "$@"; do
  case $file in
    core/gen/*) ;;
    core/*.[ch] | bindings/*/src/*.[ch] | tests/*.[ch] | bench/*.c) c+=("$file") ;;
    *.py | *.pyi) python+=("$file") ;;
    *.js | *.mjs | *.ts) js+=("$file") ;;
  esac
done
bad=0
# The layout is that of clang-format 14: other versions differ in details.
if [ ${#c[@]} -gt 0 ]; then "$bin/clang-format" --dry-run --Werror "${c[@]}" || bad=1; fi
if [ ${#python[@]} -gt 0 ]; then
  "$bin/ruff" check -q --force-exclude "${python[@]}" || bad=1
  "$bin/ruff" format --check -q --force-exclude "${python[@]}" || bad=1
fi
if [ ${#js[@]} -gt 0 ]; then
  node_modules/.bin/prettier --log-level=warn --check "${js[@]}" || bad=1
fi
exit $bad
