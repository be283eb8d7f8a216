/* Resolution: defaults, then the first valid source of each setting, then the rules for dependent
 * settings. An invalid value counts as not set and causes one warning; only lack of memory is an
 * error. */
#include "config/config.h"

#include "base/str.h"
#include "djp/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void *
resolve_field(djp__config_state *state, djp__setting setting)
{
    return (char *)state->out + djp__config_table[setting].offset;
}

const char *
djp__config_copy(djp__config_state *state, djp_text text)
{
    char *copy = djp__arena_alloc(&state->arena, text.size * 3 + 1);
    if (copy == NULL) {
        state->failed = 1;
        return "";
    }
    size_t size =
        text.size == 0 ? 0 : djp__utf8_repair(copy, text.size * 3, text.data, text.size, NULL);
    copy[size] = '\0';
    return copy;
}

void
djp__config_warn(djp__config_state *state, const djp__config_given *given, const char *format, ...)
{
    char text[4096], message[4096]; /* large enough for all unsupported variables */
    int concerns_option = given != NULL && given->option;
    if (state->warn == NULL || (state->quiet && !concerns_option)) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size < 0) {
        return;
    }
    /* Names may contain any bytes, and a long text was cut at any place. */
    size_t length = djp__utf8_repair(message, sizeof message - 1, text, strlen(text), NULL);
    message[length] = '\0';
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)message[i] < 0x20 || message[i] == 0x7f) {
            message[i] = '?';
        }
    }
    state->warn(state->warn_user, message);
}

void
djp__config_warn_value(djp__config_state *state, const djp__config_given *given,
                       const char *expectation)
{
    int shown = (int)djp__utf8_cut(given->text, strlen(given->text), 60);
    djp__config_warn(state, given,
                     "%s is \"%.*s\", which is not %s. It is ignored, as if it were not set: "
                     "correct or remove it.",
                     given->name, shown, given->text, expectation);
}

void
djp__config_own_name(char out[DJP_CONFIG_NAME_MAX], djp__setting setting)
{
    int size =
        snprintf(out, DJP_CONFIG_NAME_MAX, DJP__CONFIG_OWN_PREFIX "%s", djp__config_name(setting));
    for (int i = 0; i < size; i++) {
        out[i] = out[i] >= 'a' && out[i] <= 'z' ? (char)(out[i] - ('a' - 'A')) : out[i];
    }
}

/* The last given override of that keyword, or NULL. */
static const char *
resolve_override(const djp__config_state *state, djp__setting setting)
{
    const char *value = NULL;
    for (size_t i = 0; i < state->override_count; i++) {
        const djp_config_override *override = &state->overrides[i];
        if (override->keyword != NULL && override->value != NULL &&
            strcmp(override->keyword, djp__config_name(setting)) == 0) {
            value = override->value;
        }
    }
    return value;
}

static const char *
resolve_name_of_option(djp__config_state *state, djp__setting setting)
{
    char name[DJP_CONFIG_NAME_MAX + 8];
    static const char before[] = "option ";
    memcpy(name, before, sizeof before);
    djp__config_option_name(name + sizeof before - 1, state, setting);
    return djp__config_copy(state, djp__text(name));
}

static const char *
resolve_name_of_own(djp__config_state *state, djp__setting setting)
{
    char name[DJP_CONFIG_NAME_MAX];
    djp__config_own_name(name, setting);
    return djp__config_copy(state, djp__text(name));
}

/* Finds the first of a comma-separated list of keys. */
static djp_text
resolve_attribute(const djp__config_attributes *attributes, const char *keys)
{
    djp_text rest = djp__text(keys);
    djp_text key;
    while (djp__text_split(&key, &rest, ',')) {
        for (size_t i = 0; i < attributes->count; i++) {
            djp_text have = attributes->items[i].key;
            if (have.size == key.size && memcmp(have.data, key.data, key.size) == 0) {
                return attributes->items[i].value;
            }
        }
    }
    return (djp_text){NULL, 0};
}

