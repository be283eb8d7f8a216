/* Spans (djp__span_record) as a signal of the encoder. */
#ifndef DJP_EXPORT_OTLP_TRACE_H
#define DJP_EXPORT_OTLP_TRACE_H

#include "export/encoder.h"

extern const djp__encode_signal djp__otlp_trace;

#endif
