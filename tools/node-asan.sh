#!/usr/bin/env bash
# node-asan.sh FOLDER: builds the addon with AddressSanitizer and UndefinedBehaviorSanitizer in a copy of the package and runs its tests there.
set -euo pipefail
out=$1
here=$PWD
node=$(tools/node-find.sh)
tools/node-copy.sh "$out"
(cd "$out" && DJP_TELEMETRY_NATIVE=require \
  DJP_TELEMETRY_CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined -U_FORTIFY_SOURCE" \
  DJP_TELEMETRY_LDFLAGS="-fsanitize=address,undefined" "$node" bindings/node/install.js)
# Leak detection is off: Node itself keeps memory at exit.
cd "$out"
mkdir -p tools && cp -a "$here"/tools/node-*.sh tools/
LD_PRELOAD="$(cc -print-file-name=libasan.so) $(cc -print-file-name=libubsan.so)" ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 \
  tools/node-test.sh "$node"
