/* Prints as JSON what the core knows about the contract: the table of settings, the status of an
 * instance that is off, the built-in metrics, and the operations that have ended. `make gen` reads
 * it; it is not in the product. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "djp/sdk.h"
#include "instrument/operation.h"
#include "metrics/builtin_table.h"

static void
contract_text(djp__buf *out, const char *key, const char *value)
{
    djp__buf_printf(out, "\"%s\":", key);
    djp__buf_json(out, value != NULL ? value : "", value != NULL ? strlen(value) : 0);
    djp__buf_char(out, ',');
}

static void
contract_words(djp__buf *out, const djp__config_word *words)
{
    djp__buf_text(out, "\"words\":[");
    for (const djp__config_word *word = words; word && word->text; word++) {
        int alias = 0;
        for (const djp__config_word *earlier = words; earlier < word; earlier++) {
            alias |= earlier->value == word->value;
        }
        djp__buf_printf(out, "%s{\"text\":", word == words ? "" : ",");
        djp__buf_json(out, word->text, strlen(word->text));
        djp__buf_printf(out, ",\"alias\":%s}", alias ? "true" : "false");
    }
    djp__buf_text(out, "],");
}

static void
contract_setting(djp__buf *out, int setting)
{
    static const char *const forms[] = {"bool", "bool", "seconds", "seconds", "count", "port",
                                        "size", "size", "real",    "word",    "text",  "text"};
    const djp__config_row *row = &djp__config_table[setting];
    char own[DJP_CONFIG_NAME_MAX];
    djp__config_own_name(own, (djp__setting)setting);
    djp__buf_text(out, setting == 0 ? "{" : ",{");
    contract_text(out, "name", djp__config_name((djp__setting)setting));
    contract_text(out, "form", forms[row->form]);
    contract_text(out, "unit", row->unit);
    contract_text(out, "default", row->standard);
    contract_text(out, "doc", row->doc);
    contract_words(out, row->words);
    djp__buf_text(out, "\"minimum\":");
    djp__buf_double(out, row->minimum);
    djp__buf_text(out, ",\"maximum\":");
    djp__buf_double(out, row->maximum);
    djp__buf_printf(out, ",\"secret\":%s", row->secret ? "true" : "false");
    djp__buf_printf(out, ",\"variables\":[\"%s\"", own);
    for (size_t i = 0; i < DJP_CONFIG_SOURCES_MAX && row->sources[i].variable; i++) {
        djp__buf_printf(out, ",\"%s\"", row->sources[i].variable);
    }
    djp__buf_text(out, "]}");
}

static void
contract_metric(djp__buf *out, size_t place)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    const djp__builtin_definition *metric = &djp__builtin_definitions[place];
    djp__buf_text(out, place == 0 ? "{" : ",{");
    contract_text(out, "name", metric->name);
    contract_text(out, "alias", metric->alias);
    contract_text(out, "type", types[metric->type - 1]);
    contract_text(out, "unit", metric->unit);
    contract_text(out, "doc", metric->help);
    djp__buf_text(out, "\"labels\":[");
    for (size_t i = 0; i < DJP__BUILTIN_LABELS_MAX && metric->labels[i]; i++) {
        djp__buf_printf(out, "%s\"%s\"", i == 0 ? "" : ",", metric->labels[i]);
    }
    djp__buf_text(out, "]}");
}

/* [family, [facts of the labels], fact of the value, whether only failures are recorded] */
static void
contract_recording(djp__buf *out, int is_first, const char *family, const djp__fact *labels,
                   size_t count, djp__fact value, int of_failures)
{
    static const char *const facts[] = {"",        "first",      "second", "seconds",
                                        "success", "error_type", "status", "one"};
    djp__buf_printf(out, "%s[\"%s\",[", is_first ? "" : ",", family);
    for (size_t i = 0; i < count && labels[i] != DJP__FACT_NONE; i++) {
        djp__buf_printf(out, "%s\"%s\"", i == 0 ? "" : ",", facts[labels[i]]);
    }
    djp__buf_printf(out, "],\"%s\",%s]", facts[value], of_failures ? "true" : "false");
}

static void
contract_recordings(djp__buf *out, const djp__operation *operation)
{
    static const djp__fact request[] = {DJP__FACT_FIRST, DJP__FACT_SECOND, DJP__FACT_STATUS};
    djp__buf_text(out, "\"metrics\":[");
    for (size_t i = 0; i < DJP__OPERATION_METRICS && operation->metrics[i].family; i++) {
        contract_recording(out, i == 0, operation->metrics[i].family, operation->metrics[i].labels,
                           DJP__OPERATION_LABELS, operation->metrics[i].value,
                           operation->metrics[i].of_failures);
    }
    if (operation->is_request) {
        contract_recording(out, 1, djp__builtin_definitions[DJP__BUILTIN_REQUESTS].name, request, 3,
                           DJP__FACT_ONE, 0);
        contract_recording(out, 0, djp__builtin_definitions[DJP__BUILTIN_DURATION].name, request, 3,
                           DJP__FACT_SECONDS, 0);
    }
    djp__buf_text(out, "]");
}

static void
contract_operation(djp__buf *out, int type)
{
    static const char *const kinds[] = {"", "internal", "server", "client", "producer", "consumer"};
    const djp__operation *operation = djp__operation_at((djp__operation_type)type);
    djp__buf_text(out, type == 0 ? "{" : ",{");
    contract_text(out, "name", operation->name);
    contract_text(out, "kind", kinds[operation->kind]);
    djp__buf_text(out, "\"attributes\":[");
    size_t shown = 0; /* those under the documented names, the default */
    for (size_t i = 0; i < DJP__OPERATION_ATTRIBUTES && operation->attributes[i].key; i++) {
        unsigned conventions = operation->attributes[i].semconv;
        if (conventions == 0 || (conventions >> DJP_SEMCONV_OLD & 1u) != 0) {
            djp__buf_printf(out, "%s\"%s\"", shown++ == 0 ? "" : ",", operation->attributes[i].key);
        }
    }
    djp__buf_text(out, "],");
    contract_recordings(out, operation);
    djp__buf_char(out, '}');
}

static int
contract_status(djp__buf *out)
{
    djp_options options;
    char *status = NULL;
    size_t size = 0;
    if (djp_config_resolve(&options, NULL, NULL, NULL, 0, "", NULL, NULL) != 0) {
        return -1;
    }
    int result = djp_status_off_json(&status, &size, &options);
    if (result == 0) {
        djp__buf_append(out, status, size);
    }
    djp_free(status);
    djp_options_fini(&options);
    return result;
}

int
main(void)
{
    djp__buf out;
    djp__buf_init(&out, 0);
    djp__buf_text(&out, "{\"settings\":[");
    for (int i = 0; i < DJP_SETTINGS; i++) {
        contract_setting(&out, i);
    }
    djp__buf_text(&out, "],\"metrics\":[");
    for (size_t i = 0; i < djp__builtin_count; i++) {
        contract_metric(&out, i);
    }
    djp__buf_text(&out, "],\"operations\":[");
    for (int type = 0; type < DJP__OPERATIONS; type++) {
        contract_operation(&out, type);
    }
    djp__buf_text(&out, "],\"status\":");
    if (contract_status(&out) != 0) {
        return 1;
    }
    djp__buf_char(&out, '}');
    djp__buf_char(&out, '\n');
    int failed = out.failed || fwrite(out.data, 1, out.size, stdout) != out.size;
    djp__buf_fini(&out);
    return failed;
}
