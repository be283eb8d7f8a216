/* The sampling rule: the option, the standard sampler variables, the documents' ratios, then a
 * default that depends on a configured environment. An explicit ratio of 0 differs from no ratio,
 * because it disables all exports. */
#include "config/config.h"

#include "base/str.h"
#include "djp/error.h"

#include <string.h>

/* OTEL_TRACES_SAMPLER_ARG in the row of the ratio */
enum { SAMPLER_ARGUMENT_INDEX = DJP_GIVEN_SOURCE };

static void
sampler_set_ratio(djp__config_state *state, double ratio, int is_explicit, const char *source)
{
    state->out->sample_ratio = ratio;
    state->out->sample_ratio_explicit = is_explicit;
    state->sources[DJP_SETTING_SAMPLE_RATIO] = source;
}

/* Reads a sampler name into kind and parent_based. */
static int
sampler_parse_name(djp__config_value *out, int *parent_based, const char *name)
{
    static const char prefix[] = "parentbased_";
    djp_text text = djp__text(name);
    size_t prefix_size = sizeof prefix - 1;
    *parent_based = 0;
    if (text.size > prefix_size) {
        char head[sizeof prefix];
        memcpy(head, text.data, prefix_size);
        head[prefix_size] = '\0';
        *parent_based = djp__text_equal_nocase(djp__text(head), prefix);
    }
    if (*parent_based) {
        text.data += prefix_size;
        text.size -= prefix_size;
    }
    return djp__config_parse(out, &djp__config_table[DJP_SETTING_SAMPLER], DJP_FORM_WORD, text);
}

/* Stores a tree. A tree that is only a ratio is stored as that, which costs less. */
static void
sampler_take_tree(djp__config_state *state, const djp__config_given *given,
                  djp__config_sampler *tree)
{
    double ratio = tree->ratio;
    djp__config_set_number(state, DJP_SETTING_PARENT_BASED, tree->parent_based, given->name);
    if (tree->is_ratio) {
        djp__config_set_number(state, DJP_SETTING_SAMPLER,
                               ratio > 0 ? DJP_SAMPLER_RATIO : DJP_SAMPLER_ALWAYS_OFF, given->name);
        sampler_set_ratio(state, ratio, ratio > 0 || !tree->parent_based, given->name);
        djp__free(tree->text);
        return;
    }
    djp__free(state->out->sampler_text);
    state->out->sampler_text = tree->text;
    djp__config_set_number(state, DJP_SETTING_SAMPLER, DJP_SAMPLER_TREE, given->name);
    sampler_set_ratio(state, 1.0, 0, given->name);
}

/* Reads the text of a tree; 0 after a warning if it is invalid. */
static int
sampler_read_tree(djp__config_state *state, const djp__config_given *given)
{
    djp__config_sampler tree;
    int result = state->parsers->sampler(&tree, djp__text(given->text));
    state->failed |= result == DJP_ENOMEM;
    if (result == 0) {
        sampler_take_tree(state, given, &tree);
        return 1;
    }
    if (result == DJP_ENOMEM) {
        return 0;
    }
    if (djp__text_equal_nocase(djp__text(given->text), "xray")) {
        djp__config_warn(state, given,
                         "%s is xray, which is not supported. It is ignored, as if it were not "
                         "set: a caller's decision "
                         "holds, and below none the sample ratio.",
                         given->name);
    } else if (strpbrk(given->text, "({") == NULL) {
        djp__config_warn_value(state, given,
                               "one of always_on, always_off, traceidratio, jaeger_remote, one of "
                               "these behind parentbased_, or a tree of "
                               "samplers");
    } else {
        int shown = (int)djp__utf8_cut(given->text + tree.error_at,
                                       strlen(given->text + tree.error_at), 20);
        djp__config_warn(state, given,
                         "%s is not a sampler: at character %zu (\"%.*s\") %s is expected. It is "
                         "ignored, as if it were not "
                         "set: correct or remove it.",
                         given->name, tree.error_at + 1, shown, given->text + tree.error_at,
                         tree.expected);
    }
    return 0;
}

typedef enum sampler_found { SAMPLER_NONE, SAMPLER_WORD, SAMPLER_COMPLETE } sampler_found;

