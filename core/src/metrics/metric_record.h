/* One metric with its data points as a block of bytes without pointers, between the reader that
 * collects (metrics/reader.c) and the encoder (export/otlp_metrics.c). */
#ifndef DJP_METRICS_METRIC_RECORD_H
#define DJP_METRICS_METRIC_RECORD_H

#include <stdint.h>

#include "djp/key.h"
#include "djp/value.h"
#include "metrics/exemplar.h"
#include "metrics/exponential.h"

/* What the points of a metric are. A further kind is a row here, a case of the reader, and a
 * message of the encoder. */
typedef enum djp__point_kind {
    DJP__POINT_GAUGE,
    DJP__POINT_SUM,
    DJP__POINT_HISTOGRAM,
    DJP__POINT_EXPONENTIAL,
    DJP__POINT_KINDS
} djp__point_kind;

/* The numbers of OTLP. */
typedef enum djp__temporality {
    DJP__TEMPORALITY_NONE = 0, /* gauges */
    DJP__TEMPORALITY_DELTA = 1,
    DJP__TEMPORALITY_CUMULATIVE = 2
} djp__temporality;

/* A text in the record. */
typedef struct djp__metric_text {
    uint32_t at; /* from the start of the record, as all offsets here */
    uint32_t size;
} djp__metric_text;

typedef struct djp__metric_label {
    djp__metric_text key;
    uint32_t is_integer; /* values that are whole numbers are numbers in OTLP */
} djp__metric_label;

typedef struct djp__metric_record {
    struct djp__metric_record *next; /* of the reader's owner */
    uint32_t size; /* whole */
    djp_scope scope;
    uint8_t kind; /* djp__point_kind */
    uint8_t temporality; /* djp__temporality */
    uint8_t is_monotonic; /* sums */
    uint32_t label_count;
    uint32_t labels_at; /* djp__metric_label, label_count of them */
    uint32_t bound_count;
    uint32_t bounds_at; /* histograms: doubles, upper bounds without +Inf */
    uint32_t point_count;
    uint32_t points_at; /* uint32_t, the offset of each point */
    djp__metric_text name, description, unit;
} djp__metric_record;

/* The buckets of one side of an exponential histogram. */
typedef struct djp__metric_side {
    int32_t offset; /* index of the first bucket */
    uint32_t size;
    uint32_t counts_at; /* uint64_t, size of them */
} djp__metric_side;

typedef struct djp__metric_exponential {
    uint64_t zero_count;
    int32_t scale;
    djp__metric_side positive, negative;
} djp__metric_exponential;

/* A point is followed by what it refers to. */
typedef struct djp__metric_point {
    uint64_t start_unix_ns; /* 0: gauges */
    uint64_t unix_ns;
    uint64_t count; /* histograms: observations */
    double number; /* the value; histograms: the sum */
    uint32_t has_sum; /* 0: the sum of a histogram is not given */
    uint32_t is_overflow; /* 1: the point has no labels but otel.metric.overflow */
    uint32_t values_at; /* djp__metric_text, label_count of them */
    /* histograms: uint64_t, bound_count + 1 of them; exponential ones: djp__metric_exponential */
    uint32_t buckets_at;
    uint32_t exemplar_count;
    uint32_t exemplars_at; /* djp__exemplar */
} djp__metric_point;

static inline const void *
djp__metric_at(const djp__metric_record *record, uint32_t offset)
{
    return (const char *)record + offset;
}

static inline djp_text
djp__metric_text_of(const djp__metric_record *record, djp__metric_text text)
{
    return (djp_text){(const char *)record + text.at, text.size};
}

static inline const djp__metric_point *
djp__metric_point_of(const djp__metric_record *record, uint32_t index)
{
    const uint32_t *points = djp__metric_at(record, record->points_at);
    return djp__metric_at(record, points[index]);
}

static inline const djp__metric_label *
djp__metric_labels_of(const djp__metric_record *record)
{
    return djp__metric_at(record, record->labels_at);
}

#endif
