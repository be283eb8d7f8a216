/* Metrics as a signal of the encoder. Its records are those of metrics/metric_record.h. */
#ifndef DJP_EXPORT_OTLP_METRICS_H
#define DJP_EXPORT_OTLP_METRICS_H

#include "export/encoder.h"

extern const djp__encode_signal djp__otlp_metrics;

#endif
