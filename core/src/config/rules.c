/* The rules for the switch, the backend, the exporter and metrics: settings whose default depends
 * on other settings. Each rule warns at most once of one cause. */
#include "config/config.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

/* Reads a switch. Text that is neither true nor false counts as false, so that a typing error does
 * not enable telemetry. */
static int
rules_read_switch(djp__config_state *state, const djp__config_given *given)
{
    djp__config_value value;
    int good = djp__config_parse(&value, &djp__config_table[DJP_SETTING_ENABLED], given->form,
                                 djp__text(given->text));
    if (good != 1) {
        int shown = (int)djp__utf8_cut(given->text, strlen(given->text), 60);
        djp__config_warn(
            state, given,
            "%s is \"%.*s\", which is not true or false. It counts as false: write true or false.",
            given->name, shown, given->text);
    }
    return value.integer;
}

/* It overrides the option too, so that operations can switch off a program. But it may be meant for
 * another SDK of the process: the SDK's variable overrides it. */
static void
rules_disable(djp__config_state *state, const char *killer)
{
    const char *wanted_by = state->sources[DJP_SETTING_ENABLED];
    if (state->out->enabled) {
        djp__config_warn(state, NULL,
                         "%s is true, so telemetry stays off, although %s is on. Set "
                         "DJP_TELEMETRY_ENABLED=true to have "
                         "it beside another SDK that the variable was meant for.",
                         killer, wanted_by);
    }
    djp__config_set_number(state, DJP_SETTING_ENABLED, 0, killer);
}

void
djp__config_rule_enabled(djp__config_state *state)
{
    enum { KILL_SWITCH_INDEX = DJP_GIVEN_SOURCE }; /* OTEL_SDK_DISABLED in the row */
    djp__config_given given;
    size_t at = 0;
    int decided = 0, own_is_on = 0;
    const char *killer = NULL;
    while (djp__config_next(&given, state, DJP_SETTING_ENABLED, &at)) {
        if (given.index == KILL_SWITCH_INDEX) {
            killer = rules_read_switch(state, &given) ? given.name : NULL;
            continue;
        }
        if (decided && given.index != DJP_GIVEN_OWN) {
            continue;
        }
        int on = rules_read_switch(state, &given);
        own_is_on |= given.index == DJP_GIVEN_OWN && on;
        if (!decided) {
            decided = 1;
            djp__config_set_number(state, DJP_SETTING_ENABLED, on, given.name);
        }
    }
    if (killer != NULL && !own_is_on) {
        rules_disable(state, killer);
    }
    state->quiet = !state->out->enabled;
}

static int
rules_switched_by(const djp__config_state *state, const char *source)
{
    return strcmp(state->sources[DJP_SETTING_ENABLED], source) == 0;
}

void
djp__config_rule_backend(djp__config_state *state)
{
    djp__config_given given;
    size_t at = 0;
    if (djp__config_read(state, DJP_SETTING_BACKEND) || !state->out->enabled) {
        return;
    }
    if (djp__config_next(&given, state, DJP_SETTING_BACKEND, &at)) {
        return; /* An invalid word caused a warning and means noop. */
    }
    if (rules_switched_by(state, "TELEMETRY_ENABLED")) {
        djp__config_warn(state, NULL,
                         "TELEMETRY_ENABLED is on but TELEMETRY_BACKEND is not set, so nothing is "
                         "recorded. Set it to prom, otel or "
                         "hybrid.");
    } else {
        djp__config_set_number(state, DJP_SETTING_BACKEND, DJP_BACKEND_HYBRID, "default");
    }
}

int
djp__config_otlp_protocol(djp_text word)
{
    static const struct {
        const char *word;
        djp_protocol protocol;
    } words[] = {{"otlp_proto_grpc", DJP_PROTOCOL_GRPC},
                 {"otlp_proto_http", DJP_PROTOCOL_HTTP_PROTOBUF}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (djp__text_equal_nocase(word, words[i].word)) {
            return (int)words[i].protocol;
        }
    }
    return -1;
}

/* The exporters of one signal. */
typedef struct rules_exporters {
    djp__setting exporter, file_path;
    const char *names;
    unsigned *further; /* in the options */
} rules_exporters;

/* Returns the exporter of a word, or -1. */
static int
rules_exporter_of(djp__setting setting, djp_text word)
{
    djp__config_value value;
    if (djp__text_equal_nocase(word, "otlp/stdout")) {
        return DJP_EXPORTER_FILE;
    }
    if (djp__config_otlp_protocol(word) >= 0) {
        return DJP_EXPORTER_OTLP;
    }
    return djp__config_parse(&value, &djp__config_table[setting], DJP_FORM_WORD, word)
               ? value.integer
               : -1;
}

