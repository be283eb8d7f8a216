/* Writes metrics as delimited io.prometheus.client.MetricFamily messages, with native histograms
 * where a histogram keeps exponential buckets. Each message is built in a buffer and copied into
 * the one around it, behind its length. */
#include <math.h>
#include <string.h>

#include "metrics/exposition.h"
#include "metrics/text.h"

enum { METRIC_FAMILY_VARINT = 0, METRIC_FAMILY_FIXED64 = 1, METRIC_FAMILY_BYTES = 2 };
/* The types of MetricFamily. */
enum { METRIC_FAMILY_COUNTER = 0, METRIC_FAMILY_GAUGE = 1, METRIC_FAMILY_HISTOGRAM = 4 };

typedef struct metric_family_writer {
    djp__buf *out;
    djp__buf family, metric, value, part, inner; /* from the outermost message to the innermost */
    size_t metrics;
    djp_text names[DJP_LABELS_MAX];
} metric_family_writer;

/* ---- fields ---- */

static void
metric_family_varint(djp__buf *out, uint64_t value)
{
    char bytes[10];
    size_t size = 0;
    for (; value >= 0x80; value >>= 7) {
        bytes[size++] = (char)(value | 0x80);
    }
    bytes[size++] = (char)value;
    djp__buf_append(out, bytes, size);
}

static void
metric_family_tag(djp__buf *out, unsigned field, unsigned type)
{
    metric_family_varint(out, field << 3 | type);
}

static void
metric_family_u64(djp__buf *out, unsigned field, uint64_t value)
{
    metric_family_tag(out, field, METRIC_FAMILY_VARINT);
    metric_family_varint(out, value);
}

