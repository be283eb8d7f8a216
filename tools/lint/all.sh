#!/usr/bin/env bash
# all.sh PYTHON: every check that needs no run of the product. Prints what is wrong and fails, or is silent.
set -uo pipefail
cd "$(dirname "$0")/../.."
python=$1; bad=0
check() { "$@" || { echo "lint: failed: $*"; bad=1; }; }
check "$python" tools/lint/layers.py
check "$python" tools/lint/public_headers.py
check "$python" tools/lint/sizes.py
check "$python" tools/gen/gen.py --check
check "$python" tools/lint/rules.py
check tools/lint/headers.sh
check tools/lint/symbols.sh "$("$python" -c 'import djp_telemetry._native as n; print(n.__file__)')"
c_files=$(git ls-files 'core/include/**.h' 'core/src/**.[ch]' 'bindings/*/src/*.[ch]' 'tests/c/*.[ch]' 'tests/fuzz/*.c' 'bench/*.c')
# Versions of clang-format differ in details; the layout is that of 14.
case "$(clang-format --version)" in *" 14."*) check clang-format --dry-run --Werror $c_files ;; *) echo "lint: C layout not checked: clang-format 14 is not here" ;; esac
check tools/lint/symbols.sh build/Release/djp_telemetry.node
check tools/lint/node.sh
check "$python" -m ruff check -q .
check "$python" -m ruff format --check -q .
check "$python" -m mypy --no-error-summary examples/typed_service.py tests/python/typed_surface.py
check "$python" -m mypy.stubtest djp_telemetry --concise
exit $bad
