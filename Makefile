# djp-telemetry: `make demo` and `make test` do all set-up themselves. `make help` lists the rest.
.DEFAULT_GOAL := help
BUILD ?= build
SAN ?=
JOBS ?= $(shell nproc)
# A compiler cache is used where it is installed: after a change of branch or of a comment, or with a second build folder, most objects come
# from it. A CC that is given is taken as it is.
ifeq ($(origin CC),default)
  CC := $(if $(shell command -v ccache),ccache )cc
endif
# An object compiled in one clone serves another one; paths in it are relative to the clone.
export CCACHE_BASEDIR ?= $(CURDIR)
export CCACHE_NOHASHDIR ?= true
CLANG ?= $(if $(findstring ccache,$(CC)),ccache )clang
# The distribution's interpreter is an optimised build and has its headers as a package; any CPython from 3.9 on will do.
PYTHON ?= $(shell for p in /usr/bin/python3 python3; do $$p -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null && { echo $$p; break; }; done)
VENV ?= .venv
PY = $(VENV)/bin/python
# Node 20 or newer from PATH, else one that npm fetches into the cache folder.
NODE = $(shell tools/node-find.sh)
WARN = -Wall -Wextra -Wshadow -Wconversion -Werror
# The compiler warns of more than there is in a sanitized build; the plain one is the judge.
TEST_WARN = -Wall -Wextra -Werror$(if $(SAN),=implicit-function-declaration)
CFLAGS_BASE = -std=c11 -D_GNU_SOURCE -g -ffile-prefix-map=$(CURDIR)=. -fvisibility=hidden -fno-strict-aliasing -Icore/include -Icore/src -Icore
ifeq ($(SAN),asan)
  OPT = -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
  OUT = $(BUILD)/asan
else ifeq ($(SAN),tsan)
  OPT = -O1 -fno-omit-frame-pointer -fsanitize=thread
  OUT = $(BUILD)/tsan
else
  OPT = -O2
  OUT = $(BUILD)
