/* Request headers from "name=value,name=value". Skips a header that could split a request or that
 * the exporter sets; no value appears in a message. */
#include "config/config.h"

#include "base/str.h"

#include <string.h>

static int
headers_name_is_valid(djp_text name)
{
    static const char *const reserved[] = {"content-type",
                                           "content-length",
                                           "content-encoding",
                                           "transfer-encoding",
                                           "connection",
                                           "te",
                                           "host",
                                           "upgrade",
                                           "grpc-timeout",
                                           "grpc-encoding",
                                           NULL};
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        int alphanumeric =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alphanumeric && strchr("!#$%&'*+-.^_`|~", c) == NULL) {
            return 0;
        }
    }
    for (size_t i = 0; reserved[i] != NULL; i++) {
        if (djp__text_equal_nocase(name, reserved[i])) {
            return 0;
        }
    }
    return name.size != 0;
}

static int
headers_value_is_valid(const char *value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)value[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return 0;
        }
    }
    return djp__utf8_valid(value, size);
}

/* Appends "Name: value". Returns 0 and appends nothing for a malformed member. */
static int
headers_add(djp__buf *out, djp_text member)
{
    const char *equals = memchr(member.data, '=', member.size);
    if (equals == NULL) {
        return 0;
    }
    size_t name_size = (size_t)(equals - member.data);
    djp_text name = djp__text_trim((djp_text){member.data, name_size});
    if (!headers_name_is_valid(name)) {
        return 0;
    }
    size_t before = out->size;
    if (before != 0) {
        djp__buf_char(out, '\n');
    }
    djp__buf_append(out, name.data, name.size);
    djp__buf_append(out, ": ", 2);
    size_t value_at = out->size;
    int good = djp__percent_decode(
        out, djp__text_trim((djp_text){equals + 1, member.size - name_size - 1}));
    if (!good || out->failed ||
        !headers_value_is_valid(out->data + value_at, out->size - value_at)) {
        out->size = before;
        return 0;
    }
    return 1;
}

/* Stores the headers of a source in the setting. */
static void
headers_store(djp__config_state *state, djp__setting setting, const djp__config_given *given)
{
    size_t bad = 0;
    djp__buf lines;
    djp__buf_init(&lines, 0);
    djp_text rest = djp__text(given->text);
    djp_text member;
    while (djp__text_split(&member, &rest, ',')) {
        member = djp__text_trim(member);
        bad += member.size != 0 && !headers_add(&lines, member);
    }
    state->failed |= lines.failed;
    if (bad != 0) {
        djp__config_warn(state, given,
                         "%s has %zu entries that are malformed or that the exporter sets itself. "
                         "They are left out: correct or "
                         "remove them.",
                         given->name, bad);
    }
    if (!lines.failed) {
        djp__config_set_text(state, setting, (djp_text){lines.data, lines.size}, given->name);
    }
    djp__buf_fini(&lines);
}

void
djp__config_rule_headers(djp__config_state *state)
{
    djp__config_given given;
    size_t at = 0;
    if (djp__config_next(&given, state, DJP_SETTING_HEADERS, &at)) {
        headers_store(state, DJP_SETTING_HEADERS, &given);
    }
}

void
djp__config_rule_metrics_headers(djp__config_state *state)
{
    djp__config_given given;
    size_t at = 0;
    int found = djp__config_next_of_metrics(&given, state, DJP_SETTING_METRICS_HEADERS,
                                            DJP_SETTING_HEADERS, &at);
    djp_config_warn warn = state->warn;
    state->warn = found == 2 ? NULL : warn;
    if (found) {
        headers_store(state, DJP_SETTING_METRICS_HEADERS, &given);
    }
    state->warn = warn;
}
