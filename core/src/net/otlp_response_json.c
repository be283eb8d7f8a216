/* The partial success of a JSON response. Stores the known members and skips the rest. */
#include "net/otlp_response_json.h"

#include <string.h>

#include "base/json_scan.h"
#include "base/str.h"

static int
otlp_response_json_is(const char *name, size_t size, const char *wanted)
{
    return size == strlen(wanted) && memcmp(name, wanted, size) == 0;
}

/* A count: digits, or digits in quotes; other values are skipped and leave *out unchanged. */
static void
otlp_response_json_count(djp__json_scan *scan, int64_t *out)
{
    djp__json_scan_peek(scan);
    const char *from = scan->at;
    if (!djp__json_scan_skip(scan)) {
        return;
    }
    djp_text text = {from, (size_t)(scan->at - from)};
    if (text.size >= 2 && text.data[0] == '"') {
        text.data++;
        text.size -= 2;
    }
    uint64_t value;
    if (djp__parse_u64(text, &value) && value <= INT64_MAX) {
        *out = (int64_t)value;
    }
}

static void
otlp_response_json_message(djp__json_scan *scan, djp__partial *out)
{
    /* Longer than the message, so that a character split here lies beyond the next cut. */
    char raw[sizeof out->message + 4];
    size_t size;
    if (djp__json_scan_peek(scan) != '"') {
        djp__json_scan_skip(scan);
    } else if (djp__json_scan_string(scan, raw, sizeof raw, &size)) {
        out->message[djp__utf8_repair(out->message, sizeof out->message - 1, raw, size, NULL)] =
            '\0';
    }
}

static void
otlp_response_json_success(djp__json_scan *scan, djp__partial *out, const char *rejected_name)
{
    char name[32];
    size_t size;
    if (djp__json_scan_peek(scan) != '{') {
        djp__json_scan_skip(scan);
        return;
    }
    djp__json_scan_enter(scan, '{');
    while (djp__json_scan_next(scan, '}') && djp__json_scan_name(scan, name, sizeof name, &size)) {
        if (otlp_response_json_is(name, size, "errorMessage")) {
            otlp_response_json_message(scan, out);
        } else if (otlp_response_json_is(name, size, rejected_name)) {
            otlp_response_json_count(scan, &out->rejected);
        } else {
            djp__json_scan_skip(scan);
        }
    }
}

int
djp__response_json(djp__partial *out, const char *data, size_t size, const char *rejected_name)
{
    djp__json_scan scan;
    char name[32];
    size_t name_size;
    djp__json_scan_init(&scan, data, size);
    djp__json_scan_enter(&scan, '{');
    while (djp__json_scan_next(&scan, '}') &&
           djp__json_scan_name(&scan, name, sizeof name, &name_size)) {
        if (otlp_response_json_is(name, name_size, "partialSuccess")) {
            otlp_response_json_success(&scan, out, rejected_name);
        } else {
            djp__json_scan_skip(&scan);
        }
    }
    return djp__json_scan_end(&scan);
}
