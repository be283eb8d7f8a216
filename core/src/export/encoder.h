/* Encodes records of one signal to batches in one form: OTLP protobuf, OTLP JSON, console lines.
 * One encoder per worker; not thread-safe. Does not change records. */
#ifndef DJP_EXPORT_ENCODER_H
#define DJP_EXPORT_ENCODER_H

#include "base/buf.h"
#include "model/record.h"

typedef enum djp__encoding {
    DJP__ENCODE_PROTOBUF,
    DJP__ENCODE_JSON,
    DJP__ENCODE_CONSOLE,
    DJP__ENCODE_PRETTY
} djp__encoding;

/* A type of record, such as djp__otlp_trace (export/otlp_trace.h). */
typedef struct djp__encode_signal djp__encode_signal;
typedef struct djp__encoder djp__encoder;

/* resource: its attributes (copied, keys unique, the last value applies). */
int djp__encoder_new(djp__encoder **out, const djp__encode_signal *signal, djp__encoding encoding,
                     const djp_attribute *resource, size_t resource_count);
void djp__encoder_free(djp__encoder *encoder);
/* Replaces the resource (a forked child has a new service.instance.id). */
int djp__encoder_set_resource(djp__encoder *encoder, const djp_attribute *resource,
                              size_t resource_count);

/* A stage before the encoder that may change a record (redaction). Returns the record to encode:
 * the given one, or the stage's, valid until the next call; NULL without memory. Called in the
 * encoder's thread. */
typedef const void *(*djp__encode_rewrite)(void *user, const void *record);
/* rewrite NULL, the default: records are encoded unchanged. user is borrowed. */
void djp__encoder_set_rewrite(djp__encoder *encoder, djp__encode_rewrite rewrite, void *user);

/* Adds one record (borrowed) to the batch. Returns 0, DJP_ENOMEM, or DJP_EPROTO for a damaged
 * record. */
int djp__encoder_add(djp__encoder *encoder, const void *record);
/* Records in the batch. */
size_t djp__encoder_items(const djp__encoder *encoder);
/* Upper estimate of the finished batch's size in bytes. */
size_t djp__encoder_bytes(const djp__encoder *encoder);
/* Appends the batch to out and empties the encoder: an Export...ServiceRequest (protobuf; fields in
 * ascending order, so byte-identical with protobuf-c), the same as one line of OTLP JSON without
 * its line end, or console lines (one JSON object per record, each with "\n", or readable trees).
 * Records are grouped by scope, in order of arrival within a scope. Returns 0 or DJP_ENOMEM. */
int djp__encoder_finish(djp__encoder *encoder, djp__buf *out);

/* Writes the tracestate of an exported span: state with the th sub-key of its "ot" member set or
 * removed. */
void djp__export_tracestate(djp__buf *out, djp_text state, uint64_t threshold);

#endif