/* The raw text of source `index`, {NULL, 0} when it is not set. */
static djp_text
resolve_raw(djp__config_state *state, djp__setting setting, size_t index)
{
    const djp__config_row *row = &djp__config_table[setting];
    djp_text none = {NULL, 0};
    if (index == DJP_GIVEN_OPTION) {
        return djp__text(resolve_override(state, setting));
    }
    if (index == DJP_GIVEN_OPTION_ATTRIBUTE || index == DJP_GIVEN_OWN_ATTRIBUTE) {
        const djp__config_attributes *list =
            index == DJP_GIVEN_OWN_ATTRIBUTE ? &state->own_attributes : &state->option_attributes;
        return row->attributes == NULL ? none : resolve_attribute(list, row->attributes);
    }
    char own[DJP_CONFIG_NAME_MAX];
    const char *variable = own;
    if (index == DJP_GIVEN_OWN) {
        djp__config_own_name(own, setting);
    } else {
        const djp__config_source *source = &row->sources[index - DJP_GIVEN_SOURCE];
        if (source->form == DJP_FORM_ATTRIBUTE) {
            return resolve_attribute(&state->variable_attributes, row->attributes);
        }
        variable = source->variable;
    }
    return state->lookup == NULL ? none : djp__text(state->lookup(state->lookup_user, variable));
}

static size_t
resolve_source_count(const djp__config_row *row)
{
    size_t count = 0;
    while (count < DJP_CONFIG_SOURCES_MAX && row->sources[count].variable != NULL) {
        count++;
    }
    return count;
}

static void
resolve_describe(djp__config_given *out, djp__config_state *state, djp__setting setting,
                 size_t index)
{
    const djp__config_row *row = &djp__config_table[setting];
    int is_attribute = index == DJP_GIVEN_OPTION_ATTRIBUTE || index == DJP_GIVEN_OWN_ATTRIBUTE;
    djp__setting named = is_attribute ? DJP_SETTING_RESOURCE_ATTRIBUTES : setting;
    out->index = index;
    out->option = index < DJP_GIVEN_OWN;
    out->form = index < DJP_GIVEN_SOURCE ? row->form : row->sources[index - DJP_GIVEN_SOURCE].form;
    if (index < DJP_GIVEN_OWN) {
        out->name = resolve_name_of_option(state, named);
    } else if (index < DJP_GIVEN_SOURCE) {
        out->name = resolve_name_of_own(state, named);
    } else {
        out->name = row->sources[index - DJP_GIVEN_SOURCE].variable;
    }
}

static int
resolve_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Removes line ends, which secrets, files and scripts leave after a value. */
static djp_text
resolve_trim(djp_text text)
{
    while (text.size > 0 && resolve_is_space(text.data[text.size - 1])) {
        text.size--;
    }
    while (text.size > 0 && resolve_is_space(text.data[0])) {
        text.data++;
        text.size--;
    }
    return text;
}

int
djp__config_next(djp__config_given *out, djp__config_state *state, djp__setting setting, size_t *at)
{
    size_t end = resolve_source_count(&djp__config_table[setting]) + DJP_GIVEN_SOURCE;
    while (*at < end) {
        size_t index = (*at)++;
        djp_text text = resolve_trim(resolve_raw(state, setting, index));
        if (text.size == 0) {
            continue;
        }
        int too_long = text.size > DJP_CONFIG_VALUE_MAX;
        out->text = too_long ? "" : djp__config_copy(state, text);
        resolve_describe(out, state, setting, index);
        if (!too_long) {
            return !state->failed;
        }
        djp__config_warn(state, out,
                         "%s is longer than %d bytes. It is ignored, as if it were not set: "
                         "shorten or remove it.",
                         out->name, DJP_CONFIG_VALUE_MAX);
    }
    return 0;
}

