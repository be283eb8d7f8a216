/* Warns of set names without effect: standard variables that this SDK does not support, and names
 * that do not exist, with the nearest one that does. */
#include "config/config.h"

#include "base/str.h"

#include <string.h>

/* Of the specification, and of other SDKs' instrumentations, which this SDK configures by other
 * names or not at all. */
static const char *const unknown_unsupported[] = {
    "OTEL_CONFIG_FILE",
    "OTEL_EXPERIMENTAL_CONFIG_FILE",
    "OTEL_ENTITIES",
    "OTEL_LOGS_EXPORTER",
    "OTEL_BLRP_SCHEDULE_DELAY",
    "OTEL_BLRP_EXPORT_TIMEOUT",
    "OTEL_BLRP_MAX_QUEUE_SIZE",
    "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL",
    "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
    "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT",
    "OTEL_EXPORTER_OTLP_LOGS_COMPRESSION",
    "OTEL_EXPORTER_OTLP_LOGS_INSECURE",
    "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY",
    "OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_ZIPKIN_ENDPOINT",
    "OTEL_EXPORTER_ZIPKIN_TIMEOUT",
    "OTEL_EXPORTER_JAEGER_ENDPOINT",
    "OTEL_EXPORTER_JAEGER_AGENT_HOST",
    "OTEL_EXPORTER_JAEGER_AGENT_PORT",
    "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN",
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS",
    "OTEL_NODE_RESOURCE_DETECTORS",
    "OTEL_PYTHON_ID_GENERATOR",
    "OTEL_PYTHON_EXCLUDED_URLS",
    "OTEL_PYTHON_FASTAPI_EXCLUDED_URLS",
    "OTEL_PYTHON_STARLETTE_EXCLUDED_URLS",
    "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST",
    "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE",
    "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST",
    "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_RESPONSE",
    "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS",
};

/* Variables of this SDK that are not settings: used to build or load the core. */
static const char *const unknown_elsewhere[] = {"DJP_TELEMETRY_NATIVE", "DJP_TELEMETRY_CFLAGS",
                                                "DJP_TELEMETRY_LDFLAGS"};

enum {
    UNKNOWN_UNSUPPORTED = sizeof unknown_unsupported / sizeof unknown_unsupported[0],
    UNKNOWN_ELSEWHERE = sizeof unknown_elsewhere / sizeof unknown_elsewhere[0],
    UNKNOWN_PLAIN_MAX = 64, /* compared letters of a name */
    /* with as many wrong letters, a shared variable is another name */
    UNKNOWN_SLIP = 2
};

