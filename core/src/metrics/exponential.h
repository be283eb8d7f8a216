/* Base-2 exponential histograms as plain values: bucket i of a scale holds the values in
 * (base^i, base^(i+1)], where base is 2^(2^-scale). Readers of histograms merge the values of
 * several processes in it. */
#ifndef DJP_METRICS_EXPONENTIAL_H
#define DJP_METRICS_EXPONENTIAL_H

#include <stddef.h>
#include <stdint.h>

/* limit of the buckets of both sides together */
#define DJP__EXPONENTIAL_BUCKETS 160u
#define DJP__EXPONENTIAL_SCALE_MAX 20
#define DJP__EXPONENTIAL_SCALE_MIN (-10)

/* Values of at most this distance from zero are zero: a constant, so that histograms of several
 * processes have the same zero bucket. */
#define DJP__EXPONENTIAL_ZERO_THRESHOLD 1e-128

typedef struct djp__exponential_side {
    int32_t offset; /* index of the first bucket */
    uint32_t size; /* buckets in use */
    uint64_t counts[DJP__EXPONENTIAL_BUCKETS];
} djp__exponential_side;

typedef struct djp__exponential {
    int32_t scale;
    uint64_t zero_count; /* within the threshold */
    djp__exponential_side positive, negative; /* negative: of the absolute values */
} djp__exponential;

/* Without observations, at the highest scale. */
void djp__exponential_init(djp__exponential *out);
/* The bucket of a finite value above 0. Scale: from the least to the highest one. */
int32_t djp__exponential_index(double value, int32_t scale);
/* Adds observations to bucket `index` of that scale. Lowers the scale until the buckets in use fit
 * into the limit. */
void djp__exponential_add(djp__exponential *histogram, int is_negative, int32_t scale,
                          int32_t index, uint64_t count);
void djp__exponential_merge(djp__exponential *out, const djp__exponential *other);
/* Lowers the scale by that much, merging 2^by buckets into one. */
void djp__exponential_downscale(djp__exponential *histogram, uint32_t by);
/* All observations. */
uint64_t djp__exponential_count(const djp__exponential *histogram);

#endif
