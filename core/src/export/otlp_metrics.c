/* Metrics as a signal of the encoder: encodes a record with its points in every form.
 * otlp_metrics_fields.h has the fields. The protobuf form has the bytes that the official classes
 * make of the message. */
#include "export/otlp_metrics.h"

#include "base/str.h"
#include "djp/error.h"
#include "export/encoder_parts.h"
#include "export/otlp_metrics_fields.h"
#include "metrics/metric_record.h"

/* A member of Metric.data. */
typedef struct otlp_metrics_kind {
    const char *name;
    unsigned number;
} otlp_metrics_kind;

static const otlp_metrics_kind otlp_metrics_kinds[DJP__POINT_KINDS] = {
    [DJP__POINT_GAUGE] = {"gauge", 5},
    [DJP__POINT_SUM] = {"sum", 7},
    [DJP__POINT_HISTOGRAM] = {"histogram", 9},
    [DJP__POINT_EXPONENTIAL] = {"exponentialHistogram", 10},
};

static const char *const otlp_metrics_temporalities[3] = {"none", "delta", "cumulative"};

static inline djp_text
otlp_metrics_overflow_key(void)
{
    return djp__text("otel.metric.overflow");
}

#include "export/emit_as_protobuf.h"
#include "export/otlp_metrics_template.h"

#include "export/emit_as_json.h"
#include "export/otlp_metrics_template.h"

#include "export/emit_as_console.h"
#include "export/otlp_metrics_template.h"

static djp_scope
otlp_metrics_scope(const void *record)
{
    return ((const djp__metric_record *)record)->scope;
}

static int
otlp_metrics_read(djp__encode_item *item, djp__encoder *encoder)
{
    const djp__metric_record *record = item->record;
    encoder->walk.error = 0;
    return record->kind < DJP__POINT_KINDS ? 0 : DJP_EPROTO;
}

/* Keys and bounds are once in the record and in each point of the message; tags and lengths of a
 * point, of a label and of an exemplar are bounded. */
static size_t
otlp_metrics_bound(const djp__walk *walk, const djp__encode_item *item)
{
    enum { POINT_BYTES = 192, LABEL_BYTES = 40, METRIC_BYTES = 128 };
    const djp__metric_record *record = item->record;
    const djp__metric_label *labels = djp__metric_labels_of(record);
    size_t each = POINT_BYTES + record->bound_count * sizeof(double);
    (void)walk;
    for (uint32_t i = 0; i < record->label_count; i++) {
        each += labels[i].key.size + LABEL_BYTES;
    }
    return 2 * (size_t)record->size + record->point_count * each + METRIC_BYTES;
}

const djp__encode_signal djp__otlp_metrics = {
    .resource_list = "resourceMetrics",
    .scope_list = "scopeMetrics",
    .item_list = "metrics",
    .scope = otlp_metrics_scope,
    .read = otlp_metrics_read,
    .bound = otlp_metrics_bound,
    .protobuf = djp__protobuf_metric,
    .json = djp__otlp_json_metric,
    .console = djp__console_metric,
    .pretty = NULL,
};
