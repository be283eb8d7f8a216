/* A writer of an operation log in C, as an environment of another language would be one: plain
 * stores, one release, a wake when the core sleeps. For one test program: everything is static. */
#ifndef TESTS_C_OPLOG_WRITER_H
#define TESTS_C_OPLOG_WRITER_H

#include <stdint.h>
#include <string.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "djp/djp.h"
#include "djp/oplog.h"

typedef struct writer {
    djp_oplog *log; /* a reference */
    DJP__ATOMIC(uint32_t) * control;
    uint64_t *ring;
    uint32_t units, at; /* position of the next operation */
    uint32_t symbols; /* defined so far */
    uint32_t wakes;
    int patient; /* 1: waits for room, 0: counts a loss */
    djp_oplog_roots roots; /* how roots are decided, as of that count of changes */
    uint32_t roots_at;
} writer;

/* Ids that tests read back: every byte says what it belongs to. */
typedef struct writer_ids {
    uint32_t trace[4], span[2], parent[2];
} writer_ids;

static inline int
writer_open(writer *it, size_t units)
{
    memset(it, 0, sizeof *it);
    int result = djp_oplog_new(&it->log, units);
    if (result == 0) {
        char *memory = djp_oplog_memory(it->log);
        it->control = (void *)memory;
        it->ring = (uint64_t *)(void *)(memory + DJP_OPLOG_CONTROL_BYTES);
        it->units = (uint32_t)units;
    }
    return result;
}

static inline void
writer_close(writer *it)
{
    djp_tracestate_unref(it->roots.state);
    djp_oplog_detach(it->log);
    djp_oplog_unref(it->log);
}

static inline void
writer_publish(writer *it)
{
    djp__store_seq_cst(&it->control[DJP_OPLOG_PUBLISHED], it->at);
    if (djp__load_seq_cst(&it->control[DJP_OPLOG_ASLEEP]) != 0) {
        djp__store_seq_cst(&it->control[DJP_OPLOG_ASLEEP], 0u);
        it->wakes++;
        djp_oplog_wake(it->log);
    }
}

static inline uint32_t
writer_free_units(const writer *it)
{
    return it->units - (it->at - djp__load_acquire(&it->control[DJP_OPLOG_CONSUMED]));
}

static inline void
writer_head(writer *it, uint32_t place, uint32_t kind, uint32_t word, size_t size)
{
    it->ring[place] = (uint64_t)word << 32 | (uint32_t)(kind | (uint32_t)size << 8);
}

/* Moves to a place with that many units in one piece; 0 when there is none. */
static inline int
writer_room(writer *it, uint32_t units)
{
    uint32_t place = it->at & (it->units - 1), rest = it->units - place;
    uint32_t wanted = units <= rest ? units : rest + units;
    while (writer_free_units(it) < wanted) {
        writer_publish(it);
        if (!djp_oplog_drain(it->log, 0) && !it->patient) {
            return 0;
        }
    }
    if (units > rest) {
        writer_head(it, place, DJP_OP_PAD, 0, (rest - 1) * 8);
        it->at += rest;
    }
    return 1;
}

static inline int
writer_put(writer *it, uint32_t kind, uint32_t word, const void *payload, size_t size)
{
    uint32_t units = 1 + ((uint32_t)size + 7) / 8;
    if (!writer_room(it, units)) {
        return 0;
    }
    uint32_t place = it->at & (it->units - 1);
    writer_head(it, place, kind, word, size);
    if (size > 0) {
        memcpy(&it->ring[place + 1], payload, size);
    }
    it->at += units;
    return 1;
}

static inline void
writer_lose(writer *it, djp_oplog_word what, uint32_t count)
{
    djp__store_relaxed(&it->control[what], djp__load_relaxed(&it->control[what]) + count);
}

static inline uint32_t
writer_symbol(writer *it, const char *text)
{
    writer_put(it, DJP_OP_DEFINE, ++it->symbols, text, strlen(text));
    return it->symbols;
}

static inline writer_ids
writer_make_ids(uint32_t trace, uint32_t span, uint32_t parent)
{
    writer_ids ids = {{0x01020304u, 0x05060708u, 0xfffffff0u, trace}, {0x0a0b0c0du, span}, {0, 0}};
    if (parent != 0) {
        ids.parent[0] = 0x0a0b0c0du;
        ids.parent[1] = parent;
    }
    return ids;
}

typedef struct writer_start {
    uint32_t slot, kind, flags; /* DJP_OP_START_* */
    writer_ids ids;
    uint64_t mono;
    uint32_t name, scope; /* symbols */
    uint32_t number, parent_flags;
    const char *state, *full_name; /* with the flags that say so */
    const char *baggage; /* with its flag */
    uint64_t unix_ns;
    const djp_oplog_decision *decision; /* NULL: the writer decides as it must */
} writer_start;

static inline size_t
writer_sized(char *out, const char *text)
{
    uint32_t head[2] = {(uint32_t)strlen(text), 0};
    memcpy(out, head, 8);
    memcpy(out + 8, text, head[0]);
    return 8 + ((head[0] + 7u) & ~7u);
}

static inline void
writer_bytes(uint8_t *out, const uint32_t *words, size_t count)
{
    for (size_t i = 0; i < 4 * count; i++) {
        out[i] = (uint8_t)(words[i / 4] >> (24 - 8 * (i % 4)));
    }
}

