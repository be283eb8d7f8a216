/* Composable samplers: a tree that decides about a local root by its name, kind,
 * first attributes and parent. Each constructor gives a tree that the caller owns,
 * takes the trees it is given (also when it fails) and returns NULL when memory is
 * short or a limit is passed. A tree never changes once it decides. docs/samplers.md
 * has their text. */
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
#define DJP_SAMPLER_ATTRIBUTES_MAX 32u /* on one way from the top to a leaf */
#define DJP_SAMPLER_TEXT_MAX 1024u /* bytes of one name, key or value */
#define DJP_SAMPLER_RATE_MAX 1e6 /* traces a second */

/* Yes, with the weight 1. */
djp_sampler *djp_sampler_always_on(void);
/* No; errors, slow traces and tail-sampling rules still have their say. */
djp_sampler *djp_sampler_always_off(void);
/* Neither kept nor recorded, whatever happens. */
djp_sampler *djp_sampler_drop(void);
/* 0 .. 1; 0 and NaN are always_off. */
djp_sampler *djp_sampler_probability(double ratio);
/* At most that many a second, 0 .. DJP_SAMPLER_RATE_MAX, saved up for a second;
 * their weight is unknown. */
djp_sampler *djp_sampler_rate_limited(double per_second);
/* What the delegate says, but yes to at least that many a second. */
djp_sampler *djp_sampler_at_least(double per_second, djp_sampler *delegate);
/* What the parent said; root without a parent. */
djp_sampler *djp_sampler_parent_threshold(djp_sampler *root);
/* Adds attributes to the local root; texts, booleans and numbers. Of the same key,
 * that of the outer node counts. Copies them. */
djp_sampler *djp_sampler_annotating(const djp_attribute *attributes, size_t count,
                                    djp_sampler *delegate);

typedef enum djp_sampler_test {
    DJP_SAMPLER_ANY,
    DJP_SAMPLER_ROOT, /* there is no parent */
    DJP_SAMPLER_REMOTE_PARENT,
    DJP_SAMPLER_PARENT_SAMPLED,
    DJP_SAMPLER_KIND,
    DJP_SAMPLER_NAME,
    /* given at the start; other values than texts, whole numbers and booleans fit
     * only KEY=* */
    DJP_SAMPLER_ATTRIBUTE
} djp_sampler_test;

typedef struct djp_sampler_term {
    djp_sampler_test test;
    int negated;
    unsigned kind; /* djp_span_kind */
    djp_text key; /* of an attribute */
    djp_text pattern; /* of a name or an attribute's value */
    int prefix; /* 1: the pattern is a beginning */
} djp_sampler_term;

/* A node without rules says no. Add them before the node is given to another one. */
djp_sampler *djp_sampler_rule_based(void);
/* The first rule of which all terms hold decides. Copies the terms, takes sampler
 * also when it fails: 0, DJP_ENOMEM or DJP_EINVAL. */
int djp_sampler_add_rule(djp_sampler *rules, const djp_sampler_term *terms,
                         size_t count, djp_sampler *sampler);

void djp_sampler_free(djp_sampler *sampler); /* accepts NULL */

/* 1 when the tree is no more than a ratio (0: always_off, drop), perhaps below
 * parent_threshold. *parent_based gets whether that is at the top in any case.
 * Borrows. */
int djp_sampler_is_ratio(double *ratio, int *parent_based, const djp_sampler *sampler);

/* The text of a tree, which reads back as an equal one. The caller frees it with
 * djp_free; NULL when memory is short. */
char *djp_sampler_text(size_t *size, const djp_sampler *sampler);

typedef struct djp_sampler_error {
    size_t at; /* byte of the text, from 0 */
    const char *expected; /* static: "a sampler", "a comma or )" */
} djp_sampler_error;
/* Reads a text. Borrows it; error may be NULL. Returns 0, DJP_EINVAL with error
 * filled in, or DJP_ENOMEM. */
int djp_sampler_parse(djp_sampler **out, djp_text text, djp_sampler_error *error);

#ifdef __cplusplus
}
#endif
#endif
