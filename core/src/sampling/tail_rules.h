/* Evaluates tail-sampling rules, when a span ends and when a root decides; not at all if none are
 * set. */
#ifndef DJP_SAMPLING_TAIL_RULES_H
#define DJP_SAMPLING_TAIL_RULES_H

#include "djp/tail_rule.h"
#include "model/record.h"
#include "sampling/decision.h"
#include "sampling/tail_history.h"

typedef struct djp__tail_rules djp__tail_rules;

/* Copies the rules. Returns 0 or DJP_ENOMEM. */
int djp__tail_rules_new(djp__tail_rules **out, const djp_tail_rule *rules, size_t count);
void djp__tail_rules_free(djp__tail_rules *keep);

/* Returns the number, from 1, of the first rule for any span that matches this one; 0: none. */
uint32_t djp__tail_rules_match(const djp__tail_rules *keep, const djp__span_record *record);
/* Reason and label of that rule. */
djp__verdict djp__tail_rules_verdict(const djp__tail_rules *keep, uint32_t number);
/* SAMPLED: the local trace is sampled for another reason, and still recorded in the history. LONG:
 * its duration is ignored, except in a rule for its route. */
enum { DJP_TAIL_IS_SAMPLED = 1, DJP_TAIL_IS_LONG = 2 };
/* The verdict of the root: slow by its route's limit or, without one, by slow_ns (0: never), among
 * the slowest, rare, or none. */
djp__verdict djp__tail_rules_root(djp__tail_rules *keep, const djp__span_record *record,
                                  uint64_t slow_ns, unsigned flags);
/* Returns 1 if a route rule may allow a root of this name a limit above age_ns: while the name is
 * not yet the route, any such rule counts. */
int djp__tail_rules_is_patient(const djp__tail_rules *keep, djp_text name, int route_comes,
                               uint64_t age_ns);
/* Counters of the history; zeros without one. keep may be NULL. */
void djp__tail_rules_counters(djp__tail_history_totals *out, const djp__tail_rules *keep);

#endif