/* Sets the exporters of a list: OTLP is the first of several, otherwise the one named first. With
 * "none" among them nothing is exported. */
static void
rules_set_exporters(djp__config_state *state, const rules_exporters *exporters,
                    const djp__config_given *given, unsigned named, int named_first)
{
    int first = named_first;
    if (named & 1u << DJP_EXPORTER_NONE) {
        first = DJP_EXPORTER_NONE;
    } else if (named & 1u << DJP_EXPORTER_OTLP) {
        first = DJP_EXPORTER_OTLP;
    }
    unsigned further = named & ~(1u << first);
    if (first == DJP_EXPORTER_NONE && further != 0) {
        djp__config_warn(state, given,
                         "%s names none and other exporters, so nothing is exported. Remove none "
                         "to use the others.",
                         given->name);
        further = 0;
    }
    djp__config_set_number(state, exporters->exporter, first, given->name);
    *exporters->further = further;
}

/* One name or several. */
static int
rules_take_exporter(djp__config_state *state, const rules_exporters *exporters,
                    const djp__config_given *given)
{
    djp_text rest = djp__text(given->text);
    djp_text word;
    unsigned named = 0;
    int named_first = -1, bad = 0;
    while (djp__text_split(&word, &rest, ',')) {
        word = djp__text_trim(word);
        int exporter = word.size == 0 ? -1 : rules_exporter_of(exporters->exporter, word);
        bad |= word.size != 0 && exporter < 0;
        if (exporter >= 0) {
            named |= 1u << exporter;
            named_first = named_first < 0 ? exporter : named_first;
        }
        /* The standard variable has a separate value for OTLP JSON on standard output. */
        if (djp__text_equal_nocase(word, "otlp/stdout")) {
            djp__config_set_text(state, exporters->file_path, djp__text("-"), given->name);
        }
    }
    if (named == 0) {
        char expected[96];
        snprintf(expected, sizeof expected, "one of %s", exporters->names);
        djp__config_warn_value(state, given, expected);
        return 0;
    }
    rules_set_exporters(state, exporters, given, named, named_first);
    if (bad) {
        int shown = (int)djp__utf8_cut(given->text, strlen(given->text), 60);
        djp__config_warn(state, given,
                         "%s is \"%.*s\", of which only %s are known. "
                         "The other names are left out: correct or remove them.",
                         given->name, shown, given->text, exporters->names);
    }
    return 1;
}

void
djp__config_rule_exporter(djp__config_state *state)
{
    const rules_exporters exporters = {DJP_SETTING_EXPORTER, DJP_SETTING_FILE_PATH,
                                       "otlp, console, none, file, memory",
                                       &state->out->further_exporters};
    djp__config_given given;
    size_t at = 0;
    int endpoint_given = strcmp(state->sources[DJP_SETTING_ENDPOINT], "default") != 0;
    while (djp__config_next(&given, state, DJP_SETTING_EXPORTER, &at)) {
        if (!rules_take_exporter(state, &exporters, &given)) {
            continue;
        }
        if (state->out->exporter == DJP_EXPORTER_OTLP && !endpoint_given &&
            strcmp(given.name, "OTEL_EXPORTER") == 0) {
            djp__config_warn(state, &given,
                             "OTEL_EXPORTER is otlp but no endpoint is set, so spans go to the "
                             "console. Set OTEL_ENDPOINT.");
            djp__config_set_number(state, DJP_SETTING_EXPORTER, DJP_EXPORTER_CONSOLE, given.name);
            state->out->further_exporters &= ~(1u << DJP_EXPORTER_CONSOLE);
        }
        return;
    }
    if (endpoint_given) {
        djp__config_set_number(state, DJP_SETTING_EXPORTER, DJP_EXPORTER_OTLP,
                               state->sources[DJP_SETTING_ENDPOINT]);
    } else {
        state->out->console_unasked =
            strcmp(state->sources[DJP_SETTING_ENVIRONMENT], "default") != 0 &&
            strcmp(state->out->environment_short, "dev") != 0;
    }
}

/* Detects seconds instead of milliseconds, and the reverse: other SDKs have read the variable as
 * seconds for years. */
