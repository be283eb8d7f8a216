/* Traces as a signal: spans from the recorder's ring, encoded as OTLP requests. */
#include <string.h>

#include "model/record.h"
#include "net/otlp_response.h"
#include "sdk/sdk.h"

static djp_ring *
traces_ring(const void *source)
{
    return djp__recorder_ring(((const djp_sdk *)source)->recorder);
}

static uint64_t
traces_written(const void *source)
{
    return djp__ring_written(traces_ring(source));
}

static uint64_t
traces_consumed(const void *source)
{
    return djp__ring_consumed(traces_ring(source));
}

static uint64_t
traces_capacity(const void *source)
{
    return djp__ring_capacity(traces_ring(source));
}

static const void *
traces_peek(const void *source, size_t *size)
{
    return djp__ring_peek(traces_ring(source), size);
}

static uint64_t
traces_consume(void *source)
{
    djp__ring_consume(traces_ring(source));
    return 1;
}

static void
traces_set_wake_level(void *source, uint64_t bytes)
{
    djp__recorder_set_wake_level(((djp_sdk *)source)->recorder, bytes);
}

static uint64_t
traces_refused(const void *source)
{
    djp__recorder_totals counters;
    djp__recorder_counters(&counters, ((const djp_sdk *)source)->recorder);
    return counters.dropped[DJP__DROP_RING_FULL] + counters.dropped[DJP__DROP_SPAN_NO_MEMORY] +
           counters.dropped[DJP__DROP_OPLOG_FULL];
}

static void
traces_counts(djp__source_counts *out, const void *source)
{
    const djp_recorder *recorder = ((const djp_sdk *)source)->recorder;
    djp__recorder_totals counters;
    memset(out, 0, sizeof *out);
    if (recorder == NULL) {
        return;
    }
    djp__recorder_counters(&counters, recorder);
    out->started = counters.started;
    out->live = counters.live;
    out->not_sampled = counters.by_reason[DJP_REASON_NONE];
    out->accepted = counters.sampled;
    for (int i = 0; i < DJP__DROPS; i++) {
        out->dropped += djp__drops[i].when == DJP__DROPPED_UNSTARTED ? 0 : counters.dropped[i];
    }
    out->dropped +=
        counters.by_reason[DJP_REASON_RATE_LIMITED] + counters.by_reason[DJP_REASON_RATE_BURST];
    out->switched_off = counters.dropped[DJP__DROP_SWITCHED_OFF];
}

static void
traces_losses(const void *source, djp__visit_loss visit, void *user)
{
    const djp_recorder *recorder = ((const djp_sdk *)source)->recorder;
    djp__recorder_totals counters;
    memset(&counters, 0, sizeof counters);
    if (recorder != NULL) {
        djp__recorder_counters(&counters, recorder);
    }
    for (int i = 0; i < DJP__DROPS; i++) {
        if (i != DJP__DROP_SWITCHED_OFF) {
            visit(user, djp__drops[i].key, counters.dropped[i]);
        }
    }
    for (int i = 0; i < DJP__REASONS; i++) {
        if (djp__reasons[i].stratum == DJP__STRATUM_DROPPED && i != DJP_REASON_NONE) {
            visit(user, djp__reasons[i].key, counters.by_reason[i]);
        }
    }
}

static int
traces_is_muted(const void *source)
{
    return djp__recorder_is_muted(((const djp_sdk *)source)->recorder);
}

static int
traces_encoder(void **out, void *source, int form)
{
    djp__encoder *encoder;
    int result = djp__resource_encoder_new(&encoder, source, &djp__otlp_trace, (djp__encoding)form);
    *out = encoder;
    return result;
}

static void
traces_encoder_free(void *encoder)
{
    djp__encoder_free(encoder);
}

static int
traces_add(void *encoder, const void *bytes, size_t size)
{
    const djp__span_record *record = bytes;
    int is_span = size >= sizeof *record && record->type == DJP_RECORD_SPAN && record->size <= size;
    return is_span ? djp__encoder_add(encoder, record) : DJP_EPROTO;
}

static uint64_t
traces_items(const void *encoder)
{
    return djp__encoder_items(encoder);
}

static uint64_t
traces_bytes(const void *encoder)
{
    return djp__encoder_bytes(encoder);
}

static int
traces_finish(void *encoder, djp__buf *out)
{
    return djp__encoder_finish(encoder, out);
}

static const djp__drain traces_drain = {
    .written = traces_written,
    .consumed = traces_consumed,
    .capacity = traces_capacity,
    .peek = traces_peek,
    .consume = traces_consume,
    .set_wake_level = traces_set_wake_level,
    .refused = traces_refused,
    .counts = traces_counts,
    .losses = traces_losses,
    .is_muted = traces_is_muted,
    /* close and fork_child: the instance calls them, because a recorder may have no pipeline */
};

static const djp__encode traces_encode = {
    .create = traces_encoder,
    .free = traces_encoder_free,
    .add = traces_add,
    .items = traces_items,
    .bytes = traces_bytes,
    .finish = traces_finish,
};

const djp__signal djp__signal_traces = {
    .name = "traces",
    .item_name = "spans",
    .item = "span",
    .processor = "batching",
    .route = DJP__ROUTE_TRACES,
    .drain = &traces_drain,
    .encode = &traces_encode,
};
