/* Evaluates OTLP/HTTP responses: status code, Retry-After, partial success; a 200 that cannot come
 * from an OTLP receiver is not accepted. Does not allocate. */
#include "net/http_response.h"

#include <string.h>

#include "base/str.h"
#include "net/otlp_response.h"
#include "net/outcome.h"

int
djp__http_header_split(djp_text *name, djp_text *value, const char *line, size_t size)
{
    const char *colon = size ? memchr(line, ':', size) : NULL;
    if (colon == NULL) {
        return 0;
    }
    *name = djp__text_trim((djp_text){line, (size_t)(colon - line)});
    *value = djp__text_trim((djp_text){colon + 1, size - (size_t)(colon + 1 - line)});
    return 1;
}

static void
http_response_content_type(djp__http_head *head, djp_text value)
{
    djp_text type = value;
    djp__text_split(&type, &value, ';');
    type = djp__text_trim(type);
    size_t size = type.size < sizeof head->content_type ? type.size : sizeof head->content_type - 1;
    for (size_t i = 0; i < size; i++) {
        char c = type.data[i];
        head->content_type[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    head->content_type[size] = '\0';
}

void
djp__http_head_line(djp__http_head *head, const char *line, size_t size, uint64_t now_unix_ns)
{
    djp_text name, value;
    if (size >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        memset(head, 0, sizeof *head);
    } else if (!djp__http_header_split(&name, &value, line, size)) {
        return;
    } else if (djp__text_equal_nocase(name, "content-type")) {
        http_response_content_type(head, value);
    } else if (djp__text_equal_nocase(name, "retry-after") &&
               !djp__retry_after(&head->retry_after_ns, value, now_unix_ns)) {
        head->retry_after_ns = 0;
    }
}

int
djp__send_result_partial(djp__send_result *result, djp_text body, int is_json, const char *shown,
                         djp__decode_partial *decode)
{
    djp__partial partial = {0};
    if (!decode(&partial, body.data, body.size, is_json)) {
        return 0;
    }
    result->rejected = partial.rejected > 0 ? (uint64_t)partial.rejected : 0;
    if (result->rejected > 0) {
        djp__send_result_set(result, DJP__SENT, "%s rejected %llu items: %s", shown,
                             (unsigned long long)result->rejected, partial.message);
    } else if (partial.message[0]) {
        djp__send_result_set(result, DJP__SENT, "%s accepted all with a warning: %s", shown,
                             partial.message);
    }
    return 1;
}

static void
http_response_good(djp__send_result *result, const djp__http_head *head, djp_text body,
                   const char *shown, djp__decode_partial *decode)
{
    const char *type = head->content_type;
    int is_json = strcmp(type, "application/json") == 0;
    result->outcome = DJP__SENT;
    if (body.size == 0) {
        return;
    }
    if (strcmp(type, "text/html") == 0) {
        djp__send_result_set(result, DJP__SEND_REJECTED,
                             "%s responded with a web page: this is not an OTLP receiver", shown);
    } else if (is_json || strcmp(type, "application/x-protobuf") == 0) {
        if (!djp__send_result_partial(result, body, is_json, shown, decode)) {
            djp__send_result_set(result, DJP__SEND_REJECTED,
                                 "%s responded %ld with a body that is not OTLP", shown,
                                 result->status);
        }
    }
    /* Any other type: some receivers send "ok" in plain text; the status code decides. */
}

/* The receiver's error message, "" if it cannot be shown. */
static void
http_response_reason(char *out, size_t out_size, const djp__http_head *head, djp_text body)
{
    uint64_t ignored;
    out[0] = '\0';
    if (body.size == 0) {
        return;
    }
    if (strcmp(head->content_type, "application/x-protobuf") == 0) {
        if (!djp__response_status(out, out_size, &ignored, body.data, body.size)) {
            out[0] = '\0';
        }
    } else if (strcmp(head->content_type, "application/json") == 0 ||
               strcmp(head->content_type, "text/plain") == 0) {
        size_t size = djp__utf8_repair(out, out_size - 1, body.data,
                                       body.size < 1024 ? body.size : 1024, NULL);
        out[size] = '\0';
    }
}

static int
http_response_may_repeat(long status)
{
    return status == 429 || status == 502 || status == 503 || status == 504;
}

void
djp__http_response(djp__send_result *result, const djp__http_head *head, long status, djp_text body,
                   const char *shown, djp__decode_partial *decode)
{
    char reason[160];
    result->status = status;
    if (status >= 200 && status < 300) {
        http_response_good(result, head, body, shown, decode);
        return;
    }
    if (status >= 300 && status < 400) {
        djp__send_result_set(result, DJP__SEND_REJECTED,
                             "%s responded with a redirect (%ld), which is not followed: set the "
                             "final address as the endpoint",
                             shown, status);
        return;
    }
    http_response_reason(reason, sizeof reason, head, body);
    djp__outcome outcome = http_response_may_repeat(status) ? DJP__SEND_RETRY : DJP__SEND_REJECTED;
    djp__send_result_set(result, outcome, "%s responded %ld%s%s", shown, status,
                         reason[0] ? ": " : "", reason);
    if (outcome == DJP__SEND_RETRY) {
        result->retry_after_ns = head->retry_after_ns;
    }
}