static void
metric_family_s64(djp__buf *out, unsigned field, int64_t value)
{
    metric_family_u64(out, field, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

static void
metric_family_double(djp__buf *out, unsigned field, double value)
{
    metric_family_tag(out, field, METRIC_FAMILY_FIXED64);
    djp__buf_append(out, &value, sizeof value); /* the wire's byte order is that of the machine */
}

static void
metric_family_bytes(djp__buf *out, unsigned field, const void *data, size_t size)
{
    metric_family_tag(out, field, METRIC_FAMILY_BYTES);
    metric_family_varint(out, size);
    djp__buf_append(out, data, size);
}

/* Closes a message: it becomes a field of the outer one. */
static void
metric_family_message(djp__buf *out, unsigned field, djp__buf *message)
{
    metric_family_bytes(out, field, message->data, message->size);
    out->failed |= message->failed;
    djp__buf_clear(message);
}

/* ---- parts of a metric ---- */

static void
metric_family_label(djp__buf *out, djp__buf *pair, djp_text name, djp_text value)
{
    metric_family_bytes(pair, 1, name.data, name.size);
    metric_family_bytes(pair, 2, value.data, value.size);
    metric_family_message(out, 1, pair);
}

static void
metric_family_time(djp__buf *out, djp__buf *time, unsigned field, uint64_t unix_ns)
{
    metric_family_u64(time, 1, unix_ns / 1000000000u);
    metric_family_u64(time, 2, unix_ns % 1000000000u);
    metric_family_message(out, field, time);
}

/* Builds in part and inner. */
static void
metric_family_exemplar(metric_family_writer *w, djp__buf *out, unsigned field,
                       const djp__exemplar *exemplar)
{
    djp__buf hex;
    djp__buf_init(&hex, 0);
    djp__buf_hex(&hex, exemplar->trace_id, sizeof exemplar->trace_id);
    djp__buf_hex(&hex, exemplar->span_id, sizeof exemplar->span_id);
    if (hex.size == 48) {
        metric_family_label(&w->part, &w->inner, (djp_text){"trace_id", 8},
                            (djp_text){hex.data, 32});
        metric_family_label(&w->part, &w->inner, (djp_text){"span_id", 7},
                            (djp_text){hex.data + 32, 16});
        metric_family_double(&w->part, 2, exemplar->value);
        metric_family_time(&w->part, &w->inner, 3, exemplar->unix_ns);
        metric_family_message(out, field, &w->part);
    }
    djp__buf_fini(&hex);
}

static void
metric_family_labels(metric_family_writer *w, const djp__snapshot *snapshot,
                     const djp__snapshot_point *point)
{
    djp_text values[DJP_LABELS_MAX];
    djp__snapshot_values(values, snapshot, point);
    for (size_t i = 0; i < snapshot->family.label_count; i++) {
        metric_family_label(&w->metric, &w->part, w->names[i], values[i]);
    }
    if (point->pid != 0) {
        djp__buf pid;
        djp__buf_init(&pid, 0);
        djp__buf_u64(&pid, point->pid);
        metric_family_label(&w->metric, &w->part, (djp_text){"pid", 3},
                            (djp_text){pid.data, pid.size});
        djp__buf_fini(&pid);
    }
}

static void
metric_family_counter(metric_family_writer *w, const djp__snapshot *snapshot,
                      const djp__snapshot_point *point)
{
    djp__exemplar exemplar;
    metric_family_double(&w->value, 1, (double)point->whole + point->number);
    if (djp__exemplar_load(&exemplar, snapshot->registry, point->entry, 0)) {
        metric_family_exemplar(w, &w->value, 2, &exemplar);
    }
    metric_family_time(&w->value, &w->part, 3, point->created_unix_ns);
    metric_family_message(&w->metric, 3, &w->value);
}

/* ---- histograms ---- */

/* Spans of buckets without long gaps, and the difference of each count to the one before. In
 * Prometheus bucket i ends at base^i, hence the 1. */
static void
metric_family_side(metric_family_writer *w, const djp__exponential_side *side, unsigned span_field,
                   unsigned delta_field)
{
    enum { GAP = 2 }; /* a span costs more than that many empty buckets */
    int32_t end = 0; /* index after the last span */
    int64_t before = 0;
    for (uint32_t i = 0; i < side->size;) {
        if (side->counts[i] == 0) {
            i++;
            continue;
        }
        uint32_t last = i;
        for (uint32_t k = i; k < side->size && k <= last + GAP + 1; k++) {
            last = side->counts[k] != 0 ? k : last;
        }
        int32_t first = side->offset + (int32_t)i + 1;
        metric_family_s64(&w->part, 1, first - end);
        metric_family_u64(&w->part, 2, last - i + 1);
        metric_family_message(&w->value, span_field, &w->part);
        end = first + (int32_t)(last - i) + 1;
        for (; i <= last; i++) {
            metric_family_s64(&w->value, delta_field, (int64_t)side->counts[i] - before);
            before = (int64_t)side->counts[i];
        }
    }
}

static void
metric_family_native(metric_family_writer *w, const djp__exponential *native)
{
    metric_family_s64(&w->value, 5, native->scale);
    metric_family_double(&w->value, 6, DJP__EXPONENTIAL_ZERO_THRESHOLD);
    metric_family_u64(&w->value, 7, native->zero_count);
    metric_family_side(w, &native->negative, 9, 10);
    metric_family_side(w, &native->positive, 12, 13);
    if (djp__exponential_count(native) == native->zero_count) {
        /* A span without buckets says that the histogram is a native one. */
        metric_family_s64(&w->part, 1, 0);
        metric_family_u64(&w->part, 2, 0);
        metric_family_message(&w->value, 12, &w->part);
    }
}

static void
metric_family_buckets(metric_family_writer *w, const djp__snapshot *snapshot,
                      const djp__snapshot_point *point, uint64_t count)
{
    const djp__snapshot_family *family = &snapshot->family;
    djp__buf bucket;
    uint64_t sum = 0;
    djp__buf_init(&bucket, 0);
    for (uint32_t i = 0; i <= family->bucket_count; i++) {
        djp__exemplar exemplar;
        int is_last = i == family->bucket_count;
        sum += point->buckets[i];
        metric_family_u64(&bucket, 1, is_last || sum > count ? count : sum);
        metric_family_double(&bucket, 2, is_last ? INFINITY : family->bounds[i]);
        if (djp__exemplar_load(&exemplar, snapshot->registry, point->entry, i)) {
            metric_family_exemplar(w, &bucket, 3, &exemplar);
        }
        metric_family_message(&w->value, 3, &bucket);
    }
    djp__buf_fini(&bucket);
}

/* Exemplars of a native histogram stand beside its buckets. */
static void
metric_family_native_exemplars(metric_family_writer *w, const djp__snapshot *snapshot,
                               const djp__snapshot_point *point)
{
    for (uint32_t i = 0; i <= snapshot->family.bucket_count; i++) {
        djp__exemplar exemplar;
        if (djp__exemplar_load(&exemplar, snapshot->registry, point->entry, i)) {
            metric_family_exemplar(w, &w->value, 16, &exemplar);
        }
    }
}

static void
metric_family_histogram(metric_family_writer *w, const djp__snapshot *snapshot,
                        const djp__snapshot_point *point)
{
    djp__exponential native;
    uint64_t count;
    int is_native = djp__exposition_native(&native, &count, point);
    metric_family_u64(&w->value, 1, count);
    metric_family_double(&w->value, 2, point->number);
    metric_family_buckets(w, snapshot, point, count);
    if (is_native) {
        metric_family_native(w, &native);
    }
    metric_family_time(&w->value, &w->part, 15, point->created_unix_ns);
    if (is_native) {
        metric_family_native_exemplars(w, snapshot, point);
    }
    metric_family_message(&w->metric, 7, &w->value);
}

/* ---- families ---- */

static void
metric_family_point(void *user, const djp__snapshot *snapshot, const djp__snapshot_point *point)
{
    metric_family_writer *w = user;
    metric_family_labels(w, snapshot, point);
    switch (snapshot->family.type) {
    case DJP_COUNTER:
        metric_family_counter(w, snapshot, point);
        break;
    case DJP_GAUGE:
        metric_family_double(&w->value, 1, point->number);
        metric_family_message(&w->metric, 2, &w->value);
        break;
    case DJP_HISTOGRAM:
        metric_family_histogram(w, snapshot, point);
        break;
    }
    metric_family_message(&w->family, 4, &w->metric);
    w->metrics++;
}

static void
metric_family_begin(metric_family_writer *w, djp__buf *out)
{
    memset(w, 0, sizeof *w);
    w->out = out;
    djp__buf *bufs[] = {&w->family, &w->metric, &w->value, &w->part, &w->inner};
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) {
        djp__buf_init(bufs[i], 0);
    }
}

static void
metric_family_head(metric_family_writer *w, djp_text name, djp_text help, unsigned type)
{
    metric_family_bytes(&w->family, 1, name.data, name.size);
    metric_family_bytes(&w->family, 2, help.data, help.size);
    metric_family_u64(&w->family, 3, type);
}

/* A family without series is left out. */
static void
metric_family_end(metric_family_writer *w)
{
    djp__buf *bufs[] = {&w->family, &w->metric, &w->value, &w->part, &w->inner};
    int failed = 0;
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) {
        failed |= bufs[i]->failed;
    }
    if (w->metrics > 0) {
        metric_family_varint(w->out, w->family.size);
        djp__buf_append(w->out, w->family.data, w->family.size);
    }
    w->out->failed |= failed;
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) {
        djp__buf_fini(bufs[i]);
    }
}

