#!/usr/bin/env bash
# node-asan.sh build|test FOLDER: builds the addon with AddressSanitizer and
# UndefinedBehaviorSanitizer in a copy of the package, or brings the copy's tests up to date and
# runs them there.
set -euo pipefail
verb=$1 out=$2 here=$PWD
node=$(tools/node-find.sh)
tools/node-copy.sh "$out"
if [ "$verb" = build ]; then
  cd "$out"
  flags="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined"
  flags+=" -fno-sanitize-recover=undefined -U_FORTIFY_SOURCE"
  DJP_TELEMETRY_NATIVE=require DJP_TELEMETRY_CFLAGS=$flags \
    DJP_TELEMETRY_LDFLAGS="-fsanitize=address,undefined" "$node" bindings/node/install.js
  case "$(nm -D build/Release/djp_telemetry.node)" in
    *__asan_init*) exit 0 ;;
    *) echo "node-asan: the addon was built without AddressSanitizer"; exit 1 ;;
  esac
fi
# Leak detection is off: Node itself keeps memory at exit.
cd "$out"
mkdir -p tools && cp -a "$here"/tools/node-*.* "$here"/tools/failures.sh tools/
export DJP_REPORTS=$out/reports
rm -rf "$DJP_REPORTS" && mkdir "$DJP_REPORTS"
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:log_path=$DJP_REPORTS/asan
LD_PRELOAD="$(cc -print-file-name=libasan.so) $(cc -print-file-name=libubsan.so)" \
  tools/node-test.sh "$node"
