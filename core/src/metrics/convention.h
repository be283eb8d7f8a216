/* Names of OpenTelemetry's conventions for families whose Prometheus names are translations of
 * them. Other families keep their names in OTLP. */
#ifndef DJP_METRICS_CONVENTION_H
#define DJP_METRICS_CONVENTION_H

#include "djp/metrics.h"

/* A family in OTLP. */
typedef struct djp__convention {
    djp_text name, unit;
    int has_labels; /* the labels are attributes of the conventions, too */
} djp__convention;

/* name and unit: those of the family, without "_total". Texts are static or those given. */
djp__convention djp__convention_of(djp_text name, djp_text unit);
/* Returns the attribute key of a label, and whether its values are whole numbers. */
djp_text djp__convention_label(djp_text label, int *is_integer);

#endif
