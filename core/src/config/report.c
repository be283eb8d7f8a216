/* The report: every setting with its effective value and where that came from, as JSON for people and for telemetry_status(). It must
 * never show a secret: header values, the user part or the query of an endpoint. */
#include "config/config.h"

#include "base/str.h"

#include <string.h>

static void
report_text(djp_buf *out, const char *text)
{
    djp__buf_json(out, text == NULL ? "" : text, text == NULL ? 0 : strlen(text));
}

static void
report_endpoint(djp_buf *out, const char *endpoint)
{
    djp_buf shown;
    djp__buf_init(&shown, 0);
    const char *host = endpoint == NULL ? NULL : strstr(endpoint, "://");
    if (host != NULL) {
        host += 3;
        size_t authority = strcspn(host, "/?#");
        const char *at = memrchr(host, '@', authority);
        djp__buf_append(&shown, endpoint, (size_t)(host - endpoint));
        if (at != NULL) {
            djp__buf_text(&shown, "[set]");
            host = at;
        }
        size_t size = strcspn(host, "?");
        djp__buf_append(&shown, host, size);
        djp__buf_text(&shown, host[size] == '?' ? "?[set]" : "");
    }
    djp__buf_json(out, shown.data == NULL ? "" : shown.data, shown.size);
    out->failed |= shown.failed;
    djp__buf_fini(&shown);
}

static void
report_value(djp_buf *out, const djp_options *options, djp_setting setting)
{
    const djp_config_row *row = &djp__config_table[setting];
    const void *field = (const char *)options + row->offset;
    switch (row->form) {
    case DJP_FORM_BOOL:
    case DJP_FORM_TRUE:
        djp__buf_text(out, *(const int *)field ? "true" : "false");
        break;
    case DJP_FORM_WORD:
        if (setting == DJP_SETTING_SAMPLER && options->sampler == DJP_SAMPLER_TREE) {
            report_text(out, options->sampler_text);
        } else {
            report_text(out, djp__config_word(row, *(const int *)field));
        }
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
    case DJP_FORM_ATTRIBUTE: {
        const char *text = *(char *const *)field;
        if (row->secret) {
            text = text == NULL || *text == '\0' ? "" : "[set]";
        }
        if (setting == DJP_SETTING_ENDPOINT || setting == DJP_SETTING_REMOTE_SAMPLING_ENDPOINT) {
            report_endpoint(out, text);
        } else {
            report_text(out, text);
        }
        break;
    }
    }
}

void
djp__config_report(djp_config_state *state)
{
    djp_buf out;
    djp__buf_init(&out, 0);
    djp__buf_char(&out, '{');
    for (int i = 0; i < DJP_SETTINGS; i++) {
        djp__buf_text(&out, i == 0 ? "" : ",");
        report_text(&out, djp__config_name((djp_setting)i));
        djp__buf_text(&out, ":{\"value\":");
        report_value(&out, state->out, (djp_setting)i);
        djp__buf_text(&out, ",\"source\":");
        report_text(&out, state->sources[i]);
        djp__buf_char(&out, '}');
    }
    djp__buf_char(&out, '}');
    size_t size;
    state->out->report_json = djp__buf_take(&out, &size);
    state->failed |= state->out->report_json == NULL;
    djp__buf_fini(&out);
}
