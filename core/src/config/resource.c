/* Resource attributes, service name and environment. A malformed member of a list is skipped with a
 * warning; the others apply. */
#include "config/config.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

enum { RESOURCE_ATTRIBUTES_MAX = 1024 };

/* Keys with a separate setting; they are not repeated in the list. */
static const char *const resource_own_keys[] = {"service.name",
                                                "service.namespace",
                                                "service.version",
                                                "deployment.environment.name",
                                                "env",
                                                NULL};

static int
resource_text_is_clean(djp_text text)
{
    for (size_t i = 0; i < text.size; i++) {
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f) {
            return 0;
        }
    }
    return djp__utf8_valid(text.data, text.size);
}

/* Decodes into the arena. Returns 0 if the encoding or the UTF-8 is invalid. */
static int
resource_decode(djp_text *out, djp__config_state *state, djp_text text)
{
    djp__buf decoded;
    djp__buf_init(&decoded, 0);
    int good = djp__percent_decode(&decoded, djp__text_trim(text));
    djp_text raw = {decoded.size == 0 ? "" : decoded.data, decoded.size};
    good = good && resource_text_is_clean(raw);
    if (good) {
        out->data = djp__config_copy(state, raw);
        out->size = state->failed ? 0 : raw.size;
    }
    state->failed |= decoded.failed;
    djp__buf_fini(&decoded);
    return good;
}

static int
resource_put(djp__config_attributes *list, djp__config_state *state, djp__config_attribute item)
{
    size_t i = 0;
    while (i < list->count &&
           (list->items[i].key.size != item.key.size ||
            memcmp(list->items[i].key.data, item.key.data, item.key.size) != 0)) {
        i++;
    }
    if (i == RESOURCE_ATTRIBUTES_MAX) {
        return 0;
    }
    if (i == list->count && (i == 0 || (i >= 16 && (i & (i - 1)) == 0))) {
        djp__config_attribute *grown =
            djp__arena_alloc(&state->arena, (i == 0 ? 16 : 2 * i) * sizeof *grown);
        if (grown == NULL) {
            state->failed = 1;
            return 0;
        }
        if (i != 0) {
            memcpy(grown, list->items, i * sizeof *grown);
        }
        list->items = grown;
    }
    list->items[i] = item;
    list->count += i == list->count;
    return 1;
}

static int
resource_parse_member(djp__config_attributes *out, djp__config_state *state, djp_text member)
{
    djp__config_attribute item;
    const char *equals = memchr(member.data, '=', member.size);
    if (equals == NULL) {
        return 0;
    }
    size_t key_size = (size_t)(equals - member.data);
    return resource_decode(&item.key, state, (djp_text){member.data, key_size}) &&
           item.key.size != 0 &&
           resource_decode(&item.value, state,
                           (djp_text){equals + 1, member.size - key_size - 1}) &&
           resource_put(out, state, item);
}

/* Reads the valid members. Returns the number of the others; *bad is the first. */
static size_t
resource_parse(djp__config_attributes *out, djp__config_state *state, djp_text list, djp_text *bad)
{
    djp_text member;
    size_t bad_count = 0;
    while (djp__text_split(&member, &list, ',')) {
        member = djp__text_trim(member);
        if (member.size != 0 && !resource_parse_member(out, state, member)) {
            *bad = bad_count++ == 0 ? member : *bad;
        }
    }
    return bad_count;
}

static void
resource_warn_bad(djp__config_state *state, const djp__config_given *given, djp_text bad,
                  size_t count)
{
    const char *equals = memchr(bad.data, '=', bad.size); /* its value is not shown */
    size_t size = equals == NULL ? bad.size : (size_t)(equals - bad.data);
    djp__config_warn(state, given,
                     "%s has %zu of its entries left out, the first is \"%.*s\": not key=value "
                     "with percent-encoded UTF-8, "
                     "or more than %d. The others count: correct or remove it.",
                     given->name, count, (int)djp__utf8_cut(bad.data, size, 40), bad.data,
                     RESOURCE_ATTRIBUTES_MAX);
}

