/* The traversal of a metric, compiled once for each emitter (export/emit.h). Needs the emitter's
 * EMIT_ macros, and undefines them. A console line has the same members in the same order, with a
 * word for the kind of the points. */

/* The attributes of a point, without an empty one, which stands for none. */
static DJP__EMIT_STATE
DJP__EMIT(metric_labels)(DJP__EMIT_STATE at, unsigned number, const char *name, const char *label,
                         const djp__metric_record *record, const djp__metric_point *point)
{
    const djp__metric_label *labels = djp__metric_labels_of(record);
    const djp__metric_text *values = djp__metric_at(record, point->values_at);
    uint32_t count = record->label_count;
    if (point->is_overflow) {
        return DJP__EMIT(own_truth)(at, number, name, label, otlp_metrics_overflow_key());
    }
    for (uint32_t n = 0; n < count; n++) {
        uint32_t i = DJP__EMIT_IS_BACKWARD ? count - 1 - n : n;
        djp_text key = djp__metric_text_of(record, labels[i].key);
        djp_text value = djp__metric_text_of(record, values[i]);
        uint64_t whole;
        if (labels[i].is_integer && djp__parse_u64(value, &whole) && whole <= INT64_MAX) {
            at = DJP__EMIT(own_number)(at, number, name, label, key, (int64_t)whole);
        } else {
            at = DJP__EMIT(own_attribute)(at, number, name, label, key, value);
        }
    }
    return at;
}

static DJP__EMIT_STATE
DJP__EMIT(metric_exemplars)(DJP__EMIT_STATE at, unsigned number, const char *name,
                            const char *label, const djp__metric_record *record,
                            const djp__metric_point *point)
{
    const djp__exemplar *exemplars = djp__metric_at(record, point->exemplars_at);
    if (point->exemplar_count == 0) {
        return at;
    }
    at = DJP__EMIT(list_begin)(at, number, name, label);
    for (uint32_t n = 0; n < point->exemplar_count; n++) {
        uint32_t i = DJP__EMIT_IS_BACKWARD ? point->exemplar_count - 1 - n : n;
        const djp__exemplar *exemplar = &exemplars[i];
        const DJP__EMIT_STATE end = at;
        at = DJP__EMIT(open)(at, NULL, NULL);
        DJP__EXEMPLAR_FIELDS(DJP__EMIT_FIELD, DJP__EMIT_THEN)
        at = DJP__EMIT(close)(at, number, end);
    }
    return DJP__EMIT(list_end)(at, number, name, label);
}

/* Gauges have none. */
static inline DJP__EMIT_STATE
DJP__EMIT(metric_start)(DJP__EMIT_STATE at, unsigned number, const char *name, const char *label,
                        const djp__metric_point *point)
{
    uint64_t start = point->start_unix_ns;
    return start != 0 ? DJP__EMIT(time)(at, number, name, label, start) : at;
}

static inline DJP__EMIT_STATE
DJP__EMIT(metric_sum)(DJP__EMIT_STATE at, unsigned number, const char *name, const char *label,
                      const djp__metric_point *point)
{
    return point->has_sum ? DJP__EMIT(real)(at, number, name, label, point->number) : at;
}

/* Nothing without buckets. */
static DJP__EMIT_STATE
DJP__EMIT(metric_side)(DJP__EMIT_STATE at, unsigned number, const char *name, const char *label,
                       const djp__metric_record *record, const djp__metric_side *side)
{
    const DJP__EMIT_STATE end = at;
    if (side->size == 0) {
        return at;
    }
    at = DJP__EMIT(open)(at, name, label);
    DJP__SIDE_FIELDS(DJP__EMIT_FIELD, DJP__EMIT_THEN)
    return DJP__EMIT(close)(at, number, end);
}

static DJP__EMIT_STATE
DJP__EMIT(metric_exponential)(DJP__EMIT_STATE at, const djp__metric_record *record,
                              const djp__metric_point *point)
{
    const djp__metric_exponential *exponential = djp__metric_at(record, point->buckets_at);
    DJP__EXPONENTIAL_FIELDS(DJP__EMIT_FIELD, DJP__EMIT_THEN)
    return at;
}

/* The fields of one point, by the kind of its metric. */
static DJP__EMIT_STATE
DJP__EMIT(metric_point)(DJP__EMIT_STATE at, djp__walk *walk, const djp__metric_record *record,
                        const djp__metric_point *point)
{
    switch ((djp__point_kind)record->kind) {
    case DJP__POINT_GAUGE:
    case DJP__POINT_SUM:
        DJP__NUMBER_FIELDS(DJP__EMIT_FIELD, DJP__EMIT_THEN)
        break;
    case DJP__POINT_HISTOGRAM:
        DJP__HISTOGRAM_FIELDS(DJP__EMIT_FIELD, DJP__EMIT_THEN)
        break;
    case DJP__POINT_EXPONENTIAL:
        return DJP__EMIT(metric_exponential)(at, record, point);
    case DJP__POINT_KINDS:
        walk->error = DJP_EPROTO;
        break;
    }
    return at;
}

static DJP__EMIT_STATE
DJP__EMIT(metric_points)(DJP__EMIT_STATE at, unsigned number, const char *name, const char *label,
                         djp__walk *walk, const djp__metric_record *record)
{
    at = DJP__EMIT(list_begin)(at, number, name, label);
    for (uint32_t n = 0; n < record->point_count; n++) {
        uint32_t i = DJP__EMIT_IS_BACKWARD ? record->point_count - 1 - n : n;
        const DJP__EMIT_STATE end = at;
        at = DJP__EMIT(open)(at, NULL, NULL);
        at = DJP__EMIT(metric_point)(at, walk, record, djp__metric_point_of(record, i));
        at = DJP__EMIT(close)(at, number, end);
    }
    return DJP__EMIT(list_end)(at, number, name, label);
}

/* The message of the kind around the points; on a line, a member with the word of the kind. */
static DJP__EMIT_STATE
DJP__EMIT(metric_data)(DJP__EMIT_STATE at, unsigned number, const char *name, const char *label,
                       djp__walk *walk, const djp__metric_record *record)
{
    (void)number;
    (void)name;
    (void)label;
    const DJP__EMIT_STATE end = at;
    const otlp_metrics_kind *kind = &otlp_metrics_kinds[record->kind];
#if DJP__EMIT_IS_LINE
    (void)end;
    at = DJP__EMIT(made_text)(at, 0, NULL, "kind", djp__text(kind->name));
    if (record->temporality != DJP__TEMPORALITY_NONE) {
        DJP__DATA_TEMPORALITY(DJP__EMIT_FIELD)
    }
    DJP__DATA_LINE(DJP__EMIT_FIELD, DJP__EMIT_THEN)
    return at;
#else
    at = DJP__EMIT(open)(at, kind->name, NULL);
    DJP__DATA_FIELDS(DJP__EMIT_FIELD, DJP__EMIT_THEN)
    return DJP__EMIT(close)(at, kind->number, end);
#endif
}

static DJP__EMIT_STATE
DJP__EMIT(metric)(DJP__EMIT_STATE at, djp__walk *walk, const djp__encode_item *item)
{
    const djp__metric_record *record = item->record;
    DJP__METRIC_FIELDS(DJP__EMIT_FIELD, DJP__EMIT_THEN)
    return at;
}

#include "export/emit_undo.h"
