/* Composable samplers for the trace layer; the constructors are in djp/sampler.h. A tree is
 * immutable except for the state of its rate limits, so any number of threads may use it. */
#ifndef DJP_SAMPLING_TREE_H
#define DJP_SAMPLING_TREE_H

#include "base/atomic.h"
#include "base/map.h"
#include "djp/context.h"
#include "djp/key.h"
#include "djp/sampler.h"

struct djp__buf;

typedef enum djp__sampler_form {
    DJP_SAMPLER_TREE_ON,
    DJP_SAMPLER_TREE_OFF,
    DJP_SAMPLER_TREE_DROP,
    DJP_SAMPLER_TREE_PROBABILITY,
    DJP_SAMPLER_TREE_RATE,
    DJP_SAMPLER_TREE_AT_LEAST,
    DJP_SAMPLER_TREE_PARENT,
    DJP_SAMPLER_TREE_ANNOTATING,
    DJP_SAMPLER_TREE_RULES
} djp__sampler_form;

/* Attributes of the annotating nodes on a path, inner ones first. Shared by the node and by roots
 * being started. */
typedef struct djp__sampler_notes {
    DJP__ATOMIC(uint32_t) refs; /* relaxed up, acquire-release down */
    uint32_t own; /* of this node; those of outer nodes follow */
    uint32_t count;
    djp_attribute items[DJP_SAMPLER_ATTRIBUTES_MAX];
    char *texts[DJP_SAMPLER_ATTRIBUTES_MAX]; /* key and text of each item; owned */
} djp__sampler_notes;

typedef struct djp__sampler_rule {
    djp_sampler_term *terms; /* with their texts in one block, owned */
    size_t count;
    djp_sampler *sampler; /* owned */
    uint32_t next; /* the next rule outside the map of names */
} djp__sampler_rule;

struct djp_sampler {
    djp__sampler_form form;
    unsigned depth, nodes;
    unsigned needs; /* DJP_NEEDS_* of the node and all below */
    double number; /* the ratio or the rate */
    uint64_t threshold;
    djp_tracestate *state; /* "ot=th:..." for roots without one; may be NULL */
    /* of a rate limit: interval between two traces, and the burst; 0: none at all */
    uint64_t period_ns, saved_ns;
    /* when the next trace is due at that rate. Any thread, acquire-release */
    DJP__ATOMIC(uint64_t) due_ns;
    djp_sampler *child; /* owned */
    djp__sampler_notes *notes; /* a reference */
    djp__sampler_rule *rules; /* owned */
    size_t rule_count, rule_places;
    djp__map names; /* exact name -> number + 1 of the first rule that tests only that name */
    uint32_t first, last; /* rules outside the map; UINT32_MAX: none */
    djp_sampler *next; /* in the recorder's list of retired trees */
    char *text; /* owned; of a recorder's tree, else NULL */
    size_t text_size;
};

/* A root to decide. Everything is borrowed. */
typedef struct djp__sampler_input {
    const uint8_t *trace_id;
    const djp_span_context *parent; /* NULL: none */
    djp_text name;
    unsigned kind; /* djp_span_kind */
    const djp_attribute *attributes; /* given at the start, if the tree uses them */
    size_t attribute_count;
    uint64_t randomness; /* 56 bits, filled in by djp__head_decide_by_tree */
    uint64_t now_ns; /* monotonic; 0: a rate limit reads the clock */
} djp__sampler_input;

/* The result of a tree. Everything is borrowed from it. */
typedef struct djp__sampler_intent {
    int sampled;
    int followed; /* 1: the parent's decision */
    int reliable; /* 1: threshold is the probability of the decision */
    int drop;
    uint8_t reason; /* DJP_REASON_* */
    uint64_t threshold;
    djp_tracestate *state; /* for sampled roots that have none; may be NULL */
    djp__sampler_notes *notes; /* to be added; may be NULL */
} djp__sampler_intent;

void
djp__sampler_intend(djp__sampler_intent *out, djp_sampler *tree, const djp__sampler_input *input);

void djp__sampler_notes_unref(djp__sampler_notes *notes); /* accepts NULL */
/* Appends the text. */
void djp__sampler_write(struct djp__buf *out, const djp_sampler *tree);

#endif
