/* The fields of OTLP metrics, each once: number, name in OTLP JSON, name on a console line, value.
 * export/emit.h describes the verbs. */
#ifndef DJP_EXPORT_OTLP_METRICS_FIELDS_H
#define DJP_EXPORT_OTLP_METRICS_FIELDS_H

/* Nested pairs that read as lists. */
/* clang-format off */

/* ---- Metric ---- */
#define DJP__METRIC_NAME(F) \
    F(made_title, 1, "name", "name", djp__metric_text_of(record, record->name))
#define DJP__METRIC_DESCRIPTION(F) \
    F(made_text, 2, "description", "description", djp__metric_text_of(record, record->description))
#define DJP__METRIC_UNIT(F) \
    F(made_text, 3, "unit", "unit", djp__metric_text_of(record, record->unit))
#define DJP__METRIC_DATA(F) F(metric_data, 0, NULL, NULL, walk, record)
#define DJP__METRIC_FIELDS(F, THEN) \
    THEN(DJP__METRIC_NAME(F), THEN(DJP__METRIC_DESCRIPTION(F), THEN(DJP__METRIC_UNIT(F), \
        DJP__METRIC_DATA(F))))

/* ---- Gauge, Sum, Histogram ---- */
#define DJP__DATA_POINTS(F) F(metric_points, 1, "dataPoints", "points", walk, record)
#define DJP__DATA_TEMPORALITY(F) \
    F(word, 2, "aggregationTemporality", "temporality", record->temporality, \
        otlp_metrics_temporalities, 3)
#define DJP__DATA_MONOTONIC(F) F(truth, 3, "isMonotonic", "monotonic", record->is_monotonic)
#define DJP__DATA_FIELDS(F, THEN) \
    THEN(DJP__DATA_POINTS(F), THEN(DJP__DATA_TEMPORALITY(F), DJP__DATA_MONOTONIC(F)))
#define DJP__DATA_LINE(F, THEN) DJP__DATA_MONOTONIC(F) DJP__DATA_POINTS(F)

/* ---- points: what all kinds have ---- */
#define DJP__POINT_START(F) F(metric_start, 2, "startTimeUnixNano", "start", point)
#define DJP__POINT_TIME(F) F(time, 3, "timeUnixNano", "time", point->unix_ns)
#define DJP__POINT_EXEMPLARS(F, number) \
    F(metric_exemplars, number, "exemplars", "exemplars", record, point)
#define DJP__POINT_ATTRIBUTES(F, THEN, number) \
    THEN(F(attributes_begin, number, "attributes", "attributes"), \
    THEN(F(metric_labels, number, "attributes", "attributes", record, point), \
    F(attributes_end, number, "attributes", "attributes")))

/* ---- NumberDataPoint ---- */
#define DJP__NUMBER_VALUE(F) F(real, 4, "asDouble", "value", point->number)
#define DJP__NUMBER_FIELDS(F, THEN) \
    THEN(DJP__POINT_START(F), THEN(DJP__POINT_TIME(F), THEN(DJP__NUMBER_VALUE(F), \
    THEN(DJP__POINT_EXEMPLARS(F, 5), DJP__POINT_ATTRIBUTES(F, THEN, 7)))))

/* ---- HistogramDataPoint ---- */
#define DJP__HISTOGRAM_COUNT(F) F(total, 4, "count", "count", point->count)
#define DJP__HISTOGRAM_SUM(F) F(metric_sum, 5, "sum", "sum", point)
#define DJP__HISTOGRAM_BUCKETS(F) \
    F(totals, 6, "bucketCounts", "buckets", djp__metric_at(record, point->buckets_at), \
        record->bound_count + 1u)
#define DJP__HISTOGRAM_BOUNDS(F) \
    F(reals, 7, "explicitBounds", "bounds", djp__metric_at(record, record->bounds_at), \
        record->bound_count)
#define DJP__HISTOGRAM_FIELDS(F, THEN) \
    THEN(DJP__POINT_START(F), THEN(DJP__POINT_TIME(F), THEN(DJP__HISTOGRAM_COUNT(F), \
    THEN(DJP__HISTOGRAM_SUM(F), THEN(DJP__HISTOGRAM_BUCKETS(F), THEN(DJP__HISTOGRAM_BOUNDS(F), \
    THEN(DJP__POINT_EXEMPLARS(F, 8), DJP__POINT_ATTRIBUTES(F, THEN, 9))))))))

/* ---- ExponentialHistogramDataPoint ---- */
#define DJP__EXPONENTIAL_SCALE(F) F(signed_number, 6, "scale", "scale", exponential->scale)
#define DJP__EXPONENTIAL_ZERO(F) F(total, 7, "zeroCount", "zero_count", exponential->zero_count)
#define DJP__EXPONENTIAL_POSITIVE(F) \
    F(metric_side, 8, "positive", "positive", record, &exponential->positive)
#define DJP__EXPONENTIAL_NEGATIVE(F) \
    F(metric_side, 9, "negative", "negative", record, &exponential->negative)
#define DJP__EXPONENTIAL_THRESHOLD(F) \
    F(real, 14, "zeroThreshold", "zero_threshold", DJP__EXPONENTIAL_ZERO_THRESHOLD)
#define DJP__EXPONENTIAL_FIELDS(F, THEN) \
    THEN(DJP__POINT_ATTRIBUTES(F, THEN, 1), THEN(DJP__POINT_START(F), THEN(DJP__POINT_TIME(F), \
    THEN(DJP__HISTOGRAM_COUNT(F), THEN(DJP__HISTOGRAM_SUM(F), THEN(DJP__EXPONENTIAL_SCALE(F), \
    THEN(DJP__EXPONENTIAL_ZERO(F), THEN(DJP__EXPONENTIAL_POSITIVE(F), \
    THEN(DJP__EXPONENTIAL_NEGATIVE(F), THEN(DJP__POINT_EXEMPLARS(F, 11), \
        DJP__EXPONENTIAL_THRESHOLD(F)))))))))))

/* ---- ExponentialHistogramDataPoint.Buckets ---- */
#define DJP__SIDE_OFFSET(F) F(signed_number, 1, "offset", "offset", side->offset)
#define DJP__SIDE_COUNTS(F) \
    F(varints, 2, "bucketCounts", "buckets", djp__metric_at(record, side->counts_at), side->size)
#define DJP__SIDE_FIELDS(F, THEN) THEN(DJP__SIDE_OFFSET(F), DJP__SIDE_COUNTS(F))

/* ---- Exemplar ---- */
#define DJP__EXEMPLAR_TIME(F) F(time, 2, "timeUnixNano", "time", exemplar->unix_ns)
#define DJP__EXEMPLAR_VALUE(F) F(real, 3, "asDouble", "value", exemplar->value)
#define DJP__EXEMPLAR_SPAN(F) \
    F(id, 4, "spanId", "span_id", exemplar->span_id, sizeof exemplar->span_id)
#define DJP__EXEMPLAR_TRACE(F) \
    F(id, 5, "traceId", "trace_id", exemplar->trace_id, sizeof exemplar->trace_id)
#define DJP__EXEMPLAR_FIELDS(F, THEN) \
    THEN(DJP__EXEMPLAR_TIME(F), THEN(DJP__EXEMPLAR_VALUE(F), THEN(DJP__EXEMPLAR_SPAN(F), \
        DJP__EXEMPLAR_TRACE(F))))

/* clang-format on */

#endif