/* Of the general settings, what is only for traces. */
static int
resolve_is_of_traces(const char *variable)
{
    static const char *const prefixes[] = {"OTEL_EXPORTER_OTLP_TRACES_", "OTEL_BSP_", "JAEGER_"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (strncmp(variable, prefixes[i], strlen(prefixes[i])) == 0) {
            return 1;
        }
    }
    return 0;
}

int
djp__config_next_of_metrics(djp__config_given *out, djp__config_state *state, djp__setting setting,
                            djp__setting general, size_t *at)
{
    enum { GENERAL = 1000 }; /* above all numbers of sources */
    if (*at < GENERAL && djp__config_next(out, state, setting, at)) {
        return 1;
    }
    size_t rest = *at < GENERAL ? 0 : *at - GENERAL;
    int found = 0;
    while (!found && djp__config_next(out, state, general, &rest)) {
        found = resolve_is_of_traces(out->name) ? 0 : 2;
    }
    *at = rest + GENERAL;
    return found;
}

void
djp__config_set_text(djp__config_state *state, djp__setting setting, djp_text text,
                     const char *source)
{
    char **field = resolve_field(state, setting);
    char *copy = djp__strndup(text.size == 0 ? "" : text.data, text.size);
    if (copy == NULL) {
        state->failed = 1;
        return;
    }
    djp__free(*field);
    *field = copy;
    state->sources[setting] = source;
}

void
djp__config_set_number(djp__config_state *state, djp__setting setting, int value,
                       const char *source)
{
    *(int *)resolve_field(state, setting) = value;
    state->sources[setting] = source;
}

static void
resolve_put(djp__config_state *state, djp__setting setting, const djp__config_value *value)
{
    void *field = resolve_field(state, setting);
    switch (djp__config_table[setting].form) {
    case DJP_FORM_SECONDS:
    case DJP_FORM_MILLISECONDS:
    case DJP_FORM_SIZE:
    case DJP_FORM_SPANS:
        *(uint64_t *)field = value->number;
        break;
    case DJP_FORM_COUNT:
        *(uint32_t *)field = (uint32_t)value->number;
        break;
    case DJP_FORM_RATIO:
        *(double *)field = value->real;
        break;
    case DJP_FORM_BOOL:
    case DJP_FORM_TRUE:
    case DJP_FORM_PORT:
    case DJP_FORM_WORD:
        *(int *)field = value->integer;
        break;
    case DJP_FORM_TEXT:
    case DJP_FORM_ATTRIBUTE:
        break;
    }
}

static void
resolve_warn_bad(djp__config_state *state, const djp__config_row *row,
                 const djp__config_given *given, int taken)
{
    djp__buf expectation;
    djp__buf_init(&expectation, 0);
    djp__config_expectation(&expectation, row, given->form);
    djp__buf_char(&expectation, '\0');
    const char *text = expectation.failed ? "what it should be" : expectation.data;
    int shown = (int)djp__utf8_cut(given->text, strlen(given->text), 60);
    if (row == &djp__config_table[DJP_SETTING_BACKEND]) {
        djp__config_warn(state, given,
                         "%s is \"%.*s\", which is not %s. Nothing is recorded: correct it.",
                         given->name, shown, given->text, text);
    } else if (taken == 3) {
        djp__config_warn(
            state, given,
            "%s is %.*s, which is more than there can be: the most that works is used.",
            given->name, shown, given->text);
    } else if (taken) {
        djp__config_warn(
            state, given,
            "%s is \"%.*s\", which is not %s. It counts as false: write true or false.",
            given->name, shown, given->text, text);
    } else {
        djp__config_warn_value(state, given, text);
    }
    djp__buf_fini(&expectation);
}

