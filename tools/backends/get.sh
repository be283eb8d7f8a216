#!/usr/bin/env bash
# get.sh [NAME...]: builds the back ends of the end-to-end tests from Go modules into
# ${DJP_INFRA:-~/.cache/djp-infra}/bin: collector, jaeger, prometheus, promtool (default: the first
# two, and the others where no package of the distribution has them). What was built from the
# present recipe is left as it is. get.sh --possible: whether there is a Go that can build them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bin=${DJP_INFRA:-$HOME/.cache/djp-infra}/bin
needed=1.25
version=$(go env GOVERSION 2>/dev/null | sed 's/^go//') || version=
older=$(printf '%s\n' "$needed" "$version" | sort -V | head -n 1)
if [ -z "$version" ] || [ "$older" != "$needed" ]; then
  echo "backends: Go $needed or newer is not on PATH" >&2
  exit 1
fi
[ "${1:-}" != --possible ] || exit 0
mkdir -p "$bin"

# build PROGRAM KEY COMMAND...: runs the command, which writes the program to its last argument,
# unless the program of that key is there.
build() {
  local program=$1 key=$2 started=$SECONDS; shift 2
  if [ -x "$bin/$program" ] && [ "$(cat "$bin/.$program.key" 2>/dev/null)" = "$key" ]; then
    echo "backends: $program $key is there"
    return
  fi
  echo "backends: building $program $key"
  "$@" "$bin/$program.part" >"$bin/.$program.log" 2>&1 || { cat "$bin/.$program.log"; exit 1; }
  mv "$bin/$program.part" "$bin/$program"
  echo "$key" > "$bin/.$program.key"
  echo "backends: built $program in $((SECONDS - started)) s"
}
from_module() { # PROGRAM MODULE@VERSION PACKAGE
  build "$1" "$2" "$here/gomod-build.sh" "$2" "$3"
}
if [ $# = 0 ]; then
  set -- collector jaeger
  [ -n "$("$here/../promtool.sh")" ] || set -- "$@" prometheus promtool
fi
for name in "$@"; do
  case $name in
    collector)
      sources=$(cat "$here"/collector/{go.mod,main.go} | sha256sum | cut -c1-16)
      build otelcol-djp "$sources" "$here/collector/build.sh" ;;
    jaeger) from_module jaeger github.com/jaegertracing/jaeger@v1.76.0 ./cmd/jaeger ;;
    prometheus | promtool)
      from_module "$name" github.com/prometheus/prometheus@v0.315.0 "./cmd/$name" ;;
    *) echo "backends: no recipe for $name" >&2; exit 1 ;;
  esac
done
