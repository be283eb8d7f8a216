/* Tail-sampling rules at work: looked at when a span ends and when a root decides, and not at all
 * where none are set. */
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

/* The number, from 1, of the first rule that speaks of any span and is met by this one; 0: none. */
uint32_t djp__tail_rules_match(const djp__tail_rules *keep, const djp_span_record *record);
/* Reason and label (djp__verdict) of that rule. */
uint32_t djp__tail_rules_verdict(const djp__tail_rules *keep, uint32_t number);
/* Bits. KEPT: the local trace is kept for another reason, which is no reason not to learn from it.
 * LONG: its length says nothing, unless a rule speaks of its route. */
enum { DJP_TAIL_IS_SAMPLED = 1, DJP_TAIL_IS_LONG = 2 };
/* What the root itself says: slow by the limit of its route or, without one, by slow_ns (0: never),
 * among the slowest, rare, or nothing. */
uint32_t djp__tail_rules_root(djp__tail_rules *keep, const djp_span_record *record,
                              uint64_t slow_ns, unsigned flags);
/* 1 when a root that begins under this name may have a limit above age_ns by its route: where the
 * name is not the route yet, any such rule is reason enough. */
int djp__tail_rules_is_patient(const djp__tail_rules *keep, djp_text name, int route_comes,
                               uint64_t age_ns);
/* Counters of what the rules remember; zeros without. keep may be NULL. */
void djp__tail_rules_counters(djp_tail_history_counters *out, const djp__tail_rules *keep);

#endif
