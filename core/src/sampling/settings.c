/* Parses the settings of sampler trees and tail-sampling rules. The configuration warns of
 * errors. */
#include "sampling/settings.h"

#include "djp/error.h"
#include "djp/sampler.h"
#include "djp/tail_rule.h"

static int
settings_read_sampler(djp__config_sampler *out, djp_text text)
{
    djp_sampler *tree;
    djp_sampler_error error;
    *out = (djp__config_sampler){0};
    int result = djp_sampler_parse(&tree, text, &error);
    if (result != 0) {
        out->error_at = error.at;
        out->expected = error.expected;
        return result;
    }
    out->is_ratio = djp_sampler_is_ratio(&out->ratio, &out->parent_based, tree);
    out->text = djp_sampler_text(NULL, tree);
    djp_sampler_free(tree);
    return out->text ? 0 : DJP_ENOMEM;
}

static size_t
settings_count_tail_rules(djp_text text, void (*bad)(void *user, djp_text rule, const char *why),
                          void *user)
{
    djp_tail_rule rules[DJP_TAIL_RULES_MAX];
    return djp_tail_rules_parse(rules, text, bad, user);
}

const djp__config_parsers djp__sampling_parsers = {settings_read_sampler,
                                                   settings_count_tail_rules};
