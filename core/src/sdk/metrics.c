/* Metrics as a signal: a reader collects the values of this process at an interval, before a flush
 * and at the end, and its records wait here for the pipeline. While the records of one collection
 * wait, no further one is begun, except before a flush or the end. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "djp/key.h"
#include "djp/version.h"
#include "export/otlp_metrics.h"
#include "net/otlp_response.h"
#include "sdk/sdk.h"

/* A limit for messages and the status only: records are bounded by the series. */
enum { METRICS__CAPACITY = 64 << 20 };

static const djp__metric_export *
metrics_of(const void *source)
{
    return &((const djp_sdk *)source)->metric_export;
}

/* ---- the source ---- */

static uint64_t
metrics_written(const void *source)
{
    return djp__load_acquire(&metrics_of(source)->written);
}

static uint64_t
metrics_consumed(const void *source)
{
    return djp__load_relaxed(&metrics_of(source)->consumed);
}

static uint64_t
metrics_capacity(const void *source)
{
    (void)source;
    return METRICS__CAPACITY;
}

static const void *
metrics_peek(const void *source, size_t *size)
{
    const djp__metric_record *record = metrics_of(source)->head;
    *size = record != NULL ? record->size : 0;
    return record;
}

static uint64_t
metrics_consume(void *source)
{
    djp__metric_export *self = &((djp_sdk *)source)->metric_export;
    djp__metric_record *record = self->head;
    uint64_t points = record->point_count;
    self->head = record->next;
    djp__add_relaxed(&self->consumed, (uint64_t)record->size);
    djp__free(record);
    return points;
}

/* Collections wake the pipeline themselves. */
static void
metrics_set_wake_level(void *source, uint64_t bytes)
{
    (void)source;
    (void)bytes;
}

static uint64_t
metrics_refused(const void *source)
{
    return djp__load_relaxed(&metrics_of(source)->lost);
}

static void
metrics_counts(djp__source_counts *out, const void *source)
{
    memset(out, 0, sizeof *out);
    out->accepted = djp__load_acquire(&metrics_of(source)->points);
    out->dropped = metrics_refused(source);
    out->started = out->accepted + out->dropped;
}

static void
metrics_losses(const void *source, djp__visit_loss visit, void *user)
{
    visit(user, "collect_no_memory", metrics_refused(source));
}

static int
metrics_is_muted(const void *source)
{
    (void)source;
    return 0;
}

/* Shutdown has begun: the last numbers. Once for all destinations. */
static void
metrics_close(void *source)
{
    djp__metric_export *self = &((djp_sdk *)source)->metric_export;
    djp__sdk_collect_metrics(source);
    djp__store_release(&self->is_closed, 1);
}

/* The records are the parent's, and are freed by the next collection. */
static void
metrics_fork_child(void *source)
{
    djp__metric_export *self = &((djp_sdk *)source)->metric_export;
    djp__metric_reader_fork_child(&self->reader);
    djp__mutex_init(&self->collecting);
    djp__metric_record **link = &self->head;
    while (*link != NULL) {
        link = &(*link)->next;
    }
    *link = self->inherited;
    self->inherited = self->head;
    self->head = NULL;
    djp__store_relaxed(&self->written, (uint64_t)0);
    djp__store_relaxed(&self->consumed, (uint64_t)0);
    djp__store_relaxed(&self->points, (uint64_t)0);
    djp__store_relaxed(&self->lost, (uint64_t)0);
}

static const djp__drain metrics_drain = {
    .written = metrics_written,
    .consumed = metrics_consumed,
    .capacity = metrics_capacity,
    .peek = metrics_peek,
    .consume = metrics_consume,
    .set_wake_level = metrics_set_wake_level,
    .refused = metrics_refused,
    .counts = metrics_counts,
    .losses = metrics_losses,
    .is_muted = metrics_is_muted,
    .close = metrics_close,
    .fork_child = metrics_fork_child,
};

/* ---- the encoder: its items are points ---- */

typedef struct metrics_encoder {
    djp__encoder *encoder;
    uint64_t points;
} metrics_encoder;

static int
metrics_encoder_new(void **out, void *source, int form)
{
    metrics_encoder *self = djp__calloc(1, sizeof *self);
    *out = NULL;
    if (self == NULL) {
        return DJP_ENOMEM;
    }
    int result =
        djp__resource_encoder_new(&self->encoder, source, &djp__otlp_metrics, (djp__encoding)form);
    if (result != 0) {
        djp__free(self);
        return result;
    }
    *out = self;
    return 0;
}

static void
metrics_encoder_free(void *encoder)
{
    if (encoder != NULL) {
        djp__encoder_free(((metrics_encoder *)encoder)->encoder);
        djp__free(encoder);
    }
}

static int
metrics_add(void *encoder, const void *bytes, size_t size)
{
    metrics_encoder *self = encoder;
    const djp__metric_record *record = bytes;
    int result = size >= sizeof *record && record->size <= size
                     ? djp__encoder_add(self->encoder, record)
                     : DJP_EPROTO;
    self->points += result == 0 ? record->point_count : 0;
    return result;
}

