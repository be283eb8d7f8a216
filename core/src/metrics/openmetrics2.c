/* Writes metrics as OpenMetrics 2.0, by the release candidate of March 2026: a histogram is one
 * sample with a composite value, the start time stands behind the value, and every exemplar has its
 * time. */
#include <math.h>

#include "base/mem.h"
#include "metrics/exposition.h"
#include "metrics/number.h"

typedef struct openmetrics2_writer {
    djp__buf *out;
    djp__buf name; /* of the family and of its samples */
} openmetrics2_writer;

static void
openmetrics2_double(djp__buf *out, double value)
{
    char number[DJP__NUMBER_SIZE];
    djp__buf_append(out, number, djp__number_double(number, value));
}

/* Seconds with milliseconds. */
static void
openmetrics2_time(djp__buf *out, uint64_t unix_ns)
{
    djp__buf_printf(out, "%llu.%03llu", (unsigned long long)(unix_ns / 1000000000u),
                    (unsigned long long)(unix_ns / 1000000u % 1000u));
}

static void
openmetrics2_begin(openmetrics2_writer *w, const djp__snapshot *snapshot,
                   const djp__snapshot_point *point)
{
    djp_text labels = djp__snapshot_escaped(&snapshot->family, point);
    djp__buf_append(w->out, w->name.data, w->name.size);
    if (labels.size > 0 || point->pid != 0) {
        djp__buf_char(w->out, '{');
        djp__buf_append(w->out, labels.data, labels.size);
        if (point->pid != 0) {
            djp__buf_text(w->out, labels.size > 0 ? ",pid=\"" : "pid=\"");
            djp__buf_u64(w->out, point->pid);
            djp__buf_char(w->out, '"');
        }
        djp__buf_char(w->out, '}');
    }
    djp__buf_char(w->out, ' ');
}

static void
openmetrics2_end(openmetrics2_writer *w, const djp__snapshot *snapshot,
                 const djp__snapshot_point *point, uint32_t exemplars)
{
    djp__buf_text(w->out, " st@");
    openmetrics2_time(w->out, point->created_unix_ns);
    for (uint32_t i = 0; i < exemplars; i++) {
        djp__exemplar exemplar;
        if (djp__exemplar_load(&exemplar, snapshot->registry, point->entry, i)) {
            djp__buf_text(w->out, " # {trace_id=\"");
            djp__buf_hex(w->out, exemplar.trace_id, sizeof exemplar.trace_id);
            djp__buf_text(w->out, "\",span_id=\"");
            djp__buf_hex(w->out, exemplar.span_id, sizeof exemplar.span_id);
            djp__buf_text(w->out, "\"} ");
            openmetrics2_double(w->out, exemplar.value);
            djp__buf_char(w->out, ' ');
            openmetrics2_time(w->out, exemplar.unix_ns);
        }
    }
    djp__buf_char(w->out, '\n');
}

static void
openmetrics2_counter(openmetrics2_writer *w, const djp__snapshot *snapshot,
                     const djp__snapshot_point *point)
{
    if (point->number == 0) {
        djp__buf_u64(w->out, point->whole);
    } else {
        openmetrics2_double(w->out, (double)point->whole + point->number);
    }
    openmetrics2_end(w, snapshot, point, 1);
}

/* `positive_spans:[1:2,3:1],positive_buckets:[5,3,1]`; a span is a run of buckets in use, its
 * offset the distance to the end of the one before. */
static void
openmetrics2_side(djp__buf *out, const char *sign, const djp__exponential_side *side)
{
    int32_t end = 0;
    const char *comma = "";
    if (side->size == 0) {
        return;
    }
    djp__buf_printf(out, ",%s_spans:[", sign);
    for (uint32_t i = 0; i < side->size;) {
        uint32_t size = 0;
        while (i + size < side->size && side->counts[i + size] != 0) {
            size++;
        }
        if (size > 0) {
            int32_t first = side->offset + (int32_t)i + 1;
            djp__buf_printf(out, "%s%d:%u", comma, first - end, size);
            end = first + (int32_t)size;
            comma = ",";
        }
        i += size > 0 ? size : 1;
    }
    djp__buf_printf(out, "],%s_buckets:[", sign);
    comma = "";
    for (uint32_t i = 0; i < side->size; i++) {
        if (side->counts[i] != 0) {
            djp__buf_text(out, comma);
            djp__buf_u64(out, side->counts[i]);
            comma = ",";
        }
    }
    djp__buf_char(out, ']');
}

