#!/usr/bin/env bash
# headers.sh: every public header compiles alone as C99, C11 and C++11; every core file compiles
# alone; the whole core as one file with gcc and clang.
set -euo pipefail
cd "$(dirname "$0")/../.."
bad=0
try() {
  "$@" -Werror -fsyntax-only 2>/tmp/djp-headers.$$ && return
  echo "failed: $*"
  head -n 20 /tmp/djp-headers.$$
  bad=1
}
for h in core/include/djp/*.h; do
  try cc -std=c99 -Wall -Wextra -x c -Icore/include "$h"
  try cc -std=c11 -Wall -Wextra -x c -Icore/include "$h"
  ! command -v c++ >/dev/null || try c++ -std=c++11 -Wall -Wextra -x c++ -Icore/include "$h"
done
for cc in cc clang; do
  command -v $cc >/dev/null || continue
  try $cc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wconversion \
    -Icore/include -Icore/src -Icore core/src/djp.c
done
rm -f /tmp/djp-headers.$$
exit $bad
