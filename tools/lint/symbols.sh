#!/usr/bin/env bash
# symbols.sh FILE...: a built extension exports its entry point and nothing else.
set -euo pipefail
bad=0
known='^(PyInit__native|napi_register_module_v1|node_api_module_get_api_version_v1'
known+='|_init|_fini|__bss_start|_edata|_end)$'
for so in "$@"; do
  extra=$(nm -D --defined-only "$so" | awk '{print $3}' | grep -vE "$known" || true)
  [ -z "$extra" ] || { echo "$so exports more than its entry point:"; echo "$extra"; bad=1; }
done
exit $bad
