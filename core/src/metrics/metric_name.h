/* The Prometheus form of a metric's name, unit and labels. OpenTelemetry's forms (`http.requests`,
 * unit `ms`, `{request}` or `1`) are translated by its rules; valid Prometheus forms are
 * unchanged. */
#ifndef DJP_METRICS_METRIC_NAME_H
#define DJP_METRICS_METRIC_NAME_H

#include "djp/metrics.h"

typedef struct djp__metric_name {
    /* the given ones with translated texts; valid until djp__metric_name_fini */
    djp_family_options options;
    const char *labels[DJP_LABELS_MAX];
    char *texts; /* owned */
} djp__metric_name;

/* Borrows the options until djp__metric_name_fini. Returns 0, DJP_EINVAL for a name without a
 * translation, or DJP_ENOMEM. Call djp__metric_name_fini in every case. */
int djp__metric_name_init(djp__metric_name *out, const djp_family_options *given);
void djp__metric_name_fini(djp__metric_name *name);

/* Writes the label name of an attribute key at out, which has room for the key and one byte more.
 * Returns its size. */
size_t djp__metric_name_label(char *out, djp_text key);

#endif
