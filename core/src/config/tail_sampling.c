/* The tail-sampling rules: passes their text to the parser of sampling, and stores it if one rule
 * is valid. An invalid rule causes a warning and is skipped. */
#include "config/config.h"

#include "base/str.h"

#include <stdio.h>

typedef struct config_tail_bad {
    djp_text rule; /* the first */
    const char *why;
    size_t count;
} config_tail_bad;

static void
tail_sampling_note(void *user, djp_text rule, const char *why)
{
    config_tail_bad *bad = user;
    if (bad->count++ == 0) {
        bad->rule = rule;
        bad->why = why;
    }
}

static void
tail_sampling_warn(djp__config_state *state, const djp__config_given *given,
                   const config_tail_bad *bad)
{
    char others[64] = "";
    if (bad->count > 1) {
        snprintf(others, sizeof others, " So are %zu more.", bad->count - 1);
    }
    int shown = (int)djp__utf8_cut(bad->rule.data, bad->rule.size, 60);
    djp__config_warn(
        state, given,
        "%s has the rule \"%.*s\", which is left out: %s.%s Correct or remove what is wrong.",
        given->name, shown, bad->rule.data, bad->why, others);
}

void
djp__config_rule_tail_sampling(djp__config_state *state)
{
    djp__config_given given;
    size_t at = 0;
    while (djp__config_next(&given, state, DJP_SETTING_TAIL_SAMPLING_RULES, &at)) {
        config_tail_bad bad = {{NULL, 0}, NULL, 0};
        size_t count = state->parsers->tail_rules(djp__text(given.text), tail_sampling_note, &bad);
        if (bad.count > 0) {
            tail_sampling_warn(state, &given, &bad);
        }
        if (count > 0) {
            djp__config_set_text(state, DJP_SETTING_TAIL_SAMPLING_RULES, djp__text(given.text),
                                 given.name);
            return;
        }
    }
}
