/* Settings that are lists of words: propagators, HTTP methods, excluded paths, baggage entries, and
 * the opt-in to semantic conventions. Lists are normalised here, so that readers only split at
 * commas. */
#include "config/config.h"

#include "base/str.h"

#include <string.h>

/* 1: the comma-separated list contains the word. */
static int
lists_contain(const djp__buf *list, djp_text word)
{
    djp_text rest = {list->size == 0 ? NULL : list->data, list->size};
    djp_text have;
    while (djp__text_split(&have, &rest, ',')) {
        if (have.size == word.size && memcmp(have.data, word.data, word.size) == 0) {
            return 1;
        }
    }
    return 0;
}

static void
lists_add(djp__buf *list, djp_text word)
{
    if (!lists_contain(list, word)) {
        if (list->size != 0) {
            djp__buf_char(list, ',');
        }
        djp__buf_append(list, word.data, word.size);
    }
}

/* Adds one word to the list. Returns 0 if the word is invalid. */
typedef int (*lists_take)(djp__buf *list, djp_text word);

static int
lists_take_propagator(djp__buf *list, djp_text word)
{
    static const char *const known[] = {"tracecontext", "baggage", "none", NULL};
    for (size_t i = 0; known[i] != NULL; i++) {
        if (djp__text_equal_nocase(word, known[i])) {
            lists_add(list, djp__text(known[i]));
            return 1;
        }
    }
    return 0;
}

enum { LISTS_METHOD_MAX = 32 };
/* Methods are case-sensitive. */
static int
lists_take_method(djp__buf *list, djp_text word)
{
    if (word.size > LISTS_METHOD_MAX) {
        return 0;
    }
    for (size_t i = 0; i < word.size; i++) {
        char c = word.data[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_')) {
            return 0;
        }
    }
    lists_add(list, word);
    return 1;
}

static int
lists_take_path(djp__buf *list, djp_text word)
{
    const char *star = memchr(word.data, '*', word.size);
    if ((word.data[0] != '/' && word.data[0] != '*') ||
        (star != NULL && star != word.data + word.size - 1)) {
        return 0;
    }
    lists_add(list, word);
    return 1;
}

/* A key as in W3C Baggage, a token; a star is valid at the end only. */
static int
lists_take_baggage_key(djp__buf *list, djp_text word)
{
    for (size_t i = 0; i < word.size; i++) {
        char c = word.data[i];
        int is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_letter && (c == '*' ? i + 1 < word.size : strchr("!#$%&'+-.^_`|~", c) == NULL)) {
            return 0;
        }
    }
    lists_add(list, word);
    return 1;
}

/* Reads the first source with a valid word; invalid words are skipped with one warning. */
static void
lists_read(djp__config_state *state, djp__setting setting, lists_take take, const char *expectation)
{
    djp__config_given given;
    size_t at = 0;
    djp__buf list;
    djp__buf_init(&list, 0);
    while (list.size == 0 && !list.failed && djp__config_next(&given, state, setting, &at)) {
        djp_text rest = djp__text(given.text);
        djp_text word;
        size_t bad = 0;
        while (djp__text_split(&word, &rest, ',')) {
            word = djp__text_trim(word);
            bad += word.size != 0 && !take(&list, word);
        }
        if (bad != 0) {
            int shown = (int)djp__utf8_cut(given.text, strlen(given.text), 60);
            djp__config_warn(
                state, &given,
                "%s is \"%.*s\", where %s expected. What is not is left out: correct or remove it.",
                given.name, shown, given.text, expectation);
        }
    }
    state->failed |= list.failed;
    if (list.size != 0 && !list.failed) {
        djp__config_set_text(state, setting, (djp_text){list.data, list.size}, given.name);
    }
    djp__buf_fini(&list);
}

/* "none" together with others has no effect. */
static void
lists_resolve_none(djp__config_state *state)
{
    djp__buf kept;
    djp__buf_init(&kept, 0);
    djp_text rest = djp__text(state->out->propagators);
    djp_text word;
    while (djp__text_split(&word, &rest, ',')) {
        if (!djp__text_equal(word, "none")) {
            lists_add(&kept, word);
        }
    }
    state->failed |= kept.failed;
    if (!kept.failed) {
        djp__config_set_text(state, DJP_SETTING_PROPAGATORS, (djp_text){kept.data, kept.size},
                             state->sources[DJP_SETTING_PROPAGATORS]);
    }
    djp__buf_fini(&kept);
}

/* The opt-in variable serves many instrumentations, so words of others are valid. */
static void
lists_read_semconv(djp__config_state *state)
{
    djp__config_given given;
    size_t at = 0;
    while (djp__config_next(&given, state, DJP_SETTING_SEMCONV, &at)) {
        if (given.index <= DJP_GIVEN_OWN) {
            if (djp__config_store(state, DJP_SETTING_SEMCONV, &given)) {
                return;
            }
            continue;
        }
        djp_text rest = djp__text(given.text);
        djp_text word;
        djp_semconv found = DJP_SEMCONV_OLD;
        while (djp__text_split(&word, &rest, ',')) {
            word = djp__text_trim(word);
            if (djp__text_equal_nocase(word, "http/dup")) {
                found = DJP_SEMCONV_BOTH;
            } else if (djp__text_equal_nocase(word, "http") && found == DJP_SEMCONV_OLD) {
                found = DJP_SEMCONV_STABLE;
            }
        }
        if (found != DJP_SEMCONV_OLD) {
            djp__config_set_number(state, DJP_SETTING_SEMCONV, (int)found, given.name);
        }
    }
}

void
djp__config_rule_lists(djp__config_state *state)
{
    lists_read(state, DJP_SETTING_PROPAGATORS, lists_take_propagator,
               "tracecontext, baggage or none are");
    lists_resolve_none(state);
    lists_read(state, DJP_SETTING_KNOWN_METHODS, lists_take_method, "HTTP methods are");
    lists_read(state, DJP_SETTING_EXCLUDED_PATHS, lists_take_path,
               "paths that begin with / and may end in * are");
    lists_read(state, DJP_SETTING_BAGGAGE_ATTRIBUTES, lists_take_baggage_key,
               "keys of baggage, which may end in *, are");
    lists_read_semconv(state);
}
