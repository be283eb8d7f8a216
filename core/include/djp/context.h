/* Trace context as it crosses process borders: W3C traceparent, tracestate (Trace
 * Context Level 2) and baggage. Parsers take any bytes; a malformed value yields "no
 * context", never an error the application must handle. */
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
/* characters we propagate; whole members are dropped above it, long ones first */
#define DJP_TRACESTATE_SIZE_MAX 1024u
#define DJP_BAGGAGE_MEMBERS_MAX 180u
#define DJP_BAGGAGE_SIZE_MAX 8192u

/* Immutable, reference-counted tracestate text. NULL stands for the empty one. Any
 * thread. */
typedef struct djp_tracestate djp_tracestate;

typedef struct djp_span_context {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint8_t flags; /* DJP_FLAG_* */
    uint8_t is_remote; /* 1 when it came over the wire */
    /* a counted reference owned by whoever owns the structure, or NULL */
    djp_tracestate *state;
} djp_span_context;

/* 1 when both ids are non-zero. Accepts NULL. */
int djp_span_context_is_valid(const djp_span_context *context);
/* Drops the reference to the tracestate and zeroes the structure. Accepts NULL. */
void djp_span_context_clear(djp_span_context *context);
/* Copies, with a reference of its own to the tracestate. */
void djp_span_context_copy(djp_span_context *out, const djp_span_context *from);

/* One header field as received. Several fields of the same name are passed in the
 * order they came. Borrows. */
typedef djp_text djp_header;

/* Reads traceparent and tracestate fields by the W3C rules (two traceparent fields
 * restart the trace, members of several tracestate fields are joined, an invalid
 * list is dropped and the parent kept). Returns 1 and fills out (is_remote = 1; the
 * caller owns its tracestate) or returns 0 and zeroes out. Any thread; allocates
 * only when there is a tracestate. */
int djp_context_extract(djp_span_context *out, const djp_header *traceparent,
                        size_t traceparent_count, const djp_header *tracestate,
                        size_t tracestate_count);

/* Writes "00-<trace>-<span>-<flags>" and a NUL into out, which holds
 * DJP_TRACEPARENT_SIZE + 1 bytes; only NULs for a context that is NULL or not valid. */
void djp_traceparent_write(char *out, const djp_span_context *context);

/* Parses one traceparent value. Returns 1 when valid. Leaves out->state NULL. */
int djp_traceparent_parse(djp_span_context *out, djp_text text);

/* Parses tracestate fields into a normalised list; *out becomes NULL when empty or
 * invalid. Returns 1 when every member was valid. The caller owns *out. */
int djp_tracestate_parse(djp_tracestate **out, const djp_header *fields, size_t count);
/* borrows from state; empty for NULL */
djp_text djp_tracestate_text(const djp_tracestate *state);
djp_tracestate *djp_tracestate_ref(djp_tracestate *state);
void djp_tracestate_unref(djp_tracestate *state);
/* Returns a new list with key=value in front (replacing an older member of that
 * key), or NULL on bad input or memory. An empty value removes the member. Does not
 * consume state. */
djp_tracestate *djp_tracestate_set(djp_tracestate *state, djp_text key, djp_text value);
/* Value of a member, {NULL, 0} when absent. Borrows from state. */
djp_text djp_tracestate_get(const djp_tracestate *state, djp_text key);

/* Baggage (W3C Baggage): an ordered list of key, decoded value and raw
 * ";properties". */
typedef struct djp_baggage djp_baggage;
typedef struct djp_baggage_entry {
    djp_text key;
    djp_text value; /* percent-decoded UTF-8, bad bytes as U+FFFD */
    djp_text properties; /* as received, without the leading ';' */
} djp_baggage_entry;

/* Both return a list that the caller frees, or NULL for an empty one; over-long
 * input keeps the first members that fit. */
djp_baggage *djp_baggage_parse(const djp_header *fields, size_t count);
/* Returns a new list with the entry set; never changes baggage (NULL is the empty
 * list). NULL on a bad key, no memory, or when the limits would be passed. */
djp_baggage *
djp_baggage_set(const djp_baggage *baggage, const djp_baggage_entry *entry);
djp_baggage *djp_baggage_remove(const djp_baggage *baggage, djp_text key);
size_t djp_baggage_count(const djp_baggage *baggage);
/* Entry i; everything borrows from baggage. Returns 0 when i is out of range. */
int djp_baggage_entry_at(djp_baggage_entry *out, const djp_baggage *baggage, size_t i);
/* The header value, percent-encoded. Borrows from baggage, ends in NUL. Empty for
 * NULL. */
djp_text djp_baggage_text(const djp_baggage *baggage);
void djp_baggage_free(djp_baggage *baggage);

#ifdef __cplusplus
}
#endif
#endif