void
djp__config_rule_timeout(djp__config_state *state)
{
    enum { SHORT_MS = 200, LONG_S = 1000 };
    djp__config_given given;
    size_t at = 0;
    int found = 0;
    while (!found && djp__config_next(&given, state, DJP_SETTING_EXPORT_TIMEOUT, &at)) {
        found = strcmp(state->sources[DJP_SETTING_EXPORT_TIMEOUT], given.name) == 0;
    }
    if (!found) {
        return;
    }
    uint64_t timeout = state->out->export_timeout_ns;
    if (given.form == DJP_FORM_MILLISECONDS && timeout > 0 && timeout < SHORT_MS * 1000000ull) {
        djp__config_warn(state, &given,
                         "%s is %.20s, which is read as milliseconds, as the standard has it: an "
                         "export that takes "
                         "longer is given up. Write %.0f for seconds.",
                         given.name, given.text, (double)timeout / 1e3);
    } else if (given.form == DJP_FORM_SECONDS && timeout >= LONG_S * 1000000000ull) {
        djp__config_warn(state, &given,
                         "%s is %.20s, which is read as seconds. Write a thousandth of it if "
                         "milliseconds were meant.",
                         given.name, given.text);
    }
}

void
djp__config_rule_metrics_exporter(djp__config_state *state)
{
    static const struct {
        djp__setting own, general;
    } inherited[] = {
        {DJP_SETTING_METRICS_TIMEOUT, DJP_SETTING_EXPORT_TIMEOUT},
        {DJP_SETTING_METRICS_COMPRESSION, DJP_SETTING_COMPRESSION},
        {DJP_SETTING_METRICS_INSECURE, DJP_SETTING_INSECURE},
        {DJP_SETTING_METRICS_CERTIFICATE, DJP_SETTING_CERTIFICATE},
        {DJP_SETTING_METRICS_CLIENT_KEY, DJP_SETTING_CLIENT_KEY},
        {DJP_SETTING_METRICS_CLIENT_CERTIFICATE, DJP_SETTING_CLIENT_CERTIFICATE},
    };
    const rules_exporters exporters = {DJP_SETTING_METRICS_EXPORTER, DJP_SETTING_METRICS_FILE_PATH,
                                       "otlp, console, file, prometheus, none",
                                       &state->out->metrics_further_exporters};
    djp__config_given given;
    size_t at = 0;
    djp_config_warn warn = state->warn;
    while (djp__config_next(&given, state, DJP_SETTING_METRICS_EXPORTER, &at) &&
           !rules_take_exporter(state, &exporters, &given)) {
    }
    for (size_t i = 0; i < sizeof inherited / sizeof inherited[0]; i++) {
        int found = 0, taken = 0;
        at = 0;
        while (!taken && (found = djp__config_next_of_metrics(&given, state, inherited[i].own,
                                                              inherited[i].general, &at)) != 0) {
            state->warn = found == 2 ? NULL : warn;
            taken = djp__config_store(state, inherited[i].own, &given);
            state->warn = warn;
        }
    }
}

/* The specification's exporter of that name listens; our own setting of the exporter does not
 * decide it. */
static void
rules_take_standard_port(djp__config_state *state)
{
    enum { STANDARD_PORT = 9464 };
    static const char variable[] = "OTEL_METRICS_EXPORTER";
    int is_named = state->out->metrics_exporter == DJP_EXPORTER_PROMETHEUS ||
                   (state->out->metrics_further_exporters & 1u << DJP_EXPORTER_PROMETHEUS) != 0;
    if (is_named && strcmp(state->sources[DJP_SETTING_METRICS_EXPORTER], variable) == 0 &&
        strcmp(state->sources[DJP_SETTING_PROMETHEUS_PORT], "default") == 0) {
        djp__config_set_number(state, DJP_SETTING_PROMETHEUS_PORT, STANDARD_PORT, variable);
    }
}

void
djp__config_rule_metrics(djp__config_state *state)
{
    djp_backend backend = state->out->backend;
    const char *named = state->sources[DJP_SETTING_METRICS_EXPORTER];
    if (!djp__config_read(state, DJP_SETTING_METRICS) && strcmp(named, "default") != 0) {
        int is_on = state->out->metrics_exporter != DJP_EXPORTER_NONE;
        djp__config_set_number(state, DJP_SETTING_METRICS, is_on, named);
    }
    rules_take_standard_port(state);
    if (!state->out->enabled || (backend != DJP_BACKEND_PROM && backend != DJP_BACKEND_HYBRID)) {
        djp__setting reason = state->out->enabled ? DJP_SETTING_BACKEND : DJP_SETTING_ENABLED;
        djp__config_set_number(state, DJP_SETTING_METRICS, 0, state->sources[reason]);
    }
}