static void
metric_family_family(djp__buf *out, djp__snapshot *snapshot, djp_exposition format)
{
    static const unsigned types[] = {[DJP_COUNTER] = METRIC_FAMILY_COUNTER,
                                     [DJP_GAUGE] = METRIC_FAMILY_GAUGE,
                                     [DJP_HISTOGRAM] = METRIC_FAMILY_HISTOGRAM};
    const djp__snapshot_family *family = &snapshot->family;
    metric_family_writer w;
    djp__buf name;
    (void)format;
    metric_family_begin(&w, out);
    djp__buf_init(&name, 0);
    djp__buf_append(&name, family->name.data, family->name.size);
    djp__buf_text(&name, family->type == DJP_COUNTER ? "_total" : "");
    metric_family_head(&w, (djp_text){name.data, name.size}, family->help, types[family->type]);
    djp__snapshot_labels(w.names, snapshot);
    djp__snapshot_points(snapshot, metric_family_point, &w);
    if (family->unit.size > 0) {
        metric_family_bytes(&w.family, 5, family->unit.data, family->unit.size);
    }
    w.family.failed |= name.failed;
    djp__buf_fini(&name);
    metric_family_end(&w);
}

static void
metric_family_target(djp__buf *out, djp_text labels)
{
    metric_family_writer w;
    djp_text name;
    djp__buf value;
    metric_family_begin(&w, out);
    djp__buf_init(&value, 0);
    metric_family_head(&w, (djp_text){"target_info", 11}, (djp_text){"Target metadata", 15},
                       METRIC_FAMILY_GAUGE);
    while (djp__text_next_label(&name, &value, &labels)) {
        metric_family_label(&w.metric, &w.part, name, (djp_text){value.data, value.size});
    }
    metric_family_double(&w.value, 1, 1);
    metric_family_message(&w.metric, 2, &w.value);
    metric_family_message(&w.family, 4, &w.metric);
    w.metrics = 1;
    w.family.failed |= value.failed;
    djp__buf_fini(&value);
    metric_family_end(&w);
}

const djp__exposition_form djp__exposition_protobuf = {metric_family_family, metric_family_target,
                                                       ""};
