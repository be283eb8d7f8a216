#!/usr/bin/env bash
# gomod-build.sh MODULE@VERSION PACKAGE PROGRAM: builds a command of a published Go module as its
# authors pinned it. `go install` refuses modules with replacements in their go.mod, and without
# them the versions would differ from those that the authors tested.
set -euo pipefail
module=$1 package=$2 program=$(realpath -m "$3")
export GOWORK=off
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
# The module lies without write permission in Go's cache; the build happens in a copy.
cd "$work" && go mod init fetch >/dev/null 2>&1
dir=$(go mod download -json "$module" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
[ -n "$dir" ] || { go mod download "$module"; exit 1; }
cp -r "$dir" source && chmod -R u+w source && cd source
CGO_ENABLED=0 go build -mod=mod -trimpath -ldflags='-s -w' -o "$program" "$package"
