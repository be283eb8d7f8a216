/* Composable samplers: a tree that decides about a local root by its name, kind, first
 * attributes and parent. Each constructor returns a tree that the caller owns, or NULL
 * without memory or beyond a limit; it takes its child trees, even when it fails. A
 * tree in use does not change. Text form: docs/samplers.md. */
#ifndef DJP_SAMPLER_H
#define DJP_SAMPLER_H

#include "djp/value.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct djp_sampler djp_sampler;

#define DJP_SAMPLER_NODES_MAX 8192u /* of one tree */
#define DJP_SAMPLER_DEPTH_MAX 16u
#define DJP_SAMPLER_TERMS_MAX 8u /* of one rule */
#define DJP_SAMPLER_ATTRIBUTES_MAX 32u /* on one path from the root to a leaf */
#define DJP_SAMPLER_TEXT_MAX 1024u /* bytes of one name, key or value */
#define DJP_SAMPLER_RATE_MAX 1e6 /* per second */

/* Samples, with the adjusted count 1. */
djp_sampler *djp_sampler_always_on(void);
/* Does not sample; errors, slow traces and tail-sampling rules may still sample. */
djp_sampler *djp_sampler_always_off(void);
/* Does not record: no later rule can sample the trace. */
djp_sampler *djp_sampler_drop(void);
/* ratio: 0 .. 1; 0 and NaN mean always_off. */
djp_sampler *djp_sampler_probability(double ratio);
/* Samples at most per_second traces, 0 .. DJP_SAMPLER_RATE_MAX, with a burst of one
 * second. Their adjusted count is unknown. */
djp_sampler *djp_sampler_rate_limited(double per_second);
/* Decides as delegate, but samples at least per_second traces. */
djp_sampler *djp_sampler_at_least(double per_second, djp_sampler *delegate);
/* Follows the parent; decides as root if there is none. */
djp_sampler *djp_sampler_parent_threshold(djp_sampler *root);
/* Adds attributes (texts, booleans and numbers; copied) to the local root. Of equal
 * keys, the outermost node applies. */
djp_sampler *djp_sampler_annotating(const djp_attribute *attributes, size_t count,
                                    djp_sampler *delegate);

typedef enum djp_sampler_test {
    DJP_SAMPLER_ANY,
    DJP_SAMPLER_ROOT, /* there is no parent */
    DJP_SAMPLER_REMOTE_PARENT,
    DJP_SAMPLER_PARENT_SAMPLED,
    DJP_SAMPLER_KIND,
    DJP_SAMPLER_NAME,
    /* an attribute given at the start; values that are not texts, whole numbers or
     * booleans match only KEY=* */
    DJP_SAMPLER_ATTRIBUTE
} djp_sampler_test;

typedef struct djp_sampler_term {
    djp_sampler_test test;
    int negated;
    unsigned kind; /* djp_span_kind */
    djp_text key; /* of DJP_SAMPLER_ATTRIBUTE */
    djp_text pattern; /* of a name or attribute value */
    int prefix; /* 1: pattern is a prefix */
} djp_sampler_term;

/* Does not sample until it has rules. Add them before passing the node to a
 * constructor. */
djp_sampler *djp_sampler_rule_based(void);
/* Adds a rule; the first rule whose terms all match decides. Copies the terms; takes
 * sampler, even when it fails. Returns 0, DJP_ENOMEM or DJP_EINVAL. */
int djp_sampler_add_rule(djp_sampler *rules, const djp_sampler_term *terms,
                         size_t count, djp_sampler *sampler);

void djp_sampler_free(djp_sampler *sampler); /* accepts NULL */

/* Returns 1 if the tree is only a ratio (0: always_off, drop), with or without
 * parent_threshold above it. Sets *parent_based in every case: whether parent_threshold
 * is the root of the tree. Borrows. */
int djp_sampler_is_ratio(double *ratio, int *parent_based, const djp_sampler *sampler);

/* Returns the text of a tree; djp_sampler_parse reads it as an equal tree. The caller
 * frees it with djp_free. NULL without memory. */
char *djp_sampler_text(size_t *size, const djp_sampler *sampler);

typedef struct djp_sampler_error {
    size_t at; /* byte offset in the text */
    const char *expected; /* static: "a sampler", "a comma or )" */
} djp_sampler_error;
/* Parses a text (borrowed). error may be NULL. Returns 0, DJP_EINVAL and fills error,
 * or DJP_ENOMEM. */
int djp_sampler_parse(djp_sampler **out, djp_text text, djp_sampler_error *error);

#ifdef __cplusplus
}
#endif
#endif