/* Reads the first valid sampler. */
static sampler_found
sampler_read_name(djp__config_state *state, djp__config_given *given)
{
    size_t at = 0;
    while (djp__config_next(given, state, DJP_SETTING_SAMPLER, &at)) {
        djp__config_value value;
        int parent_based;
        if (sampler_parse_name(&value, &parent_based, given->text)) {
            djp__config_set_number(state, DJP_SETTING_SAMPLER, value.integer, given->name);
            djp__config_set_number(state, DJP_SETTING_PARENT_BASED, parent_based, given->name);
            return SAMPLER_WORD;
        }
        if (sampler_read_tree(state, given)) {
            return SAMPLER_COMPLETE;
        }
    }
    return SAMPLER_NONE;
}

/* Reads the first valid ratio among the sources of the row from first to last into given. Returns
 * 0 if there is none. */
static int
sampler_read_ratio(djp__config_given *given, djp__config_state *state, size_t first, size_t last)
{
    size_t at = first;
    while (djp__config_next(given, state, DJP_SETTING_SAMPLE_RATIO, &at) && given->index <= last) {
        if (djp__config_store(state, DJP_SETTING_SAMPLE_RATIO, given)) {
            state->out->sample_ratio_explicit = 1;
            return 1;
        }
    }
    return 0;
}

static void
sampler_default_ratio(djp__config_state *state)
{
    const char *word = state->out->environment_short;
    if (strcmp(word, "dev") == 0 || strcmp(word, "staging") == 0) {
        sampler_set_ratio(state, 1.0, 0, state->sources[DJP_SETTING_ENVIRONMENT]);
    }
}

/* The ratio of a named sampler. */
static void
sampler_complete(djp__config_state *state, const char *source, int ratio_given)
{
    djp__config_given given;
    switch (state->out->sampler) {
    case DJP_SAMPLER_ALWAYS_ON:
        sampler_set_ratio(state, 1.0, 1, source);
        break;
    case DJP_SAMPLER_ALWAYS_OFF:
        /* With a parent-based sampler, traces sampled by a parent are still exported. */
        sampler_set_ratio(state, 0.0, !state->out->parent_based, source);
        break;
    case DJP_SAMPLER_TREE: /* complete as it is */
        break;
    case DJP_SAMPLER_RATIO:
        if (!ratio_given &&
            !sampler_read_ratio(&given, state, SAMPLER_ARGUMENT_INDEX, SAMPLER_ARGUMENT_INDEX)) {
            sampler_set_ratio(state, 1.0, 0, source);
        }
        break;
    case DJP_SAMPLER_JAEGER_REMOTE:
        if (djp__config_remote_sampling(state, 1)) {
            state->out->sample_ratio_explicit = 1;
        } else {
            sampler_default_ratio(state);
        }
        break;
    }
}

/* Returns the first source of a setting, valid or not; SIZE_MAX if none is set. */
static size_t
sampler_first_index(djp__config_state *state, djp__setting setting, size_t from,
                    djp__config_given *given)
{
    size_t at = from;
    return djp__config_next(given, state, setting, &at) ? given->index : SIZE_MAX;
}

static void
sampler_warn_lone_argument(djp__config_state *state)
{
    djp__config_given given;
    if (sampler_first_index(state, DJP_SETTING_SAMPLER, 0, &given) == SIZE_MAX &&
        sampler_first_index(state, DJP_SETTING_SAMPLE_RATIO, SAMPLER_ARGUMENT_INDEX, &given) ==
            SAMPLER_ARGUMENT_INDEX) {
        djp__config_warn(state, &given,
                         "%s has no effect without a sampler: set OTEL_TRACES_SAMPLER, too.",
                         given.name);
    }
}

