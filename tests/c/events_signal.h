/* A second signal, for tests: events are texts, sent as OTLP log records. All that it needs is
 * here: a source, an encoder and a row. */
#ifndef TESTS_C_EVENTS_SIGNAL_H
#define TESTS_C_EVENTS_SIGNAL_H

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/ring.h"
#include "sdk/sdk.h"

typedef struct event_record {
    uint32_t size; /* of the text; above EVENT_TEXT_MAX: damaged */
    char text[];
} event_record;
enum { EVENT_TEXT_MAX = 4000 };

typedef struct events {
    djp_ring *ring;
    djp__pipeline *pipeline;
    DJP__ATOMIC(uint64_t) wake_level; /* UINT64_MAX: no wake-up was asked for */
    DJP__ATOMIC(uint64_t) added;
    DJP__ATOMIC(uint64_t) refused;
    DJP__ATOMIC(int) is_closed;
    DJP__ATOMIC(int) is_muted;
} events;

/* ---- source ---- */

static inline uint64_t
events_written(const void *source)
{
    return djp__ring_written(((const events *)source)->ring);
}

static inline uint64_t
events_consumed(const void *source)
{
    return djp__ring_consumed(((const events *)source)->ring);
}

static inline uint64_t
events_capacity(const void *source)
{
    return djp__ring_capacity(((const events *)source)->ring);
}

static inline const void *
events_peek(const void *source, size_t *size)
{
    return djp__ring_peek(((const events *)source)->ring, size);
}

static inline uint64_t
events_consume(void *source)
{
    djp__ring_consume(((events *)source)->ring);
    return 1;
}

static inline void
events_set_wake_level(void *source, uint64_t bytes)
{
    djp__store_seq_cst(&((events *)source)->wake_level, bytes);
}

static inline uint64_t
events_refused(const void *source)
{
    return djp__load_relaxed(&((const events *)source)->refused);
}

static inline void
events_counts(djp__source_counts *out, const void *source)
{
    const events *self = source;
    memset(out, 0, sizeof *out);
    out->accepted = djp__load_acquire(&self->added);
    out->dropped = events_refused(source);
    out->started = out->accepted + out->dropped;
}

static inline void
events_losses(const void *source, djp__visit_loss visit, void *user)
{
    visit(user, "refused", events_refused(source));
}

static inline int
events_are_muted(const void *source)
{
    return djp__load_acquire(&((const events *)source)->is_muted);
}

static inline void
events_close(void *source)
{
    djp__store_release(&((events *)source)->is_closed, 1);
}

static inline void
events_fork_child(void *source)
{
    events *self = source;
    djp__ring_reset(self->ring);
    djp__store_relaxed(&self->added, (uint64_t)0);
    djp__store_relaxed(&self->refused, (uint64_t)0);
    djp__store_relaxed(&self->wake_level, (uint64_t)0);
}

static inline void
event_add(events *self, const char *text)
{
    size_t size = strlen(text);
    event_record *record = djp__load_acquire(&self->is_closed)
                               ? NULL
                               : djp__ring_reserve(self->ring, sizeof *record + size);
    if (record == NULL) {
        djp__add_relaxed(&self->refused, 1);
        return;
    }
    record->size = (uint32_t)size;
    memcpy(record->text, text, size);
    djp__add_acq_rel(&self->added, 1u);
    djp__ring_commit(self->ring, record);
    uint64_t level = djp__load_seq_cst(&self->wake_level);
    if (djp__ring_used(self->ring) >= level &&
        djp__swap_seq_cst(&self->wake_level, UINT64_MAX) != UINT64_MAX) {
        djp__pipeline_wake(self->pipeline);
    }
}

/* ---- encoder ---- */

typedef struct events_encoder {
    djp__buf records; /* LogRecords, each with the tag of ScopeLogs.log_records */
    uint64_t items;
} events_encoder;

static inline int
events_encoder_new(void **out, void *source, int form)
{
    (void)source;
    (void)form;
    *out = calloc(1, sizeof(events_encoder));
    return *out ? 0 : DJP_ENOMEM;
}