/* A root without parent by the threshold that it was given, others by asking. */
static inline djp_oplog_decision
writer_decide(writer *it, const writer_start *start)
{
    const uint32_t *trace = start->ids.trace;
    uint32_t changes = djp__load_acquire(&it->control[DJP_OPLOG_HEAD]);
    int below = (start->ids.parent[0] | start->ids.parent[1]) != 0;
    if (!below && !(djp__load_relaxed(&it->control[DJP_OPLOG_ACTIVE]) & DJP_OPLOG_ASK)) {
        if (it->roots_at != changes) {
            djp_tracestate_unref(it->roots.state);
            djp_oplog_head(&it->roots, it->log);
            it->roots_at = changes;
        }
        uint64_t randomness = (uint64_t)(trace[2] & 0xffffffu) << 32 | trace[3];
        return randomness >= it->roots.threshold ? it->roots.sampled : it->roots.unsampled;
    }
    uint8_t trace_id[16];
    djp_span_context parent = {.flags = (uint8_t)start->parent_flags,
                               .is_remote = (start->flags & DJP_OP_START_REMOTE) != 0};
    djp_oplog_root root = {
        .trace_id = trace_id, .parent = below ? &parent : NULL, .kind = start->kind};
    djp_oplog_reply reply;
    writer_bytes(trace_id, trace, 4);
    writer_bytes(parent.trace_id, trace, 4);
    writer_bytes(parent.span_id, start->ids.parent, 2);
    djp_oplog_decide(&reply, it->log, &root);
    djp_tracestate_unref(reply.state);
    djp_free((char *)reply.keyed);
    return reply.decision;
}

static inline int
writer_begin(writer *it, const writer_start *start)
{
    char payload[2048] = {0};
    size_t size = 56;
    uint32_t flags = start->parent_flags;
    if (start->flags & DJP_OP_START_ROOT) {
        djp_oplog_decision decision = start->decision ? *start->decision : writer_decide(it, start);
        flags |= (uint32_t)decision.flag << DJP_OPLOG_DECISION_FLAG |
                 (uint32_t)decision.outcome << DJP_OPLOG_DECISION_OUTCOME |
                 (uint32_t)decision.reason << DJP_OPLOG_DECISION_REASON;
        memcpy(payload + size, &decision.threshold, 8);
        memcpy(payload + size + 8, &decision.recorded, 8);
        size += 16;
    }
    uint32_t words[4] = {start->name, start->scope, start->number, flags};
    uint64_t mono = start->mono ? start->mono : djp__clock_monotonic();
    memcpy(payload, &mono, 8);
    memcpy(payload + 8, start->ids.trace, 16);
    memcpy(payload + 24, start->ids.span, 8);
    memcpy(payload + 32, start->ids.parent, 8);
    memcpy(payload + 40, words, 16);
    if (start->flags & DJP_OP_START_STATE) {
        size += writer_sized(payload + size, start->state);
    }
    if (start->flags & DJP_OP_START_NAME) {
        size += writer_sized(payload + size, start->full_name);
    }
    if (start->flags & DJP_OP_START_TIME) {
        memcpy(payload + size, &start->unix_ns, 8);
        size += 8;
    }
    if (start->flags & DJP_OP_START_BAGGAGE) {
        size += writer_sized(payload + size, start->baggage);
    }
    return writer_put(it, DJP_OP_START, start->slot | start->kind << 16 | start->flags << 24,
                      payload, size);
}

static inline void
writer_end(writer *it, uint32_t slot, uint64_t mono)
{
    mono = mono ? mono : djp__clock_monotonic();
    writer_put(it, DJP_OP_END, slot, &mono, 8);
}

static inline void
writer_text(writer *it, uint32_t slot, uint32_t key, const char *text)
{
    writer_put(it, DJP_OP_TEXT, slot | key << 16, text, strlen(text));
}

/* Values, appended to a payload. */
typedef struct writer_value {
    char bytes[4096];
    size_t size;
} writer_value;

static inline void
writer_value_add(writer_value *value, const void *bytes, size_t size)
{
    memcpy(value->bytes + value->size, bytes, size);
    value->size += size;
}

static inline void
writer_value_type(writer_value *value, djp_value_type type)
{
    value->bytes[value->size++] = (char)type;
}

static inline void
writer_value_count(writer_value *value, uint32_t count)
{
    writer_value_add(value, &count, 4);
}

/* A size and the bytes: a key of a map. */
static inline void
writer_value_key(writer_value *value, const char *text)
{
    writer_value_count(value, (uint32_t)strlen(text));
    writer_value_add(value, text, strlen(text));
}

static inline void
writer_value_string(writer_value *value, const char *text)
{
    writer_value_type(value, DJP_STRING);
    writer_value_key(value, text);
}

static inline void
writer_value_int(writer_value *value, int64_t number)
{
    writer_value_type(value, DJP_INT);
    writer_value_add(value, &number, 8);
}

static inline void
writer_value_map(writer_value *value, uint32_t count)
{
    writer_value_type(value, DJP_MAP);
    writer_value_count(value, count);
}

typedef struct writer_request {
    uint32_t slot; /* or DJP_OP_NO_SLOT */
    uint64_t start, end;
    double bytes;
    uint32_t status, flags, method, route, scheme, version, error;
    const char *full_route;
} writer_request;

static inline void
writer_end_http(writer *it, const writer_request *request)
{
    char payload[1024] = {0};
    uint32_t words[4] = {request->status | request->flags << 16,
                         request->method | request->route << 16,
                         request->scheme | request->version << 16, request->error};
    memcpy(payload, &request->start, 8);
    memcpy(payload + 8, &request->end, 8);
    memcpy(payload + 16, &request->bytes, 8);
    memcpy(payload + 24, words, 16);
    size_t size = 40;
    if (request->flags & DJP_OP_HTTP_ROUTE) {
        size += writer_sized(payload + size, request->full_route);
    }
    writer_put(it, DJP_OP_HTTP_END, request->slot, payload, size);
}

#endif
