#!/usr/bin/env bash
# all.sh PYTHON: every check that needs no run of the product. Prints what is wrong and fails, or is
# silent.
set -uo pipefail
cd "$(dirname "$0")/../.."
python=$1; bad=0
check() { "$@" || { echo "lint: failed: $*"; bad=1; }; }
check "$python" tools/lint/layers.py
check "$python" tools/lint/public_headers.py
check "$python" tools/lint/sizes.py
check "$python" tools/lint/links.py
check "$python" tools/gen/gen.py --check
check "$python" tools/lint/rules.py
check tools/lint/headers.sh
check tools/lint/symbols.sh "$("$python" -c 'import djp_telemetry._native as n; print(n.__file__)')"
check env VENV="$(dirname "$(dirname "$python")")" tools/lint/layout.sh
check tools/lint/symbols.sh build/Release/djp_telemetry.node
check tools/lint/node.sh
check "$python" -m mypy --no-error-summary examples/typed_service.py tests/python/typed_surface.py
check "$python" -m mypy.stubtest djp_telemetry --concise \
  --allowlist tools/lint/stubtest.txt --ignore-unused-allowlist
exit $bad
