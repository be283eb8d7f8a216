/* Fuzz target: an operation log whose content, positions and loss counters are arbitrary, published
 * in steps, replayed by the writer's helping hand, by the flush and by the detachment. Whatever it
 * says, every span that it began is accounted for. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "djp/djp.h"
#include "djp/oplog.h"
#include "sdk/sdk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_UNITS = 1024 };

static const char *
fuzz_no_variables(void *user, const char *name)
{
    (void)user;
    (void)name;
    return NULL;
}

static djp_sdk *
fuzz_sdk(int ratio)
{
    const djp_config_override overrides[] = {{"enabled", "true"},
                                             {"backend", "hybrid"},
                                             {"exporter", "memory"},
                                             {"ring_bytes", "65536"},
                                             {"sample_errors", "true"},
                                             {"sample_ratio", ratio ? "0.5" : "1"},
                                             {"decision_buffer_bytes", "65536"}};
    djp_options options;
    djp_sdk *sdk = NULL;
    if (djp_config_resolve(&options, fuzz_no_variables, NULL, overrides, 7, "fuzz", NULL, NULL) !=
            0 ||
        djp_sdk_new(&sdk, &options, NULL, NULL, NULL) != 0) {
        abort();
    }
    djp_options_fini(&options);
    return sdk;
}

static void
fuzz_check(djp_sdk *sdk)
{
    djp__recorder_totals counters;
    djp__recorder_counters(&counters, sdk->recorder);
    if (counters.live != 0 || counters.decision_buffer_bytes != 0) {
        abort();
    }
    char *out = NULL;
    size_t size = 0;
    if (djp_sdk_take_exported(&out, &size, sdk) == 0) {
        djp_free(out);
    }
}

/* One log for many inputs: making one costs more than replaying it. Symbols stay defined from one
 * to the next. */
static djp_oplog *
fuzz_log(void)
{
    static djp_oplog *log;
    static unsigned uses;
    if (log != NULL && ++uses % 256 == 0) {
        djp_oplog_unref(log);
        log = NULL;
    }
    if (log == NULL && djp_oplog_new(&log, FUZZ_UNITS) != 0) {
        abort();
    }
    return log;
}

typedef struct fuzz_writer {
    djp_oplog *log;
    DJP__ATOMIC(uint32_t) * control;
    char *ring;
    uint32_t at, step;
} fuzz_writer;

static void
fuzz_put(fuzz_writer *it, const void *bytes, size_t size)
{
    memcpy(it->ring + (it->at % FUZZ_UNITS) * 8, bytes, size);
    it->at++;
    if (it->at % it->step == 0) {
        djp__store_seq_cst(&it->control[DJP_OPLOG_PUBLISHED], it->at);
        djp_oplog_drain(it->log, (it->at & 1) ? 0 : it->step);
    }
}

/* Operations that are whole: kind, slot, the word's upper half and a size come from five bytes,
 * then the payload follows. */
static void
fuzz_operations(fuzz_writer *it, const uint8_t *data, size_t size)
{
    while (size >= 5) {
        size_t payload = data[4] < size - 5 ? data[4] : size - 5;
        uint32_t units = 1 + ((uint32_t)payload + 7) / 8, rest = FUZZ_UNITS - it->at % FUZZ_UNITS;
        uint64_t pad = (uint64_t)(rest - 1) << 11;
        if (units > rest) {
            memcpy(it->ring + (it->at % FUZZ_UNITS) * 8, &pad, 8);
            it->at += rest;
        }
        uint64_t head = data[0] % (DJP_OP_LAST + 1u) | payload << 8 |
                        (uint64_t)(data[1] & 7) << 32 | (uint64_t)data[2] << 48 |
                        (uint64_t)data[3] << 56;
        djp__store_seq_cst(&it->control[DJP_OPLOG_PUBLISHED], it->at);
        djp_oplog_drain(it->log, it->step);
        memcpy(it->ring + (it->at % FUZZ_UNITS) * 8, &head, 8);
        memcpy(it->ring + (it->at % FUZZ_UNITS) * 8 + 8, data + 5, payload);
        it->at += units;
        data += 5 + payload;
        size -= 5 + payload;
    }
}

/* Byte 0: which SDK, raw or whole operations, and how many units a step takes; byte 1: where in the
 * ring it begins. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static djp_sdk *sdks[2];
    if (!sdks[0]) {
        sdks[0] = fuzz_sdk(0);
        sdks[1] = fuzz_sdk(1);
    }
    if (size < 2) {
        return 0;
    }
    djp_sdk *sdk = sdks[data[0] & 1];
    fuzz_writer it = {.log = fuzz_log(), .at = data[1] * 4u, .step = 1u + (data[0] >> 2)};
    it.control = djp_oplog_memory(it.log);
    it.ring = (char *)djp_oplog_memory(it.log) + DJP_OPLOG_CONTROL_BYTES;
    memset(it.ring, 0, FUZZ_UNITS * 8);
    djp__store_release(&it.control[DJP_OPLOG_PUBLISHED], it.at);
    djp__store_release(&it.control[DJP_OPLOG_CONSUMED], it.at);
    if (djp_oplog_attach(it.log, sdk) != 0) {
        abort();
    }
    if (data[0] & 2) {
        fuzz_operations(&it, data + 2, size - 2);
    } else {
        for (size_t i = 2; i < size; i += 8) {
            fuzz_put(&it, data + i, size - i < 8 ? size - i : 8);
        }
    }
    djp__store_seq_cst(&it.control[DJP_OPLOG_PUBLISHED], it.at);
    djp__store_relaxed(&it.control[DJP_OPLOG_LOST_SPANS], it.at);
    djp_oplog_detach(it.log);
    fuzz_check(sdk);
    return 0;
}
