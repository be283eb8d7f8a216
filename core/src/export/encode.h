/* Span records to OTLP: our own one-pass writer. One encoder per worker; not thread-safe. It never changes a record. */
#ifndef DJP_EXPORT_ENCODE_H
#define DJP_EXPORT_ENCODE_H

#include "base/buf.h"
#include "model/record.h"

typedef enum djp__encoding {
    DJP__ENCODE_PROTOBUF,
    DJP__ENCODE_JSON,
    DJP__ENCODE_CONSOLE,
    DJP__ENCODE_PRETTY
} djp__encoding;

typedef struct djp__encoder djp__encoder;

/* resource: its attributes (copied, keys unique, last wins). */
int djp__encoder_new(djp__encoder **out, djp__encoding encoding, const djp_attribute *resource, size_t resource_count);
void djp__encoder_free(djp__encoder *encoder);
/* Replaces the resource (a forked child has a new service.instance.id). */
int djp__encoder_set_resource(djp__encoder *encoder, const djp_attribute *resource, size_t resource_count);

/* Adds one span to the batch. Borrows the record for the call. 0, DJP_ENOMEM, or DJP_EPROTO for a damaged record. */
int djp__encoder_add(djp__encoder *encoder, const djp_span_record *record);
size_t djp__encoder_spans(const djp__encoder *encoder);
/* Upper estimate of the finished batch's size in bytes. */
size_t djp__encoder_bytes(const djp__encoder *encoder);
/* Writes the batch to the end of out and empties the encoder: an ExportTraceServiceRequest (protobuf; fields in ascending order, so
 * byte-identical with protobuf-c), the same as one line of OTLP JSON without its line end, or console lines (one JSON object a span,
 * each with "\n", or trees of them for people). Spans are grouped by scope, in order of arrival inside a scope. Returns 0 or DJP_ENOMEM. */
int djp__encoder_finish(djp__encoder *encoder, djp_buf *out);

/* The tracestate that a span is exported with: state with the th sub-key of its "ot" member set or removed. */
void djp__export_tracestate(djp_buf *out, djp_text state, uint64_t threshold);

#endif