static inline void
events_encoder_free(void *encoder)
{
    if (encoder != NULL) {
        djp__buf_fini(&((events_encoder *)encoder)->records);
        free(encoder);
    }
}

static inline void
events_write_head(djp__buf *out, int tag, size_t size)
{
    djp__buf_char(out, (char)tag);
    for (; size > 0x7f; size >>= 7) {
        djp__buf_char(out, (char)(size | 0x80));
    }
    djp__buf_char(out, (char)size);
}

static inline size_t
events_head_size(size_t size)
{
    size_t bytes = 2;
    for (; size > 0x7f; size >>= 7) {
        bytes++;
    }
    return bytes;
}

static inline int
events_encode(void *encoder, const void *bytes, size_t size)
{
    events_encoder *self = encoder;
    const event_record *record = bytes;
    if (size < sizeof *record || record->size > EVENT_TEXT_MAX ||
        record->size > size - sizeof *record) {
        return DJP_EPROTO;
    }
    size_t value = events_head_size(record->size) + record->size,
           log = events_head_size(value) + value;
    events_write_head(&self->records, 2 << 3 | 2, log);
    events_write_head(&self->records, 5 << 3 | 2, value); /* body */
    events_write_head(&self->records, 1 << 3 | 2, record->size); /* string_value */
    djp__buf_append(&self->records, record->text, record->size);
    self->items++;
    return 0;
}

static inline uint64_t
events_encoded(const void *encoder)
{
    return ((const events_encoder *)encoder)->items;
}

static inline uint64_t
events_bytes(const void *encoder)
{
    return ((const events_encoder *)encoder)->records.size + 32;
}

static inline int
events_finish(void *encoder, djp__buf *out)
{
    events_encoder *self = encoder;
    size_t scope = events_head_size(self->records.size) + self->records.size;
    events_write_head(out, 1 << 3 | 2, scope); /* resource_logs */
    events_write_head(out, 2 << 3 | 2, self->records.size); /* scope_logs */
    djp__buf_append(out, self->records.data, self->records.size);
    djp__buf_clear(&self->records);
    self->items = 0;
    return 0;
}

static inline int
events_decode_partial(djp__partial *out, const void *data, size_t size, int is_json)
{
    return djp__response_partial_named(out, data, size, is_json, "rejectedLogRecords");
}

/* ---- the row ---- */

static const djp__drain events_drain = {
    .written = events_written,
    .consumed = events_consumed,
    .capacity = events_capacity,
    .peek = events_peek,
    .consume = events_consume,
    .set_wake_level = events_set_wake_level,
    .refused = events_refused,
    .counts = events_counts,
    .losses = events_losses,
    .is_muted = events_are_muted,
    .close = events_close,
    .fork_child = events_fork_child,
};

static const djp__encode events_encoding = {
    .create = events_encoder_new,
    .free = events_encoder_free,
    .add = events_encode,
    .items = events_encoded,
    .bytes = events_bytes,
    .finish = events_finish,
};

static const djp__signal events_signal = {
    .name = "logs",
    .item_name = "events",
    .item = "log",
    .processor = "batching",
    .route = {"/v1/logs", "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
              events_decode_partial},
    .drain = &events_drain,
    .encode = &events_encoding,
};

/* Adds the signal to an instance that has recorded nothing yet. The transport is taken; self
 * belongs to the caller, who frees the ring when the instance is gone. */
static inline int
events_start(events *self, djp_sdk *sdk, djp__transport *transport, uint64_t ring_bytes)
{
    memset(self, 0, sizeof *self);
    self->pipeline = djp__calloc(1, sizeof *self->pipeline);
    if (!self->pipeline || djp__ring_new(&self->ring, ring_bytes) != 0) {
        return DJP_ENOMEM;
    }
    djp__pipeline_options options = sdk->traces.options;
    options.queue_bytes = ring_bytes;
    options.batch_bytes = ring_bytes / 4;
    options.target = "the receiver of events";
    options.on_sent = NULL;
    djp__pipeline_init(self->pipeline, &events_signal, self, transport, &sdk->worker, &sdk->diag,
                       &options);
    return djp__sdk_add_pipeline(sdk, self->pipeline);
}

#endif