static void
openmetrics2_native(djp__buf *out, const djp__exponential *native)
{
    djp__buf_printf(out, ",schema:%d,zero_threshold:", native->scale);
    openmetrics2_double(out, DJP__EXPONENTIAL_ZERO_THRESHOLD);
    djp__buf_text(out, ",zero_count:");
    djp__buf_u64(out, native->zero_count);
    openmetrics2_side(out, "negative", &native->negative);
    openmetrics2_side(out, "positive", &native->positive);
}

static void
openmetrics2_buckets(djp__buf *out, const djp__snapshot_family *family,
                     const djp__snapshot_point *point, uint64_t count)
{
    uint64_t sum = 0;
    djp__buf_text(out, ",bucket:[");
    for (uint32_t i = 0; i < family->bucket_count; i++) {
        char number[DJP__NUMBER_SIZE];
        sum += point->buckets[i];
        djp__buf_append(out, number, djp__number_le(number, family->bounds[i]));
        djp__buf_char(out, ':');
        djp__buf_u64(out, sum < count ? sum : count);
        djp__buf_char(out, ',');
    }
    djp__buf_text(out, "+Inf:");
    djp__buf_u64(out, count);
    djp__buf_char(out, ']');
}

static void
openmetrics2_histogram(openmetrics2_writer *w, const djp__snapshot *snapshot,
                       const djp__snapshot_point *point)
{
    djp__exponential native;
    uint64_t count;
    int is_native = djp__exposition_native(&native, &count, point);
    djp__buf_text(w->out, "{count:");
    djp__buf_u64(w->out, count);
    djp__buf_text(w->out, ",sum:");
    openmetrics2_double(w->out, point->number);
    if (is_native) {
        openmetrics2_native(w->out, &native);
    }
    openmetrics2_buckets(w->out, &snapshot->family, point, count);
    djp__buf_char(w->out, '}');
    openmetrics2_end(w, snapshot, point, (uint32_t)snapshot->family.bucket_count + 1);
}

static void
openmetrics2_point(void *user, const djp__snapshot *snapshot, const djp__snapshot_point *point)
{
    openmetrics2_writer *w = user;
    openmetrics2_begin(w, snapshot, point);
    switch (snapshot->family.type) {
    case DJP_COUNTER:
        openmetrics2_counter(w, snapshot, point);
        break;
    case DJP_GAUGE:
        openmetrics2_double(w->out, point->number);
        djp__buf_char(w->out, '\n');
        break;
    case DJP_HISTOGRAM:
        openmetrics2_histogram(w, snapshot, point);
        break;
    }
}

static void
openmetrics2_family(djp__buf *out, djp__snapshot *snapshot, djp_exposition format)
{
    const djp__snapshot_family *family = &snapshot->family;
    openmetrics2_writer w = {.out = out};
    djp_family_options options = {
        .type = family->type, .help = family->help.data, .unit = family->unit.data};
    (void)format;
    djp__buf_init(&w.name, 0);
    djp__buf_append(&w.name, family->name.data, family->name.size);
    djp__buf_text(&w.name, family->type == DJP_COUNTER ? "_total" : "");
    djp__family_head(out, &options, (djp_text){w.name.data, w.name.size}, DJP_OPENMETRICS_2_0_0);
    djp__snapshot_points(snapshot, openmetrics2_point, &w);
    out->failed |= w.name.failed;
    djp__buf_fini(&w.name);
}

static void
openmetrics2_target(djp__buf *out, djp_text labels)
{
    djp__buf_text(out, "# TYPE target_info info\n# HELP target_info Target metadata\n");
    djp__buf_text(out, "target_info{");
    djp__buf_append(out, labels.data, labels.size);
    djp__buf_text(out, "} 1\n");
}

const djp__exposition_form djp__exposition_openmetrics2 = {openmetrics2_family, openmetrics2_target,
                                                           "# EOF\n"};
