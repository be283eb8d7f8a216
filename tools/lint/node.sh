#!/usr/bin/env bash
# node.sh: the Node package without running it: C of the addon with all warnings, the complexity of
# JavaScript, and the types by tsc.
set -euo pipefail
cd "$(dirname "$0")/../.."
bad=0
node=$(tools/node-find.sh)
include=${npm_config_nodedir:-$(dirname "$(dirname "$(readlink -f "$node")")")}/include/node
for cc in cc clang; do
  command -v $cc >/dev/null && [ -e "$include/node_api.h" ] || continue
  for file in bindings/node/src/*.c; do
    $cc -std=c11 -D_GNU_SOURCE -DNAPI_VERSION=8 -Wall -Wextra -Wshadow -Wconversion -Werror \
      -fsyntax-only -fvisibility=hidden -Icore/include -Icore/src -Icore \
      -isystem "$include" "$file" || bad=1
  done
done
node_modules/.bin/eslint . || bad=1
typed=$(git ls-files 'tests/node/*.ts')
[ -z "$typed" ] || node_modules/.bin/tsc --noEmit --strict --target es2022 --module nodenext \
  --moduleResolution nodenext --types node $typed || bad=1
exit $bad