endif
LIBS = -lcurl -lprotobuf-c -lz -lmicrohttpd -lpthread -lm
CORE_SRC = $(filter-out core/src/djp.c,$(wildcard core/src/*/*.c)) $(wildcard core/gen/*.c)
CORE_OBJ = $(CORE_SRC:%.c=$(OUT)/%.o)
TESTS_C = $(patsubst tests/c/%.c,$(OUT)/c/%,$(wildcard tests/c/*/test_*.c))
TOOLS_C = $(patsubst tests/c/%.c,$(OUT)/c/%,$(wildcard tests/c/tool_*.c))
BENCH_C = $(patsubst bench/%.c,$(OUT)/bench/%,$(wildcard bench/bench_*.c))
# What test programs share: a library of objects, of which each program takes those that it calls.
HELPER_SRC = $(foreach f,$(wildcard tests/c/*.c tests/c/*/*.c),$(if $(filter test_% tool_%,$(notdir $f)),,$f))
HELPER_OBJ = $(HELPER_SRC:%.c=$(OUT)/%.o)
FUZZERS = $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SECONDS ?= 60
SOAK_SECONDS ?= 600
SECONDS ?= 300
NATIVE_SRC = setup.py pyproject.toml $(wildcard core/include/djp/*.h core/src/*.c core/src/*/*.[ch] core/gen/*.[ch] bindings/python/src/*.[ch])
PACKAGE_SRC = $(wildcard bindings/python/djp_telemetry/*.py bindings/python/djp_telemetry/*.pyi bindings/python/djp_telemetry/*/*.py middleware/asgi/*.py middleware/asgi/*.pyi)

help:
	@echo "make demo       build, then a small service under real requests: spans, scrape, correlated logs"
	@echo "make test       build, then all tests: C, sanitizers, valgrind, short fuzzing, Python, Node"
	@echo "make check T=ring   build and run the C tests of that name (also SAN=asan or SAN=tsan); T=base/ a folder, T=core/src/base/ring.c a source"
	@echo "make py T=span  build, then the Python tests of that name; K=word: only those with that word in their name"
	@echo "make js T=span  build, then the Node tests of that name; K=word likewise"
	@echo "make compile_commands.json  for clangd: the core, the tests and the bindings, with this Makefile's flags"
	@echo "make test-python-versions  the Python package built and tried with every supported version on this machine"
	@echo "make test-node-versions   the Node tests with Node 22 and 24, on the addon that was built once"
	@echo "make instructions   instructions of the hot path beside the recorded ones; instructions-record: records them"
	@echo "make lint       format, layers, sizes, symbols, types"
	@echo "make bench      ours beside the peers, in one run; bench-node: only the Node rows"
	@echo "make bench-specification   the specification's own form: CPU at 10,000 spans/s, 10 repeats of 15 s"
	@echo "make e2e        against a real Collector, Jaeger and Prometheus (found on PATH or in DJP_INFRA)"
	@echo "make backends   builds these from Go modules into DJP_INFRA ($${DJP_INFRA:-~/.cache/djp-infra}), once a version"
	@echo "make fuzz       every fuzz target for FUZZ_SECONDS=$(FUZZ_SECONDS) each; fuzz-short: 5 s each"
	@echo "make mutants F=core/src/metrics/shard.c  which changes of a source no test notices, for SECONDS=$(SECONDS)"
	@echo "make soak       ten minutes of load with faults, memory watched; soak-node: the same for Node"
	@echo "make stress-metrics  200 deaths of workers under load, of gunicorn and of a Node cluster: nothing is lost"
	@echo "make gen        what follows from proto/, contract/ and the core: protobuf-c sources, types, docstrings, tables"
	@echo "make clean"

.SECONDARY:
$(OUT)/core/gen/%.o: core/gen/%.c
	@mkdir -p $(@D)
	@echo "  cc $<"; $(CC) $(CFLAGS_BASE) $(OPT) -w -MMD -MP -c $< -o $@
$(OUT)/core/src/%.o: core/src/%.c
	@mkdir -p $(@D)
	@echo "  cc $<"; $(CC) $(CFLAGS_BASE) $(OPT) $(WARN) -MMD -MP -c $< -o $@
$(OUT)/libdjp.a: $(CORE_OBJ)
	@rm -f $@; ar rcs $@ $(CORE_OBJ)
$(OUT)/tests/c/%.o: tests/c/%.c
	@mkdir -p $(@D)
	@echo "  cc $<"; $(CC) $(CFLAGS_BASE) $(OPT) $(TEST_WARN) -MMD -MP -Itests/c -c $< -o $@
$(OUT)/libhelpers.a: $(HELPER_OBJ)
	@rm -f $@; ar rcs $@ $(HELPER_OBJ)
$(OUT)/c/%: $(OUT)/tests/c/%.o $(OUT)/libhelpers.a $(OUT)/libdjp.a
	@mkdir -p $(@D)
	@echo "  link $@"; $(CC) $(OPT) $^ $(LIBS) -lcmocka -o $@
$(OUT)/bench/%: bench/%.c $(OUT)/libdjp.a
	@mkdir -p $(@D)
	@echo "  cc $@"; $(CC) $(CFLAGS_BASE) $(OPT) -Wall -Wextra -MMD -MP -Itests/c $< $(OUT)/libdjp.a $(LIBS) -o $@
# Every fuzz target links the same objects of the core, which clang compiles once, with its counters of coverage.
FUZZ_FLAGS = $(CFLAGS_BASE) -O1 -w -fno-sanitize-recover=undefined
FUZZ_OBJ = $(CORE_SRC:%.c=$(BUILD)/fuzz/%.o)
$(BUILD)/fuzz/%.o: %.c
	@mkdir -p $(@D)
	@echo "  clang $<"; $(CLANG) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c $< -o $@
$(BUILD)/fuzz/libdjp.a: $(FUZZ_OBJ)
	@rm -f $@; ar rcs $@ $(FUZZ_OBJ)
$(BUILD)/fuzz/%: $(BUILD)/fuzz/tests/fuzz/%.o $(BUILD)/fuzz/libdjp.a
	@echo "  link $@"; clang -fsanitize=fuzzer,address,undefined $^ $(LIBS) -o $@
# The addon's build keeps its own records of what depends on what in the same folder, in another form.
-include $(shell find $(BUILD) -name '*.d' -not -path '*/.deps/*' -not -path '*/node-asan/*' 2>/dev/null)

core: $(OUT)/libdjp.a
tools-c: $(TOOLS_C)

# ---- set-up -------------------------------------------------------------------------------------------------------------------
setup-build:
	@tools/setup.sh build
setup-test:
	@tools/setup.sh test
$(VENV)/.base:
	@$(MAKE) --no-print-directory setup-build
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install -q --disable-pip-version-check 'setuptools>=69' wheel
	@touch $@
$(VENV)/.demo: $(VENV)/.base examples/requirements.txt
	$(PY) -m pip install -q --disable-pip-version-check -r examples/requirements.txt
	@touch $@
$(VENV)/.test: $(VENV)/.base tests/requirements.txt examples/requirements.txt
	$(PY) -m pip install -q --disable-pip-version-check -r tests/requirements.txt -r examples/requirements.txt
	@touch $@
$(VENV)/.bench: $(VENV)/.base bench/requirements.txt
	$(PY) -m pip install -q --disable-pip-version-check -r bench/requirements.txt
	@touch $@
# The package is installed as a user would install it, with the native part required.
$(VENV)/.native: $(VENV)/.base $(NATIVE_SRC) $(PACKAGE_SRC)
	rm -rf build/lib.* build/bdist.*
	CC="$(CC)" DJP_TELEMETRY_NATIVE=require $(PY) -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps --force-reinstall '.[native]'
	@touch $@

node_modules/.base: package.json package-lock.json
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
# The addon, as `npm install` builds it in a checkout. Looks for itself whether anything changed.
node-native:
	@CC="$(CC)" DJP_TELEMETRY_NATIVE=require $(NODE) bindings/node/install.js

# ---- the two commands of the README -------------------------------------------------------------------------------------------
demo: setup-build $(VENV)/.demo $(VENV)/.native node_modules/.base node-native
	NODE=$(NODE) $(PY) examples/demo.py
# Everything is built before the first test runs, so that parts can run beside each other; most of them wait more than they compute. The
# longest come first.
TEST_PARTS = test-python test-node test-asan test-python-asan test-node-asan test-tsan test-c test-valgrind fuzz-short instructions
PARTS_AT_ONCE ?= $(shell echo $$(($(JOBS) + 1)))
test: setup-test
	@echo "==== build"; start=$$(date +%s); $(MAKE) --no-print-directory test-build && echo "built in $$(($$(date +%s) - start)) s"
	@MAKE="$(MAKE)" JOBS=$(JOBS) tools/run-parts.sh $(PARTS_AT_ONCE) $(TEST_PARTS)
	@echo "make test: all green"
# The environments come first: two installations into one of them at once would collide.
test-build:
	@$(MAKE) --no-print-directory -j$(JOBS) $(VENV)/.test node_modules/.base core
	@$(MAKE) --no-print-directory -j$(JOBS) $(VENV)/.native node-native build-c tools-c build-fuzz build-instructions build-python-asan build-node-asan promtool
	@$(MAKE) --no-print-directory -j$(JOBS) SAN=asan build-c
	@$(MAKE) --no-print-directory -j$(JOBS) SAN=tsan build-tsan

# ---- one test, or a few -------------------------------------------------------------------------------------------------------
# T is the start of a test's name; K chooses within the files that it names.
check:
	@found=$$($(PYTHON) tools/pick-tests.py c '$(T)') || exit 2; \
	programs=$$(echo "$$found" | sed 's,^tests/c/\(.*\)\.c$$,$(OUT)/c/\1,'); \
	$(MAKE) --no-print-directory -s -j$(JOBS) $$programs && tools/run-tests.sh $$programs
py:
	@found=$$($(PYTHON) tools/pick-tests.py py '$(T)') || exit 2; \
	$(MAKE) --no-print-directory -s -j$(JOBS) $(VENV)/.test $(VENV)/.native $$(grep -lq DJP_BUILD $$found && echo tools-c) $$(grep -lq DJP_NODE $$found && echo node_modules/.base node-native) || exit 1; \
	DJP_BUILD=$(abspath $(OUT)) DJP_NODE=$(NODE) $(PY) -m pytest -m 'not e2e' $(if $(K),-k '$(K)') $(PYTEST_ARGS) $$found
js:
	@found=$$($(PYTHON) tools/pick-tests.py js '$(T)') || exit 2; \
	$(MAKE) --no-print-directory -s node_modules/.base node-native || exit 1; \
	NODE_TESTS="$$found" NODE_TEST_NAME='$(K)' tools/node-test.sh $(NODE)
compile_commands.json: Makefile tools/compile_commands.py $(wildcard core/src/*/*.c tests/c/*.c tests/c/*/*.c bindings/*/src/*.c)
	@$(PYTHON) tools/compile_commands.py '$(lastword $(CC))' '$(CFLAGS_BASE) $(OPT) $(filter-out -Werror,$(WARN))' \
	  '$(CFLAGS_BASE) $(OPT) -Wall -Wextra' "$$(tools/node-find.sh 2>/dev/null)" > $@.tmp && mv $@.tmp $@

# ---- tests --------------------------------------------------------------------------------------------------------------------
build-c: $(TESTS_C)
test-c: build-c
	@tools/run-tests.sh $(TESTS_C)
test-sanitize: test-asan test-tsan
test-asan:
	@$(MAKE) --no-print-directory SAN=asan test-c
test-tsan:
	@$(MAKE) --no-print-directory SAN=tsan test-threads
TSAN_TESTS = \
  base/clock base/ring base/ring_race \
  control/overrides control/remote \
  export/prometheus_http \
  instrument/baggage_attributes \
  metrics/builtin metrics/counter metrics/histogram metrics/registry metrics/segment metrics/series metrics/native metrics/shard \
  model/context model/key \
  oplog/oplog oplog/oplog_life oplog/oplog_switch \
  pipeline/flush pipeline/second_signal pipeline/worker pipeline/worker_faults pipeline/worker_race pipeline/worker_tasks \
  sampling/rate_limit sampling/tail_rules \
  sdk/metrics sdk/prometheus_endpoint sdk/sdk sdk/sdk_metrics sdk/shutdown \
  trace/canary trace/local_trace trace/local_trace_early trace/local_trace_late trace/local_trace_race trace/recorder trace/span trace/span_processor
TSAN_PROGRAMS = $(foreach t,$(TSAN_TESTS),$(OUT)/c/$(dir $(t))test_$(notdir $(t)))
build-tsan: $(TSAN_PROGRAMS)
test-threads: build-tsan
	@tools/run-tests.sh $(TSAN_PROGRAMS)
VALGRIND_TESTS = \
  base/mem base/str \
  config/config \
  control/remote_strategy \
  export/console export/encoder export/file export/form_json export/form_protobuf export/otlp_trace \
  metrics/exposition \
  model/context model/key \
  net/curl_target net/proxy net/gzip net/otlp_response net/http_response net/grpc_response net/retry \
  oplog/oplog \
  sampling/tail_rules \
  trace/span
test-valgrind: $(foreach t,$(VALGRIND_TESTS),$(OUT)/c/$(dir $(t))test_$(notdir $(t)))
	@DJP_TEST_SHORT=1 tools/run-tests.sh --valgrind $^
# The core as a release has it: one unit, for a shared object, whose flags are those of setup.py but for its hardening, which distributions
# add to or leave out. Nothing else may decide the figures.
INSTRUCTIONS_CFLAGS = -std=c11 -D_GNU_SOURCE -O2 -fPIC -fno-plt -fvisibility=hidden -fno-strict-aliasing -Icore/include -Icore/src -Icore
$(BUILD)/instructions/%.o: bench/%.c $(wildcard core/include/djp/*.h core/src/*.c core/src/*/*.[ch] bench/recorder_options.h tests/c/oplog_writer.h)
	@mkdir -p $(@D)
	@echo "  cc $<"; $(CC) $(INSTRUCTIONS_CFLAGS) -Itests/c $(WARN) -c $< -o $@
