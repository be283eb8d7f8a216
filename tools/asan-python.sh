#!/usr/bin/env bash
# asan-python.sh build|test PYTHON: builds the extension with AddressSanitizer and
# UndefinedBehaviorSanitizer into build/asan-python, or runs the binding's tests on it.
set -euo pipefail
verb=$1 python=$2 out=$PWD/build/asan-python
if [ "$verb" = build ]; then
  mkdir -p "$out"
  sources=$(find setup.py pyproject.toml core bindings/python middleware \
    -type f -not -name '*.pyc' | sort | xargs sha256sum | sha256sum)
  [ "$(cat "$out/.sources" 2>/dev/null)" != "$sources" ] || exit 0
  # In a copy: setuptools would take the extension that another build left in build/, whatever flags
  # it was made with.
  rm -rf "$out/site" "$out/source" && mkdir "$out/source"
  git ls-files -z --cached --others --exclude-standard -- setup.py pyproject.toml MANIFEST.in \
    README.md LICENSE core bindings/python middleware | xargs -0 cp --parents -t "$out/source"
  export DJP_TELEMETRY_NATIVE=require DJP_TELEMETRY_LDFLAGS="-fsanitize=address,undefined"
  export DJP_TELEMETRY_CFLAGS="-O1 -g -fno-omit-frame-pointer $DJP_TELEMETRY_LDFLAGS \
    -fno-sanitize-recover=undefined -U_FORTIFY_SOURCE"
  "$python" -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps \
    --target "$out/site" "$out/source"
  case "$(nm -D "$out"/site/djp_telemetry/_native*.so)" in
    *__asan_init*) echo "$sources" > "$out/.sources"; exit 0 ;;
    *) echo "asan-python: the extension was built without AddressSanitizer"; exit 1 ;;
  esac
fi
# Leak detection is off: CPython itself keeps memory at exit. These stay out: tests that do not load
# the extension, measure or limit memory or stacks, take millions of spans, or look at receivers and
# programs more than at the extension; and tests that fork beside threads: the sanitizer's own
# allocator is not safe over that in GCC 12, and the child hangs in it now and then.
out_of_it=""
for name in transport_ silence gunicorn soak wire exposition sampling_agreement leaks value_bounds \
  mutants_tool run_parts install surroundings second_signal goaway concurrency faults docs; do
  out_of_it+=" --ignore-glob=*/test_$name*"
done
# Reports go to files, because pytest keeps the output of a process that a signal ends.
export DJP_REPORTS=$out/reports
rm -rf "$DJP_REPORTS" && mkdir "$DJP_REPORTS"
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:log_path=$DJP_REPORTS/asan
LD_PRELOAD="$(cc -print-file-name=libasan.so) $(cc -print-file-name=libubsan.so)" \
  PYTHONMALLOC=malloc PYTHONPATH="$out/site" DJP_BUILD=$PWD/build tools/py-test.sh "$python" \
  -m 'not e2e and not slow' -k 'not mypy and not memory and not fork and not gives_back' \
  $out_of_it tests/python ${PYTEST_ARGS:-}
