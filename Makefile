# djp-telemetry: `make demo` and `make test` do all set-up themselves. `make help` lists the rest.
BUILD ?= build
SAN ?=
CC ?= cc
WARN = -Wall -Wextra -Wshadow -Wconversion -Werror
CFLAGS_BASE = -std=c11 -D_GNU_SOURCE -g -fvisibility=hidden -fno-strict-aliasing -Icore/include -Icore/src -Icore
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
TESTS_C = $(patsubst tests/c/%.c,$(OUT)/c/%,$(wildcard tests/c/test_*.c))
TEST_HELPERS = $(filter-out $(wildcard tests/c/test_*.c),$(wildcard tests/c/*.c))

.SECONDARY:
$(OUT)/core/gen/%.o: core/gen/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_BASE) $(OPT) -w -MMD -c $< -o $@
$(OUT)/core/src/%.o: core/src/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_BASE) $(OPT) $(WARN) -MMD -c $< -o $@
$(OUT)/libdjp.a: $(CORE_OBJ)
	rm -f $@
	ar rcs $@ $(CORE_OBJ)
$(OUT)/c/%: tests/c/%.c $(TEST_HELPERS) $(OUT)/libdjp.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_BASE) $(OPT) -Wall -Wextra -MMD -Itests/c $< $(TEST_HELPERS) $(OUT)/libdjp.a $(LIBS) -lcmocka -o $@
-include $(shell find $(OUT) -name '*.d' 2>/dev/null)

core: $(OUT)/libdjp.a
test-c: $(TESTS_C)
	@set -e; for t in $(TESTS_C); do echo "== $$t"; timeout 300 $$t; done
.PHONY: core test-c
