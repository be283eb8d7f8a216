#!/usr/bin/env bash
# node-versions.sh MAJOR...: the tests of the Node package with other versions of Node, all with the
# addon as it was built once.
set -euo pipefail
bad=0
for major in "$@"; do
  node=$(tools/node-find.sh "$major") || { bad=1; continue; }
  PATH="$(dirname "$node"):$PATH" tools/node-test.sh "$node" || bad=1
done
exit $bad
