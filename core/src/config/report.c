/* The report: every setting with its effective value and source, as JSON for telemetry_status(). It
 * contains no secrets: no header values, and no user part or query of an endpoint. */
#include "config/config.h"

#include "base/str.h"

#include <string.h>

static void
report_text(djp__buf *out, const char *text)
{
    djp__buf_json(out, text, strlen(text));
}

void
djp__config_show_endpoint(djp__buf *out, const char *endpoint)
{
    const char *host = endpoint == NULL ? NULL : strstr(endpoint, "://");
    if (host != NULL) {
        host += 3;
        size_t authority = strcspn(host, "/?#");
        const char *at = memrchr(host, '@', authority);
        djp__buf_append(out, endpoint, (size_t)(host - endpoint));
        if (at != NULL) {
            djp__buf_text(out, "[set]");
            host = at;
        }
        size_t size = strcspn(host, "?");
        djp__buf_append(out, host, size);
        djp__buf_text(out, host[size] == '?' ? "?[set]" : "");
    }
}

static void
report_endpoint(djp__buf *out, const char *endpoint)
{
    djp__buf shown;
    djp__buf_init(&shown, 0);
    djp__config_show_endpoint(&shown, endpoint);
    djp__buf_json(out, shown.data == NULL ? "" : shown.data, shown.size);
    out->failed |= shown.failed;
    djp__buf_fini(&shown);
}

/* The name of an option in the report, in the SDK's spelling. */
static void
report_source(djp__buf *out, const char *source)
{
    char text[2 * DJP_CONFIG_NAME_MAX];
    size_t size = 0;
    int is_option = strncmp(source, "option ", 7) == 0;
    for (const char *c = source; *c != '\0' && size + 2 < sizeof text; c++) {
        int capital = is_option && *c >= 'A' && *c <= 'Z';
        if (capital) {
            text[size++] = '_';
        }
        text[size++] = capital ? (char)(*c + ('a' - 'A')) : *c;
    }
    djp__buf_json(out, text, size);
}

/* All of them, as in the variable. */
static void
report_exporters(djp__buf *out, djp__setting setting, int first, unsigned further)
{
    const djp__config_row *row = &djp__config_table[setting];
    djp__buf_char(out, '"');
    djp__buf_text(out, djp__config_word_of(row, first));
    for (int i = 0; i < DJP__EXPORTERS; i++) {
        if (further >> i & 1u) {
            djp__buf_char(out, ',');
            djp__buf_text(out, djp__config_word_of(row, i));
        }
    }
    djp__buf_char(out, '"');
}

static void
report_word(djp__buf *out, const djp_options *options, djp__setting setting, int word)
{
    if (setting == DJP_SETTING_SAMPLER && options->sampler == DJP_SAMPLER_TREE) {
        report_text(out, options->sampler_text);
    } else if (setting == DJP_SETTING_EXPORTER) {
        report_exporters(out, setting, word, options->further_exporters);
    } else if (setting == DJP_SETTING_METRICS_EXPORTER) {
        report_exporters(out, setting, word, options->metrics_further_exporters);
    } else {
        report_text(out, djp__config_word_of(&djp__config_table[setting], word));
    }
}

/* A text that may be shown; of a secret only that it is set. */
static void
report_shown(djp__buf *out, djp__setting setting, const char *text)
{
    if (djp__config_table[setting].secret && *text != '\0') {
        text = "[set]";
    }
    if (setting == DJP_SETTING_ENDPOINT || setting == DJP_SETTING_METRICS_ENDPOINT ||
        setting == DJP_SETTING_REMOTE_SAMPLING_ENDPOINT) {
        report_endpoint(out, text);
    } else {
        report_text(out, text);
    }
}

static void
report_value(djp__buf *out, const djp_options *options, djp__setting setting)
{
    const djp__config_row *row = &djp__config_table[setting];
    const void *field = (const char *)options + row->offset;
    switch (row->form) {
    case DJP_FORM_BOOL:
    case DJP_FORM_TRUE:
        djp__buf_text(out, *(const int *)field ? "true" : "false");
        break;
    case DJP_FORM_WORD:
        report_word(out, options, setting, *(const int *)field);
        break;
    case DJP_FORM_PORT:
        djp__buf_i64(out, *(const int *)field);
        break;
    case DJP_FORM_SECONDS:
    case DJP_FORM_MILLISECONDS:
        djp__buf_double(out, (double)*(const uint64_t *)field / 1e9);
        break;
    case DJP_FORM_SIZE:
    case DJP_FORM_SPANS:
        djp__buf_u64(out, *(const uint64_t *)field);
        break;
    case DJP_FORM_COUNT:
        if (*(const uint32_t *)field == UINT32_MAX) {
            djp__buf_text(out, "null");
        } else {
            djp__buf_u64(out, *(const uint32_t *)field);
        }
        break;
    case DJP_FORM_RATIO:
        djp__buf_double(out, *(const double *)field);
        break;
    case DJP_FORM_TEXT:
    case DJP_FORM_ATTRIBUTE:
        report_shown(out, setting, *(char *const *)field);
        break;
    }
}

void
djp__config_report(djp__config_state *state)
{
    djp__buf out;
    djp__buf_init(&out, 0);
    djp__buf_char(&out, '{');
    for (int i = 0; i < DJP_SETTINGS; i++) {
        djp__buf_text(&out, i == 0 ? "" : ",");
        report_text(&out, djp__config_name((djp__setting)i));
        djp__buf_text(&out, ":{\"value\":");
        report_value(&out, state->out, (djp__setting)i);
        djp__buf_text(&out, ",\"source\":");
        report_source(&out, state->sources[i]);
        djp__buf_char(&out, '}');
    }
    djp__buf_char(&out, '}');
    state->out->report_json = djp__buf_take(&out, NULL);
    state->failed |= state->out->report_json == NULL;
}