static void
sampler_put_below_parent(djp__config_state *state, const djp__config_given *given)
{
    djp__config_sampler tree = {0};
    djp__buf text;
    djp__buf_init(&text, 0);
    djp__buf_text(&text, "parent_threshold(");
    djp__buf_text(&text, state->out->sampler_text);
    djp__buf_char(&text, ')');
    int result = state->parsers->sampler(&tree, (djp_text){text.data, text.size});
    char *wrapped = djp__buf_take(&text, NULL);
    state->failed |= wrapped == NULL || result == DJP_ENOMEM;
    if (result == 0 && wrapped != NULL) {
        djp__free(state->out->sampler_text);
        state->out->sampler_text = wrapped;
        wrapped = NULL;
    } else if (result == DJP_EINVAL) {
        djp__config_set_number(state, DJP_SETTING_PARENT_BASED, 0,
                               state->sources[DJP_SETTING_SAMPLER]);
        djp__config_warn(state, given,
                         "%s has no effect: the sampler has too many levels to go below a parent.",
                         given->name);
    }
    djp__free(wrapped);
    djp__free(tree.text);
}

/* The option parent_based. A tree defines the effect of a parent itself, unless its root does not
 * and the option requests it. */
static void
sampler_read_parent(djp__config_state *state, const djp__config_given *given)
{
    djp_options *out = state->out;
    int before = out->parent_based;
    if (!djp__config_store(state, DJP_SETTING_PARENT_BASED, given) ||
        out->sampler != DJP_SAMPLER_TREE) {
        return;
    }
    if (out->parent_based && !before) {
        sampler_put_below_parent(state, given);
    } else if (!out->parent_based && before) {
        djp__config_set_number(state, DJP_SETTING_PARENT_BASED, 1,
                               state->sources[DJP_SETTING_SAMPLER]);
        djp__config_warn(state, given,
                         "%s has no effect: the sampler has parent_threshold at its top.",
                         given->name);
    }
}

/* Warns of a ratio together with a tree, unless it was set for other samplers. */
static void
sampler_warn_ratio(djp__config_state *state)
{
    djp__config_given given;
    size_t index = sampler_first_index(state, DJP_SETTING_SAMPLE_RATIO, 0, &given);
    if (index <= SAMPLER_ARGUMENT_INDEX) {
        djp__config_warn(
            state, &given,
            "%s has no effect beside a tree of samplers: write probability(..) into that.",
            given.name);
    }
}

/* A ratio of 0 set by the program exports nothing, whatever sampler is configured. zero is the
 * source of that ratio. */
static void
sampler_keep_zero(djp__config_state *state, const djp__config_given *zero)
{
    djp_options *out = state->out;
    int is_zero = out->sample_ratio == 0 && out->sample_ratio_explicit;
    if (is_zero && out->sampler != DJP_SAMPLER_JAEGER_REMOTE) {
        return;
    }
    djp__config_warn(state, zero, "%s is 0, so nothing is exported, and the sampler has no effect.",
                     zero->name);
    out->sampler_text[0] = '\0';
    djp__config_set_number(state, DJP_SETTING_SAMPLER, DJP_SAMPLER_RATIO, zero->name);
    sampler_set_ratio(state, 0, 1, zero->name);
}

void
djp__config_rule_sampler(djp__config_state *state)
{
    djp__config_given given, ratio;
    state->out->sampler_text = djp__strdup("");
    state->failed |= state->out->sampler_text == NULL;
    int ratio_given = sampler_read_ratio(&ratio, state, 0, DJP_GIVEN_OWN);
    int zero_given = ratio_given && state->out->sample_ratio == 0;
    sampler_found named = SAMPLER_NONE;
    if (!ratio_given || sampler_first_index(state, DJP_SETTING_SAMPLER, 0, &given) <= ratio.index) {
        named = sampler_read_name(state, &given);
    }
    if (named == SAMPLER_WORD) {
        sampler_complete(state, given.name, ratio_given);
    } else if (named == SAMPLER_NONE && !ratio_given) {
        sampler_warn_lone_argument(state);
        if (!sampler_read_ratio(&given, state, SAMPLER_ARGUMENT_INDEX + 1, SIZE_MAX)) {
            sampler_default_ratio(state);
        }
    }
    if (zero_given && !state->failed) {
        sampler_keep_zero(state, &ratio);
    } else if (named == SAMPLER_COMPLETE) {
        sampler_warn_ratio(state);
    }
    if (state->out->sampler != DJP_SAMPLER_JAEGER_REMOTE) {
        djp__config_remote_sampling(state, 0);
    }
    if (sampler_first_index(state, DJP_SETTING_PARENT_BASED, 0, &given) <= DJP_GIVEN_OWN) {
        sampler_read_parent(state, &given);
    }
}
