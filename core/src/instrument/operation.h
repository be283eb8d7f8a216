/* Operations that have ended. A table says what each kind of them records; this part follows the
 * tables. */
#ifndef DJP_INSTRUMENT_OPERATION_H
#define DJP_INSTRUMENT_OPERATION_H

#include "djp/operation.h"
#include "trace/span_seed.h"

/* What is known of an operation, as a value of an attribute, a label or a metric. */
typedef enum djp__fact {
    DJP__FACT_NONE,
    DJP__FACT_FIRST, /* the two texts that name the operation */
    DJP__FACT_SECOND,
    DJP__FACT_SECONDS,
    DJP__FACT_SUCCESS,
    DJP__FACT_ERROR_TYPE,
    DJP__FACT_STATUS,
    DJP__FACT_ONE /* the number 1 */
} djp__fact;

enum { DJP__OPERATION_ATTRIBUTES = 6, DJP__OPERATION_METRICS = 3, DJP__OPERATION_LABELS = 2 };

/* A kind of operation. Lists end with DJP__FACT_NONE, or are full. */
typedef struct djp__operation {
    const char *name; /* of the span */
    djp_span_kind kind;
    const char *failure; /* status description of a failed span */
    const char *other; /* label in place of an error type or a status that is unknown */
    struct {
        const char *key;
        djp__fact fact;
        unsigned semconv; /* DJP__SEMCONV_* of the conventions that have it; 0: all */
    } attributes[DJP__OPERATION_ATTRIBUTES];
    struct {
        const char *family;
        djp__fact labels[DJP__OPERATION_LABELS];
        djp__fact value;
        int of_failures; /* 1: only a failure is recorded */
    } metrics[DJP__OPERATION_METRICS];
    int is_request; /* 1: also the metrics of a server's request */
} djp__operation;
#define DJP__SEMCONV_OLD (1u << DJP_SEMCONV_OLD | 1u << DJP_SEMCONV_BOTH)
#define DJP__SEMCONV_STABLE (1u << DJP_SEMCONV_STABLE | 1u << DJP_SEMCONV_BOTH)

typedef enum djp__operation_type {
    DJP__OPERATION_JOB, /* job.c */
    DJP__OPERATION_EXTERNAL, /* external.c */
    DJP__OPERATION_REQUEST, /* http_server.c */
    DJP__OPERATIONS
} djp__operation_type;
extern const djp__operation djp__operation_job, djp__operation_external, djp__operation_request;
const djp__operation *djp__operation_at(djp__operation_type type);

/* One operation. Borrows its texts. */
typedef struct djp__operation_facts {
    djp_text first, second;
    double seconds;
    int failed;
    djp_text error_type;
    int status;
} djp__operation_facts;

/* Reads the options; borrows the others, which may be NULL. Returns 0 or DJP_ENOMEM. */
int djp__operations_new(djp_operations **out, const djp_options *options, djp_recorder *recorder,
                        djp_builtin *standard);
void djp__operations_free(djp_operations *operations); /* accepts NULL */

/* Records an operation that ends now. */
void djp__operation_record(djp_operations *operations, djp__operation_type type,
                           const djp__operation_facts *facts, djp_span *parent,
                           const djp_span_context *remote);

/* For spans whose start was recorded in an oplog. Input of samplers: borrows from facts; returns
 * the number of attributes. */
size_t djp__operation_sampling(djp_attribute out[DJP__OPERATION_ATTRIBUTES],
                               const djp_operations *operations, djp__operation_type type,
                               const djp__operation_facts *facts);
/* Starts the span below the parent of options. Borrows all. */
djp_span *djp__operation_start_as(djp_operations *operations, djp__operation_type type,
                                  const djp_span_options *options, const djp__span_seed *seed);
/* Sets the attributes of the span (may be NULL), ends it, and records the metrics. */
void djp__operation_end(djp_operations *operations, djp__operation_type type, djp_span *span,
                        const djp__operation_facts *facts, uint64_t end_ns);

#endif