/* Letters and digits in lower case, so that all spellings of a name are equal. Returns the size. */
static size_t
unknown_plain(char out[UNKNOWN_PLAIN_MAX], const char *name)
{
    size_t size = 0;
    for (const char *c = name; *c != '\0' && size < UNKNOWN_PLAIN_MAX; c++) {
        if (*c >= 'A' && *c <= 'Z') {
            out[size++] = (char)(*c + ('a' - 'A'));
        } else if ((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9')) {
            out[size++] = *c;
        }
    }
    return size;
}

static size_t
unknown_least(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Edit distance: letters changed, inserted, removed or exchanged with their neighbour. */
static size_t
unknown_edits(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t rows[3][UNKNOWN_PLAIN_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_size; j++) {
        last[j] = j;
    }
    for (size_t i = 1; i <= a_size; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t change = last[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = unknown_least(last[j] + 1, row[j - 1] + 1, change);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < row[j]) {
                row[j] = before[j - 2] + 1;
            }
        }
        size_t *free_row = before;
        before = last;
        last = row;
        row = free_row;
    }
    return last[b_size];
}

/* The distance of two names; a name inside the other is near. */
static size_t
unknown_distance(const char *a, const char *b)
{
    char plain_a[UNKNOWN_PLAIN_MAX], plain_b[UNKNOWN_PLAIN_MAX];
    size_t a_size = unknown_plain(plain_a, a), b_size = unknown_plain(plain_b, b);
    size_t edits = unknown_edits(plain_a, a_size, plain_b, b_size);
    size_t half = 1 + (edits + 1) / 2;
    int inside = (a_size < b_size ? memmem(plain_b, b_size, plain_a, a_size)
                                  : memmem(plain_a, a_size, plain_b, b_size)) != NULL;
    return inside && half < edits ? half : edits;
}

/* The distance at which a candidate is unrelated to the name. */
static size_t
unknown_far(const char *name)
{
    char plain[UNKNOWN_PLAIN_MAX];
    return unknown_plain(plain, name) / 3 + 1;
}

/* Returns the setting with the nearest option, DJP_SETTINGS if none is near. */
static djp__setting
unknown_nearest_setting(const char *name)
{
    djp__setting best = DJP_SETTINGS;
    size_t least = unknown_far(name) + 1;
    for (int i = 0; i < DJP_SETTINGS; i++) {
        size_t distance = unknown_distance(name, djp__config_name((djp__setting)i));
        if (distance < least) {
            least = distance;
            best = (djp__setting)i;
        }
    }
    return best;
}

typedef void (*unknown_visit)(void *user, const char *variable);

/* Visits all variables of the table except the SDK's variables of settings. */
static void
unknown_each_source(unknown_visit visit, void *user)
{
    for (int i = 0; i < DJP_SETTINGS; i++) {
        const djp__config_source *sources = djp__config_table[i].sources;
        for (size_t s = 0; s < DJP_CONFIG_SOURCES_MAX && sources[s].variable != NULL; s++) {
            visit(user, sources[s].variable);
        }
    }
}

typedef struct unknown_search {
    const char *name;
    const char *best;
    size_t least; /* distance of best */
} unknown_search;

static void
unknown_compare(void *user, const char *variable)
{
    unknown_search *search = user;
    size_t distance = unknown_edits(variable, strnlen(variable, UNKNOWN_PLAIN_MAX), search->name,
                                    strnlen(search->name, UNKNOWN_PLAIN_MAX));
    distance += strcmp(variable, search->name) != 0; /* only the same name has the distance 0 */
    if (distance < search->least) {
        search->least = distance;
        search->best = variable;
    }
}

static int
unknown_is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return 1;
        }
    }
    return 0;
}

static int
unknown_is_own(const char *name)
{
    char own[DJP_CONFIG_NAME_MAX];
    for (int i = 0; i < DJP_SETTINGS; i++) {
        djp__config_own_name(own, (djp__setting)i);
        if (strcmp(own, name) == 0) {
            return 1;
        }
    }
    return 0;
}

/* A misspelled switch causes a warning even while telemetry is off: it may be the reason. */
static int
unknown_is_switch(const char *variable)
{
    const djp__config_source *sources = djp__config_table[DJP_SETTING_ENABLED].sources;
    for (size_t i = 0; i < DJP_CONFIG_SOURCES_MAX && sources[i].variable != NULL; i++) {
        if (strcmp(sources[i].variable, variable) == 0) {
            return 1;
        }
    }
    return 0;
}

static void
unknown_check_own(djp__config_state *state, const char *name)
{
    static const size_t prefix = sizeof DJP__CONFIG_OWN_PREFIX - 1;
    char own[DJP_CONFIG_NAME_MAX];
    djp__setting nearest = unknown_nearest_setting(name + prefix);
    if (nearest == DJP_SETTINGS) {
        djp__config_warn(
            state, NULL,
            "There is no variable %.80s, so it is ignored: the names are in docs/configuration.md.",
            name);
        return;
    }
    djp__config_own_name(own, nearest);
    djp__config_given switched = {.option = nearest == DJP_SETTING_ENABLED};
    djp__config_warn(state, &switched,
                     "There is no variable %.80s (did you mean %s?), so it is ignored.", name, own);
}