int
djp__config_store(djp__config_state *state, djp__setting setting, const djp__config_given *given)
{
    const djp__config_row *row = &djp__config_table[setting];
    djp__config_value value;
    if (row->form == DJP_FORM_TEXT) {
        djp__config_set_text(state, setting, djp__text(given->text), given->name);
        return 1;
    }
    int good = djp__config_parse(&value, row, given->form, djp__text(given->text));
    if (good != 1) {
        resolve_warn_bad(state, row, given, good);
    }
    if (good != 0) {
        resolve_put(state, setting, &value);
        state->sources[setting] = given->name;
    }
    return good != 0;
}

int
djp__config_read(djp__config_state *state, djp__setting setting)
{
    djp__config_given given;
    size_t at = 0;
    while (djp__config_next(&given, state, setting, &at)) {
        if (djp__config_store(state, setting, &given)) {
            return 1;
        }
    }
    return 0;
}

static void
resolve_defaults(djp__config_state *state)
{
    for (int i = 0; i < DJP_SETTINGS; i++) {
        djp__setting setting = (djp__setting)i;
        const djp__config_row *row = &djp__config_table[setting];
        djp__config_value value;
        state->sources[setting] = "default";
        if (row->form == DJP_FORM_TEXT) {
            djp__config_set_text(state, setting, djp__text(row->standard), "default");
        } else if (djp__config_parse(&value, row, row->form, djp__text(row->standard))) {
            resolve_put(state, setting, &value);
        }
    }
}

static uint64_t
resolve_power_of_two(uint64_t bytes)
{
    uint64_t power = 65536;
    while (power < bytes) {
        power *= 2;
    }
    return power;
}

/* Reads the settings that depend on no other. */
static void
resolve_unruled(djp__config_state *state)
{
    for (int i = 0; i < DJP_SETTINGS; i++) {
        if (!djp__config_table[i].ruled) {
            djp__config_read(state, (djp__setting)i);
        }
    }
    state->out->ring_bytes = resolve_power_of_two(state->out->ring_bytes);
}

static void (*const resolve_steps[])(djp__config_state *) = {resolve_defaults,
                                                             djp__config_rule_enabled,
                                                             djp__config_check_options,
                                                             djp__config_check_variables,
                                                             resolve_unruled,
                                                             djp__config_rule_resource,
                                                             djp__config_rule_backend,
                                                             djp__config_rule_endpoint,
                                                             djp__config_rule_exporter,
                                                             djp__config_rule_headers,
                                                             djp__config_rule_proxies,
                                                             djp__config_rule_timeout,
                                                             djp__config_rule_sampler,
                                                             djp__config_rule_metrics_exporter,
                                                             djp__config_rule_metrics,
                                                             djp__config_rule_metrics_endpoint,
                                                             djp__config_rule_metrics_headers,
                                                             djp__config_rule_lists,
                                                             djp__config_rule_tail_sampling,
                                                             djp__config_report,
                                                             djp__config_summary};

int
djp__config_resolve(djp_options *out, const djp_config_request *request,
                    const djp__config_parsers *parsers)
{
    djp__config_state state = {
        .out = out,
        .parsers = parsers,
        .lookup = request->lookup,
        .lookup_user = request->lookup_user,
        .overrides = request->overrides,
        .override_count = request->overrides == NULL ? 0 : request->override_count,
        .variables = request->variables,
        .variable_count = request->variables == NULL ? 0 : request->variable_count,
        .default_service_name = request->default_service_name,
        .spelling = request->spelling,
        .warn = request->warn,
        .warn_user = request->warn_user,
    };
    memset(out, 0, sizeof *out);
    djp__arena_init(&state.arena, 0);
    /* Without memory texts may be NULL, which no later step expects. */
    for (size_t i = 0; i < sizeof resolve_steps / sizeof resolve_steps[0] && !state.failed; i++) {
        resolve_steps[i](&state);
    }
    djp__arena_fini(&state.arena);
    if (state.failed) {
        djp_options_fini(out);
        return DJP_ENOMEM;
    }
    return DJP_OK;
}
