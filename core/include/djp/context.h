/* Trace context between processes: W3C traceparent, tracestate (Trace Context Level 2)
 * and baggage. The parsers accept any bytes; a malformed value yields no context, not
 * an error. */
#ifndef DJP_CONTEXT_H
#define DJP_CONTEXT_H

#include "djp/value.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DJP_FLAG_SAMPLED 0x01u
#define DJP_FLAG_RANDOM 0x02u
#define DJP_TRACEPARENT_SIZE 55u /* characters, without NUL */
#define DJP_TRACESTATE_MEMBERS_MAX 32u
/* longest propagated list, in characters; above it whole members are dropped, long ones
 * first */
#define DJP_TRACESTATE_SIZE_MAX 1024u
#define DJP_BAGGAGE_MEMBERS_MAX 180u
#define DJP_BAGGAGE_SIZE_MAX 8192u

/* Immutable, reference-counted tracestate text; NULL is an empty one. Any thread. */
typedef struct djp_tracestate djp_tracestate;

typedef struct djp_span_context {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint8_t flags; /* DJP_FLAG_* */
    uint8_t is_remote; /* 1: received from another process */
    /* a counted reference, owned by the owner of the structure, or NULL */
    djp_tracestate *state;
} djp_span_context;

/* Returns 1 when both ids are non-zero. Accepts NULL. */
int djp_span_context_is_valid(const djp_span_context *context);
/* Releases the tracestate and zeroes the structure. Accepts NULL. */
void djp_span_context_clear(djp_span_context *context);
/* Copies the structure and takes another reference to the tracestate. */
void djp_span_context_copy(djp_span_context *out, const djp_span_context *from);

/* One header field as received, borrowed. Pass several fields of one name in the order
 * received. */
typedef djp_text djp_header;

/* Reads traceparent and tracestate fields by the W3C rules: two traceparent fields
 * restart the trace, members of several tracestate fields are joined, and an invalid
 * tracestate is dropped and the parent is kept. Returns 1 and fills out (is_remote = 1;
 * the caller owns its tracestate), or returns 0 and zeroes out. Allocates only for a
 * tracestate. Any thread. */
int djp_context_extract(djp_span_context *out, const djp_header *traceparent,
                        size_t traceparent_count, const djp_header *tracestate,
                        size_t tracestate_count);

/* Writes "00-<trace>-<span>-<flags>" and a NUL into out, which holds
 * DJP_TRACEPARENT_SIZE + 1 bytes. Fills out with NUL for a context that is NULL or
 * invalid. */
void djp_traceparent_write(char *out, const djp_span_context *context);

/* Parses one traceparent value. Returns 1 if it is valid. Sets out->state to NULL. */
int djp_traceparent_parse(djp_span_context *out, djp_text text);

/* Parses tracestate fields into a normalised list; *out is NULL for an empty or invalid
 * one. Returns 1 if every member was valid. The caller owns *out. */
int djp_tracestate_parse(djp_tracestate **out, const djp_header *fields, size_t count);
/* Borrows from state. Empty for NULL. */
djp_text djp_tracestate_text(const djp_tracestate *state);
/* Takes and releases a reference. Both accept NULL. */
djp_tracestate *djp_tracestate_ref(djp_tracestate *state);
void djp_tracestate_unref(djp_tracestate *state);
/* Returns a new list with key=value in front, without an older member of that key, or
 * NULL for invalid input or without memory. An empty value removes the member. Borrows
 * state. */
djp_tracestate *djp_tracestate_set(djp_tracestate *state, djp_text key, djp_text value);
/* Returns the value of a member, or {NULL, 0} if there is none. Borrows from state. */
djp_text djp_tracestate_get(const djp_tracestate *state, djp_text key);

/* W3C Baggage: an ordered list of entries. A list does not change. */
typedef struct djp_baggage djp_baggage;
typedef struct djp_baggage_entry {
    djp_text key;
    djp_text value; /* percent-decoded UTF-8; invalid bytes become U+FFFD */
    djp_text properties; /* as received, without the leading ';' */
} djp_baggage_entry;

/* Parses baggage fields. Returns a list that the caller frees, or NULL for an empty
 * one. From input that is too long, keeps the first members that fit. */
djp_baggage *djp_baggage_parse(const djp_header *fields, size_t count);
/* Returns a new list with the entry set, which the caller frees. NULL (an empty list)
 * is accepted as baggage. Returns NULL for an invalid key, without memory, or when a
 * limit would be exceeded. */
djp_baggage *
djp_baggage_set(const djp_baggage *baggage, const djp_baggage_entry *entry);
/* Returns a new list without the key, which the caller frees; NULL for an empty one or
 * without memory. Accepts NULL as baggage. */
djp_baggage *djp_baggage_remove(const djp_baggage *baggage, djp_text key);
/* Returns the number of entries; 0 for NULL. */
size_t djp_baggage_count(const djp_baggage *baggage);
/* Fills out with entry i, which borrows from baggage. Returns 0 if i is out of
 * range. */
int djp_baggage_entry_at(djp_baggage_entry *out, const djp_baggage *baggage, size_t i);
/* Returns the header value, percent-encoded and NUL-terminated; empty for NULL. Borrows
 * from baggage. */
djp_text djp_baggage_text(const djp_baggage *baggage);
/* Accepts NULL. */
void djp_baggage_free(djp_baggage *baggage);

#ifdef __cplusplus
}
#endif
#endif
