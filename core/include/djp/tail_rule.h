/* Tail-sampling rules: local traces to sample whatever the sampling ratio. These are
 * the parsed rules; docs/sampling.md has the grammar. */
#ifndef DJP_TAIL_RULE_H
#define DJP_TAIL_RULE_H

#include "djp/value.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DJP_TAIL_RULES_MAX 32u

typedef enum djp_tail_kind {
    DJP_TAIL_ATTRIBUTE, /* an attribute of any span has a value */
    DJP_TAIL_NAME, /* any span has a name */
    DJP_TAIL_ROUTE, /* the slow threshold of a route */
    DJP_TAIL_SLOWEST, /* the slowest share of each route */
    DJP_TAIL_RARE /* the first of its kind in an interval */
} djp_tail_kind;

typedef struct djp_tail_rule {
    djp_tail_kind kind;
    djp_text label; /* {NULL, 0}: none. All texts borrow from the parsed text */
    djp_text key; /* of DJP_TAIL_ATTRIBUTE */
    djp_text pattern; /* of the first three kinds */
    int prefix; /* 1: pattern is a prefix */
    uint64_t duration_ns; /* of DJP_TAIL_ROUTE and DJP_TAIL_RARE */
    double part; /* of DJP_TAIL_SLOWEST: 0.01 for 1 % */
} djp_tail_rule;

/* Called for each invalid rule with its text and the reason, written as the end of a
 * sentence. Borrowed for the call. */
typedef void (*djp_tail_rule_bad)(void *user, djp_text rule, const char *why);

/* Parses rules separated by semicolons into out, which has room for DJP_TAIL_RULES_MAX.
 * Returns the number of valid rules; they borrow from text. bad may be NULL. */
size_t djp_tail_rules_parse(djp_tail_rule *out, djp_text text, djp_tail_rule_bad bad,
                            void *user);

#ifdef __cplusplus
}
#endif
#endif
