/* A metric's name, unit and label names as Prometheus can take them. OpenTelemetry's forms
 * (`http.requests`, unit `ms`, `{request}` or `1`) are translated by its rules for Prometheus; what
 * is in form already stays as it is. */
#ifndef DJP_METRICS_SPELLING_H
#define DJP_METRICS_SPELLING_H

#include "djp/metrics.h"

typedef struct djp__metric_spelling {
    /* the given ones, but for the texts; valid until djp__spelling_fini */
    djp_family_options options;
    const char *labels[DJP_LABELS_MAX];
    char *texts; /* owned */
} djp__metric_spelling;

/* Borrows what is given until djp__spelling_fini. Returns 0, DJP_EINVAL for what no translation
 * makes a name of, or DJP_ENOMEM. Call djp__spelling_fini in any case. */
int djp__spelling_init(djp__metric_spelling *out, const djp_family_options *given);
void djp__spelling_fini(djp__metric_spelling *spelling);

/* Writes the label name of an attribute key at out, which has room for the key and one byte more.
 * Returns its size. */
size_t djp__spelling_label(char *out, djp_text key);

#endif
