/* Test helper: random spans as plain structures, and their form as records in the ring. Records lie
 * in blocks of exactly their size, so that a sanitizer sees every byte read beyond them. */
#ifndef TESTS_RECORD_BUILDER_H
#define TESTS_RECORD_BUILDER_H

#include "base/mem.h"
#include "model/record.h"

typedef struct rb_event {
    uint64_t time;
    djp_text name;
    djp_attribute *attributes;
    size_t count;
    uint32_t dropped;
} rb_event;

typedef struct rb_link {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    djp_text state;
    djp_attribute *attributes;
    size_t count;
    uint32_t dropped;
    uint32_t flags;
} rb_link;

/* A span; size, the texts' places and the item counts of header are filled in by rb_record. */
typedef struct rb_span {
    djp__span_record header;
    djp_text name;
    djp_text status;
    djp_text state;
    djp_attribute *attributes;
    size_t count;
    rb_event *events;
    size_t event_count;
    rb_link *links;
    size_t link_count;
} rb_span;

/* Where random things come from: a seed and the arena that holds them. */
typedef struct rb_source {
    uint64_t seed;
    djp__arena arena;
    djp_scope scopes[4];
} rb_source;

/* Registers keys and scopes; the seed decides everything that follows. */
void rb_source_init(rb_source *source, uint64_t seed);
void rb_source_fini(rb_source *source);
uint64_t rb_next(rb_source *source);
uint64_t rb_below(rb_source *source, uint64_t limit);

void rb_span_random(rb_span *out, rb_source *source);
/* A span as a web request makes it: five attributes, about 234 bytes of OTLP. */
void rb_span_typical(rb_span *out, rb_source *source);
/* An array (or map) nested to the given depth with one number at the bottom. */
djp_value rb_nested(rb_source *source, int depth, int map);
djp_text rb_text(const char *text);

/* The record; free() it. */
djp__span_record *rb_record(const rb_span *span);

#endif
