/* Test helper: the same spans through protobuf-c, with the rules (last value of a key wins, zero
 * values left out) in their plainest form. What the hand-written encoder must equal byte for
 * byte. */
#ifndef TESTS_OTLP_ORACLE_H
#define TESTS_OTLP_ORACLE_H

#include "base/buf.h"
#include "record_builder.h"

/* Packs one ExportTraceServiceRequest of the spans in order of arrival, grouped by scope. Appends
 * to out. */
void oracle_pack(djp__buf *out, rb_source *source, const rb_span *spans, size_t count,
                 const djp_attribute *resource, size_t resource_count);

#endif