static uint64_t
metrics_items(const void *encoder)
{
    return ((const metrics_encoder *)encoder)->points;
}

static uint64_t
metrics_bytes(const void *encoder)
{
    return djp__encoder_bytes(((const metrics_encoder *)encoder)->encoder);
}

static int
metrics_finish(void *encoder, djp__buf *out)
{
    metrics_encoder *self = encoder;
    self->points = 0;
    return djp__encoder_finish(self->encoder, out);
}

static const djp__encode metrics_encode = {
    .create = metrics_encoder_new,
    .free = metrics_encoder_free,
    .add = metrics_add,
    .items = metrics_items,
    .bytes = metrics_bytes,
    .finish = metrics_finish,
};

static int
metrics_decode_partial(djp__partial *out, const void *data, size_t size, int is_json)
{
    return djp__response_partial_named(out, data, size, is_json, "rejectedDataPoints");
}

const djp__signal djp__metrics_signal = {
    .name = "metrics",
    .item_name = "data points",
    .item = "metric_data_point",
    .route = {"/v1/metrics", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
              metrics_decode_partial},
    .drain = &metrics_drain,
    .encode = &metrics_encode,
};

/* ---- collections ---- */

/* Of one collection. */
typedef struct metrics_chain {
    djp__metric_record *first, **last;
    uint64_t bytes, points;
    djp_scope own; /* of the SDK's metrics */
} metrics_chain;

static int
metrics_is_own(const djp__metric_record *record)
{
    static const char *const prefixes[] = {"djp_telemetry_", "otel.sdk."};
    djp_text name = djp__metric_text_of(record, record->name);
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (djp__text_fits(name, djp__text(prefixes[i]), 1)) {
            return 1;
        }
    }
    return 0;
}

static void
metrics_take(void *user, djp__metric_record *record)
{
    metrics_chain *chain = user;
    record->next = NULL;
    record->scope = metrics_is_own(record) ? chain->own : 0;
    chain->bytes += record->size;
    chain->points += record->point_count;
    *chain->last = record;
    chain->last = &record->next;
}

static void
metrics_free_all(djp__metric_record *record)
{
    while (record != NULL) {
        djp__metric_record *next = record->next;
        djp__free(record);
        record = next;
    }
}

/* `collecting` is held. */
static void
metrics_collect(djp_sdk *sdk)
{
    djp__metric_export *self = &sdk->metric_export;
    metrics_chain chain = {.first = NULL};
    uint64_t begun = djp__clock_monotonic();
    chain.last = &chain.first;
    chain.own = djp_scope_intern(DJP_SDK_NAME, DJP_VERSION, NULL, NULL, 0);
    metrics_free_all(self->inherited);
    self->inherited = NULL;
    uint64_t lost = djp__metric_reader_collect(&self->reader, metrics_take, &chain);
    djp__mutex_lock(&self->pipeline->work);
    djp__metric_record **link = &self->head;
    while (*link != NULL) {
        link = &(*link)->next;
    }
    *link = chain.first;
    djp__add_acq_rel(&self->points, chain.points);
    djp__add_relaxed(&self->lost, lost);
    djp__add_acq_rel(&self->written, chain.bytes);
    djp__mutex_unlock(&self->pipeline->work);
    djp__sdk_otel_collected(sdk, (double)(djp__clock_monotonic() - begun) / 1e9);
}

void
djp__sdk_collect_metrics(djp_sdk *sdk)
{
    djp__metric_export *self = &sdk->metric_export;
    if (self->pipeline != NULL && !djp__load_acquire(&self->is_closed)) {
        djp__mutex_lock(&self->collecting);
        metrics_collect(sdk);
        djp__mutex_unlock(&self->collecting);
    }
}

void
djp__sdk_metrics_run(void *user, uint64_t now)
{
    djp_sdk *sdk = user;
    djp__metric_export *self = &sdk->metric_export;
    if (self->pipeline == NULL || now < self->due || djp__load_acquire(&self->is_closed)) {
        return;
    }
    self->due = djp__saturate(now, sdk->options.metrics_interval_ns);
    /* A flush that collects now has the same numbers. */
    if (metrics_written(sdk) == metrics_consumed(sdk) && djp__mutex_trylock(&self->collecting)) {
        metrics_collect(sdk);
        djp__mutex_unlock(&self->collecting);
    }
}

uint64_t
djp__sdk_metrics_due(void *user, uint64_t now)
{
    const djp__metric_export *self = metrics_of(user);
    (void)now;
    return self->pipeline == NULL || djp__load_acquire(&self->is_closed) ? UINT64_MAX : self->due;
}

void
djp__sdk_metrics_enter(void *user)
{
    djp_sdk *sdk = user;
    sdk->metric_export.due =
        djp__saturate(djp__clock_monotonic(), sdk->options.metrics_interval_ns);
}

void
djp__sdk_metrics_end(djp_sdk *sdk)
{
    djp__metric_export *self = &sdk->metric_export;
    metrics_free_all(self->head);
    metrics_free_all(self->inherited);
    djp__metric_reader_fini(&self->reader);
    djp__free(self->endpoint);
}
