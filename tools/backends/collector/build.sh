#!/usr/bin/env bash
# build.sh PROGRAM: builds the Collector of this folder. The build completes go.mod, so it works on
# a copy.
set -euo pipefail
program=$(realpath -m "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$(dirname "$0")" && cp go.mod main.go "$work" && cd "$work"
GOWORK=off CGO_ENABLED=0 go build -mod=mod -trimpath -ldflags='-s -w' -o "$program" .