$(BUILD)/instructions/instructions: $(BUILD)/instructions/instructions.o $(BUILD)/instructions/instructions_core.o $(wildcard core/gen/*.c)
	@echo "  cc $@"; $(CC) $(INSTRUCTIONS_CFLAGS) -w $^ $(LIBS) -o $@
build-instructions: $(BUILD)/instructions/instructions
instructions instructions-record: $(BUILD)/instructions/instructions $(VENV)/.native
	@CC="$(CC)" $(PY) tools/instructions.py $(if $(findstring record,$@),record,check) $(BUILD)/instructions $(PY)
# Files of tests run beside each other, the tests of a file one after another.
PYTEST_PARALLEL = -n $(JOBS) --dist loadfile --no-loadscope-reorder --durations=10 --durations-min=1
test-python: $(VENV)/.test $(VENV)/.native $(TOOLS_C) node_modules/.base node-native
	DJP_BUILD=$(abspath $(OUT)) DJP_NODE=$(NODE) PATH="$$PATH:$$(tools/promtool.sh)" tools/py-test.sh $(PY) -m 'not e2e' $(PYTEST_PARALLEL) $(PYTEST_ARGS)
# The extension built with AddressSanitizer and UndefinedBehaviorSanitizer runs the tests of the binding again.
build-python-asan: $(VENV)/.test
	@CC="$(CC)" tools/asan-python.sh build $(PY)
test-python-asan: build-python-asan $(TOOLS_C)
	@PYTEST_ARGS="$(PYTEST_PARALLEL) $(PYTEST_ARGS)" tools/asan-python.sh test $(PY)
promtool:
	@tools/promtool.sh >/dev/null
test-python-versions:
	@CC="$(CC)" tools/python-versions.sh 3.9 3.10 3.11 3.12 3.13 3.14
test-node: node_modules/.base node-native
	@PATH="$$PATH:$$(tools/promtool.sh)" tools/node-test.sh $(NODE)
build-node-asan: node_modules/.base
	@CC="$(CC)" tools/node-asan.sh build $(abspath $(BUILD))/node-asan
test-node-asan: build-node-asan
	@tools/node-asan.sh test $(abspath $(BUILD))/node-asan
test-node-versions: node_modules/.base node-native
	@tools/node-versions.sh 22 24
test-node-pack:
	@tools/node-pack.sh $(abspath $(BUILD))/node-pack
# The real backends, built once into a cache outside of the tree.
backends:
	@tools/backends/get.sh
e2e: $(VENV)/.test $(VENV)/.native $(TOOLS_C) node_modules/.base node-native
	NODE=$(NODE) DJP_BUILD=$(abspath $(OUT)) PATH="$$PATH:$${DJP_INFRA:-$$HOME/.cache/djp-infra}/bin:$$(tools/promtool.sh)" $(PY) -m pytest -m e2e tests/e2e -v
build-fuzz: $(FUZZERS)
fuzz-short: $(FUZZERS)
	@tools/run-fuzz.sh 5 $(FUZZERS)
fuzz: $(FUZZERS)
	@tools/run-fuzz.sh $(FUZZ_SECONDS) $(FUZZERS)
# Changes one place of F (sources of one language, or a folder of them) at a time, in a copy of the tree, and runs the tests that touch it.
mutants: $(VENV)/.test $(if $(filter core/%,$(F)),,$(VENV)/.native $(TOOLS_C) node_modules/.base node-native)
	@DJP_NODE=$(NODE) NODE=$(NODE) CC="$(CC)" $(PY) tools/mutants.py $(F) --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(ARGS)
soak: $(VENV)/.test $(VENV)/.native
	$(PY) tests/soak.py --seconds 600
stress-metrics: $(VENV)/.test $(VENV)/.native node_modules/.base node-native
	$(PY) tests/python/shared_stress.py --deaths 200
soak-node: node_modules/.base node-native
	$(NODE) --expose-gc tests/node/soak.js --seconds $(SOAK_SECONDS)

# ---- quality ------------------------------------------------------------------------------------------------------------------
lint: setup-test $(CORE_OBJ) $(VENV)/.test $(VENV)/.native node_modules/.base node-native
	@tools/lint/all.sh $(PY)
# Writes into tools/lint/left.json what has become less since.
.PHONY: lint-shrink
lint-shrink: $(CORE_OBJ) $(VENV)/.test
	@$(PY) tools/lint/rules.py --shrink
format: $(VENV)/.test node_modules/.base
	$(VENV)/bin/clang-format -i $$(git ls-files 'core/include/**.h' 'core/src/**.[ch]' 'bindings/*/src/*.[ch]' 'tests/c/*.[ch]' 'tests/fuzz/*.c' 'bench/*.[ch]')
	node_modules/.bin/prettier --log-level=warn --write $$(git ls-files '*.js' '*.mjs' '*.ts')
	$(PY) -m ruff format . && $(PY) -m ruff check --fix .
bench: $(VENV)/.bench $(VENV)/.native $(BENCH_C) bench-node
	@for b in $(BENCH_C); do echo "== $$b"; $$b; done
	$(PY) bench/run.py
bench/node/node_modules/.base: bench/node/package.json bench/node/package-lock.json
	cd bench/node && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
bench-node: bench/node/node_modules/.base node-native
	$(NODE) bench/node/candidates.js
	$(NODE) bench/node/run.js $(BENCH_ARGS)
bench-specification: $(VENV)/.bench $(VENV)/.native
	$(PY) bench/specification.py
clean:
	rm -rf $(BUILD) $(VENV) node_modules bench/node/node_modules compile_commands.json *.egg-info bindings/python/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
.PHONY: help check py js core tools-c setup-build setup-test demo test test-build build-c test-c test-sanitize test-asan test-tsan build-tsan \
  test-threads build-instructions build-python-asan build-node-asan build-fuzz promtool test-valgrind instructions \
  instructions-record test-python test-python-asan test-python-versions node-native test-node test-node-asan test-node-versions \
  test-node-pack backends e2e fuzz-short fuzz mutants soak soak-node stress-metrics lint format bench bench-node bench-specification clean gen

# ---- generated sources --------------------------------------------------------------------------------------------------------
$(OUT)/gen/contract: tools/gen/contract.c $(OUT)/libdjp.a
	@mkdir -p $(@D)
	@echo "  cc $@"; $(CC) $(CFLAGS_BASE) $(OPT) $(WARN) -MMD -MP $< $(OUT)/libdjp.a $(LIBS) -o $@
gen: $(OUT)/gen/contract
	protoc-c --proto_path=proto --c_out=core/gen proto/*.proto
	$(PY) tools/gen/gen.py
