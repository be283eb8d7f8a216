#!/usr/bin/env bash
# node-copy.sh FOLDER: brings a copy of the Node package and its tests up to date, for a build of
# its own; what was built there stays.
set -euo pipefail
to=$1
mkdir -p "$to"
for name in core bindings/node middleware tests/node tests/vectors examples proto docs; do
  [ -e "$name" ] || continue
  rm -rf "${to:?}/$name" && mkdir -p "$to/$(dirname "$name")" && cp -a "$name" "$to/$name"
done
cp -a binding.gyp package.json *.md LICENSE "$to/"
ln -sfn "$PWD/node_modules" "$to/node_modules"