static void
unknown_check_variable(djp__config_state *state, const char *name)
{
    static const char *const prefixes[] = {"OTEL_", "TELEMETRY_"};
    unknown_search search = {name, NULL, UNKNOWN_SLIP + 2};
    int is_ours = strncmp(name, DJP__CONFIG_OWN_PREFIX, sizeof DJP__CONFIG_OWN_PREFIX - 1) == 0;
    int is_shared = 0;
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        is_shared |= strncmp(name, prefixes[i], strlen(prefixes[i])) == 0;
    }
    if ((!is_ours && !is_shared) || unknown_is_own(name) ||
        unknown_is_one_of(name, unknown_elsewhere, UNKNOWN_ELSEWHERE) ||
        unknown_is_one_of(name, unknown_unsupported, UNKNOWN_UNSUPPORTED)) {
        return;
    }
    unknown_each_source(unknown_compare, &search);
    if (search.best != NULL && search.least == 0) {
        return;
    }
    if (is_ours) {
        unknown_check_own(state, name);
    } else if (search.best != NULL) {
        djp__config_given switched = {.option = unknown_is_switch(search.best)};
        djp__config_warn(state, &switched,
                         "There is no variable %.80s (did you mean %s?), so it is ignored.", name,
                         search.best);
    }
}

static int
unknown_is_set(djp__config_state *state, const char *name)
{
    djp_text value = djp__text_trim(djp__text(state->lookup(state->lookup_user, name)));
    /* This SDK exports no logs, so "none" is correct. */
    return value.size != 0 &&
           !(strcmp(name, "OTEL_LOGS_EXPORTER") == 0 && djp__text_equal_nocase(value, "none"));
}

static void
unknown_warn_unsupported(djp__config_state *state)
{
    djp__buf names;
    djp__buf_init(&names, 0);
    for (size_t i = 0; state->lookup != NULL && i < UNKNOWN_UNSUPPORTED; i++) {
        if (unknown_is_set(state, unknown_unsupported[i])) {
            djp__buf_text(&names, names.size == 0 ? "" : ", ");
            djp__buf_text(&names, unknown_unsupported[i]);
        }
    }
    djp__buf_char(&names, '\0');
    state->failed |= names.failed;
    if (!names.failed && names.size > 1) {
        djp__config_warn(state, NULL,
                         "These variables are set but djp-telemetry does not support them, so that "
                         "they change nothing "
                         "here: %s. What it supports is in docs/configuration.md.",
                         names.data);
    }
    djp__buf_fini(&names);
}

static void
unknown_spell(char out[DJP_CONFIG_NAME_MAX], djp__setting setting, djp_letter_case spelling)
{
    size_t size = 0;
    int capital = 0;
    for (const char *c = djp__config_name(setting); *c != '\0' && size + 1 < DJP_CONFIG_NAME_MAX;
         c++) {
        if (spelling == DJP_CAMEL_CASE && *c == '_') {
            capital = 1;
            continue;
        }
        out[size++] = capital && *c >= 'a' && *c <= 'z' ? (char)(*c - ('a' - 'A')) : *c;
        capital = 0;
    }
    out[size] = '\0';
}

void
djp__config_option_name(char out[DJP_CONFIG_NAME_MAX], const djp__config_state *state,
                        djp__setting setting)
{
    unknown_spell(out, setting, state->spelling);
}

void
djp__config_check_options(djp__config_state *state)
{
    for (size_t i = 0; i < state->override_count; i++) {
        const char *keyword = state->overrides[i].keyword;
        char name[DJP_CONFIG_NAME_MAX];
        djp__config_given given = {.option = 1};
        if (keyword == NULL || unknown_is_one_of(keyword, djp_config_keywords(), DJP_SETTINGS)) {
            continue;
        }
        djp__setting nearest = unknown_nearest_setting(keyword);
        if (nearest == DJP_SETTINGS) {
            djp__config_warn(state, &given,
                             "There is no option \"%.60s\", so it is ignored: the names are in "
                             "docs/configuration.md.",
                             keyword);
        } else {
            unknown_spell(name, nearest, state->spelling);
            djp__config_warn(state, &given,
                             "There is no option \"%.60s\" (did you mean %s?), so it is ignored.",
                             keyword, name);
        }
    }
}

void
djp__config_check_variables(djp__config_state *state)
{
    unknown_warn_unsupported(state);
    for (size_t i = 0; i < state->variable_count; i++) {
        if (state->variables[i] != NULL) {
            unknown_check_variable(state, state->variables[i]);
        }
    }
}