static void
resource_read_lists(djp__config_state *state)
{
    djp__config_given given;
    size_t at = 0;
    while (djp__config_next(&given, state, DJP_SETTING_RESOURCE_ATTRIBUTES, &at)) {
        djp__config_attributes *list = given.option ? &state->option_attributes
                                       : given.index < DJP_GIVEN_SOURCE
                                           ? &state->own_attributes
                                           : &state->variable_attributes;
        djp_text bad_member = {NULL, 0};
        size_t bad = resource_parse(list, state, djp__text(given.text), &bad_member);
        if (bad != 0) {
            resource_warn_bad(state, &given, bad_member, bad);
        }
        if (list->count != 0 &&
            strcmp(state->sources[DJP_SETTING_RESOURCE_ATTRIBUTES], "default") == 0) {
            state->sources[DJP_SETTING_RESOURCE_ATTRIBUTES] = given.name;
        }
    }
}

static int
resource_is_own_key(djp_text key)
{
    for (size_t i = 0; resource_own_keys[i] != NULL; i++) {
        if (djp__text_equal(key, resource_own_keys[i])) {
            return 1;
        }
    }
    return 0;
}

static void
resource_write(djp__buf *out, const djp__config_attributes *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (resource_is_own_key(list->items[i].key)) {
            continue;
        }
        if (out->size != 0) {
            djp__buf_char(out, ',');
        }
        djp__percent_encode(out, list->items[i].key, NULL);
        djp__buf_char(out, '=');
        djp__percent_encode(out, list->items[i].value, NULL);
    }
}

/* Merges all lists; earlier ones have priority. */
static void
resource_merge(djp__config_state *state)
{
    djp__config_attributes all = {NULL, 0};
    for (size_t i = 0; i < state->variable_attributes.count; i++) {
        resource_put(&all, state, state->variable_attributes.items[i]);
    }
    for (size_t i = 0; i < state->own_attributes.count; i++) {
        resource_put(&all, state, state->own_attributes.items[i]);
    }
    for (size_t i = 0; i < state->option_attributes.count; i++) {
        resource_put(&all, state, state->option_attributes.items[i]);
    }
    djp__buf text;
    djp__buf_init(&text, 0);
    resource_write(&text, &all);
    state->failed |= text.failed;
    if (!text.failed) {
        djp__config_set_text(state, DJP_SETTING_RESOURCE_ATTRIBUTES,
                             (djp_text){text.data, text.size},
                             state->sources[DJP_SETTING_RESOURCE_ATTRIBUTES]);
    }
    djp__buf_fini(&text);
}

/* Document 000 uses app and service for the standard's service.namespace and service.name. */
static void
resource_default_service_name(djp__config_state *state)
{
    const djp__config_attributes *lists[] = {&state->option_attributes, &state->own_attributes,
                                             &state->variable_attributes};
    for (size_t l = 0; l < sizeof lists / sizeof lists[0]; l++) {
        for (size_t i = 0; i < lists[l]->count; i++) {
            if (djp__text_equal(lists[l]->items[i].key, "service") &&
                lists[l]->items[i].value.size != 0) {
                djp__config_set_text(state, DJP_SETTING_SERVICE_NAME, lists[l]->items[i].value,
                                     state->sources[DJP_SETTING_RESOURCE_ATTRIBUTES]);
                return;
            }
        }
    }
    djp_text name = djp__text_trim(djp__text(state->default_service_name));
    if (name.size != 0) {
        djp__config_set_text(state, DJP_SETTING_SERVICE_NAME,
                             djp__text(djp__config_copy(state, name)), "default");
    }
}

/* dev, staging, prod for their synonyms, else the configured name. */
static void
resource_shorten_environment(djp__config_state *state)
{
    static const char *const synonyms[][2] = {
        {"prod", "prod"},       {"production", "prod"}, {"dev", "dev"},        {"local", "dev"},
        {"development", "dev"}, {"stage", "staging"},   {"staging", "staging"}};
    const char *word = state->out->environment;
    for (size_t i = 0; i < sizeof synonyms / sizeof synonyms[0]; i++) {
        if (djp__text_equal_nocase(djp__text(state->out->environment), synonyms[i][0])) {
            word = synonyms[i][1];
        }
    }
    state->out->environment_short = djp__strdup(word);
    state->failed |= state->out->environment_short == NULL;
}

void
djp__config_rule_resource(djp__config_state *state)
{
    resource_read_lists(state);
    resource_merge(state);
    if (!djp__config_read(state, DJP_SETTING_SERVICE_NAME)) {
        resource_default_service_name(state);
    }
    djp__config_read(state, DJP_SETTING_SERVICE_NAMESPACE);
    djp__config_read(state, DJP_SETTING_SERVICE_VERSION);
    djp__config_read(state, DJP_SETTING_ENVIRONMENT);
    resource_shorten_environment(state);
}
