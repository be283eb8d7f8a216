/* A response of Jaeger's remote sampling protocol: the sampling strategy of this service. */
#ifndef DJP_CONTROL_REMOTE_STRATEGY_H
#define DJP_CONTROL_REMOTE_STRATEGY_H

#include "base/buf.h"
#include "base/mem.h"
#include "djp/sampler.h"
#include "djp/value.h"

/* Further operations and longer names are skipped and counted. */
enum { DJP_STRATEGY_OPERATIONS_MAX = 2000, DJP_STRATEGY_OPERATION_MAX = 1024 };
#define DJP__STRATEGY_RATE_MAX 1e9

typedef enum djp__strategy_kind {
    DJP_STRATEGY_PROBABILITY, /* one probability for everything */
    DJP_STRATEGY_RATE, /* local traces per second */
    DJP_STRATEGY_OPERATIONS /* by the root's name, with a default */
} djp__strategy_kind;

typedef struct djp__strategy_operation {
    djp_text name; /* valid UTF-8, in the arena */
    double probability; /* 0 .. 1 */
} djp__strategy_operation;

typedef struct djp__strategy {
    djp__strategy_kind kind;
    /* of the service; for OPERATIONS that of all other names */
    double probability;
    double rate; /* RATE: traces per second */
    double lower_bound, upper_bound; /* OPERATIONS: traces per second of each name */
    /* owned; each name once, in the order of first appearance */
    djp__strategy_operation *operations;
    size_t operation_count;
    size_t operations_left_out;
    djp__arena names;
} djp__strategy;

/* Parses a response. A partly invalid one is rejected as a whole: returns 0, or DJP_EINVAL with a
 * phrase in error (for "the answer is refused: ..."), or DJP_ENOMEM. Borrows data. On 0 the caller
 * releases out with _fini. */
int djp__strategy_parse(djp__strategy *out, const char *data, size_t size, char *error,
                        size_t error_size);
void djp__strategy_fini(djp__strategy *strategy);
/* One line for messages: "probability 0.1", "at most 5 traces a second", "12 operations, others
 * probability 0.1". */
void djp__strategy_describe(djp__buf *out, const djp__strategy *strategy);
/* 1: the strategy samples nothing. */
int djp__strategy_is_off(const djp__strategy *strategy);
/* Returns the tree, which the caller owns; NULL without memory. parent_based: the parent's decision
 * has priority. */
djp_sampler *djp__strategy_tree(const djp__strategy *strategy, int parent_based);

#endif
