#!/usr/bin/env bash
# setup.sh build|test: makes sure that the system packages for building (or for building and
# testing) are there. Installs them with apt when it may, otherwise names them and fails. Runs in a
# moment when nothing is missing. The compiler cache saves time only, so its absence is no failure.
set -euo pipefail
what=${1:-build}
build="gcc g++ make pkg-config python3-dev python3-venv"
build+=" libcurl4-openssl-dev libprotobuf-c-dev zlib1g-dev libmicrohttpd-dev"
test="libcmocka-dev valgrind openssl clang procps"

command -v dpkg-query >/dev/null || {
  echo "setup: not a Debian or Ubuntu machine; see README.md, Install, for what is needed"
  exit 0
}
missing() {
  for p in "$@"; do
    dpkg-query -W -f='${db:Status-Abbrev}' "$p" 2>/dev/null | grep -q '^ii' || echo "$p"
  done
}
need=$(missing $build)
if [ "$what" = test ]; then
  need="$need $(missing $test)"
  # clang's sanitizer and fuzzer runtime is a separate package on Debian 12 and later, named for
  # clang's version.
  target='int LLVMFuzzerTestOneInput(const char *d, long n) { return d && n < 0; }'
  if ! command -v clang >/dev/null; then
    need="$need clang-runtime"
  elif ! clang -fsanitize=fuzzer -x c - -o /dev/null 2>/dev/null <<<"$target"; then
    need="$need libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev"
  fi
fi
wanted=
if [ "$what" = test ]; then wanted=$(missing ccache); fi
# Node 20 or newer with npm; distributions that have only an older one still have the npm that
# fetches a newer one.
command -v npm >/dev/null || need="$need npm"
need=$(echo $need)
[ -n "$need$wanted" ] || { tools/node-find.sh >/dev/null; exit 0; }
if [ "$(id -u)" = 0 ]; then
  sudo=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  sudo="sudo -n"
else
  [ -n "$need" ] || { tools/node-find.sh >/dev/null; exit 0; }
  echo "setup: please install these packages and run the command again:"
  echo "  apt-get install ${need/clang-runtime/libclang-rt-dev}"
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
if [ -z "$need" ]; then
  echo "setup: installing $wanted"
  { $sudo apt-get update -qq &&
    $sudo apt-get install -y -qq --no-install-recommends $wanted; } >/dev/null 2>&1 ||
    echo "setup: going on without $wanted"
  tools/node-find.sh >/dev/null
  exit 0
fi
need=$(echo $need $wanted)
echo "setup: installing $need"
$sudo apt-get update -qq
case " $need " in *" clang-runtime "*)
  need=${need/clang-runtime/}
  version=$(apt-cache depends clang | sed -n 's/.*Depends: clang-\([0-9]*\).*/\1/p' | head -n 1)
  if apt-cache show "libclang-rt-$version-dev" >/dev/null 2>&1; then
    need="$need libclang-rt-$version-dev"
  fi ;;
esac
$sudo apt-get install -y -qq --no-install-recommends $need >/dev/null
tools/node-find.sh >/dev/null
