/* The answer of a server of Jaeger's remote sampling protocol: how this service is to sample. */
#ifndef DJP_CONTROL_REMOTE_STRATEGY_H
#define DJP_CONTROL_REMOTE_STRATEGY_H

#include "base/buf.h"
#include "base/mem.h"
#include "djp/value.h"

/* More operations than this are left out and counted, as are names longer than that. */
enum { DJP_STRATEGY_OPERATIONS_MAX = 2000, DJP_STRATEGY_OPERATION_MAX = 1024 };
#define DJP_STRATEGY_RATE_MAX 1e9

typedef enum djp__strategy_kind {
    DJP_STRATEGY_PROBABILITY, /* one probability for everything */
    DJP_STRATEGY_RATE, /* so many local traces a second */
    DJP_STRATEGY_OPERATIONS /* by the name of the root, with a default */
} djp__strategy_kind;

typedef struct djp__strategy_operation {
    djp_text name; /* valid UTF-8, in the arena */
    double probability; /* 0 .. 1 */
} djp__strategy_operation;

typedef struct djp__strategy {
    djp__strategy_kind kind;
    /* of the service; for OPERATIONS that of the names without one of their own */
    double probability;
    double rate; /* RATE: traces a second, 0 .. DJP_STRATEGY_RATE_MAX */
    double lower_bound, upper_bound; /* OPERATIONS: traces a second of each name; 0: none */
    /* owned; each name once, in the order of its first appearance */
    djp__strategy_operation *operations;
    size_t operation_count;
    size_t operations_left_out;
    djp_arena names;
} djp__strategy;

/* Reads an answer. What is not understood in full is refused in full: returns 0, or DJP_EINVAL with
 * a phrase in error (for "the answer is refused: ..."), or DJP_ENOMEM. Borrows data. On 0 the
 * caller frees with _fini. */
int djp__strategy_parse(djp__strategy *out, const char *data, size_t size, char *error,
                        size_t error_size);
void djp__strategy_fini(djp__strategy *strategy);
/* One line for people: "probability 0.1", "at most 5 traces a second", "12 operations, others
 * probability 0.1". */
void djp__strategy_describe(djp_buf *out, const djp__strategy *strategy);

#endif
