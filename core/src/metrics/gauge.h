/* The values of one gauge in several stripes, and how the mode of its family makes one of them. */
#ifndef DJP_METRICS_GAUGE_H
#define DJP_METRICS_GAUGE_H

#include "metrics/registry.h"

/* The words of a gauge in one stripe. */
enum {
    DJP__GAUGE_VALUE, /* a double */
    /* 0: never set. MOSTRECENT: monotonic time of the last change; else 1 */
    DJP__GAUGE_TIME,
    DJP__GAUGE_WORDS
};

/* What one process has set. */
typedef struct djp__gauge_sample {
    double value;
    uint64_t time_ns; /* of the last change; 0: never set */
    int is_live; /* the process runs */
} djp__gauge_sample;

/* The samples so far; starts with the mode and zeros. */
typedef struct djp__gauge_fold {
    djp_gauge_mode mode;
    double value;
    uint64_t time_ns;
    uint64_t count;
} djp__gauge_fold;

/* 1: the mode compares times, so recordings read the clock. */
int djp__gauge_is_timed(djp_gauge_mode mode);
/* Adds a sample, in the order of the processes. Samples that were never set do not count, nor those
 * of ended processes for the live modes. */
void djp__gauge_fold_add(djp__gauge_fold *fold, const djp__gauge_sample *sample);
/* Sets *out to the value of all samples. Returns 0 if there is no such value: no sample counts, or
 * the mode keeps the values of several processes apart. A single sample is its value in every
 * mode. */
int djp__gauge_fold_result(double *out, const djp__gauge_fold *fold);

/* Sets *out to the value over all processes by the family's mode; to that of this process if the
 * mode gives no single one; to 0 if it was never set. Returns 0 if several processes have set it
 * and the mode gives no single one. */
int djp__gauge_read(double *out, const djp_registry *registry, const djp__family_entry *family,
                    const djp__series_entry *entry);
/* 1: the mode shows a series for each process. */
int djp__gauge_is_apart(djp_gauge_mode mode);
/* What the process of a stripe has set. */
void djp__gauge_sample_of(djp__gauge_sample *out, const djp_registry *registry,
                          const djp__series_entry *entry, uint32_t stripe);
/* The words of the base after the process of the stripe has ended. */
void
djp__gauge_fold_stripe(uint64_t *out, const djp_registry *registry, const djp__family_entry *family,
                       const djp__series_entry *entry, uint32_t stripe);

#endif
