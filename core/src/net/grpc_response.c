/* What a gRPC response means: the status in its trailers, or the HTTP status of a proxy. Nothing is
 * allocated. */
#include "net/grpc_response.h"

#include <string.h>

#include "base/str.h"
#include "net/grpc_frame.h"
#include "net/http_response.h"
#include "net/otlp_response.h"
#include "net/outcome.h"

enum {
    GRPC_OK = 0,
    GRPC_CANCELLED = 1,
    GRPC_UNKNOWN = 2,
    GRPC_DEADLINE_EXCEEDED = 4,
    GRPC_PERMISSION_DENIED = 7,
    GRPC_RESOURCE_EXHAUSTED = 8,
    GRPC_ABORTED = 10,
    GRPC_OUT_OF_RANGE = 11,
    GRPC_UNIMPLEMENTED = 12,
    GRPC_INTERNAL = 13,
    GRPC_UNAVAILABLE = 14,
    GRPC_DATA_LOSS = 15,
    GRPC_UNAUTHENTICATED = 16
};

#define GRPC_CONTENT "application/grpc"

static const char *const grpc_response_names[] = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

static const char *
grpc_response_name(uint32_t status)
{
    size_t count = sizeof grpc_response_names / sizeof grpc_response_names[0];
    return status < count ? grpc_response_names[status] : "status outside the protocol";
}

void
djp__grpc_head_line(djp__grpc_head *head, const char *line, size_t size)
{
    static const djp__grpc_head initial = DJP__GRPC_HEAD_INIT;
    djp_text name, value;
    uint64_t number;
    if (size >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        *head = initial;
        return;
    }
    if (!djp__http_header_split(&name, &value, line, size)) {
        return;
    }
    if (djp__text_equal_nocase(name, "content-type")) {
        head->is_grpc = value.size >= sizeof GRPC_CONTENT - 1 &&
                        memcmp(value.data, GRPC_CONTENT, sizeof GRPC_CONTENT - 1) == 0;
    } else if (djp__text_equal_nocase(name, "grpc-status")) {
        head->has_status = 1;
        head->status =
            djp__parse_u64(value, &number) && number <= 999 ? (uint32_t)number : GRPC_UNKNOWN;
    } else if (djp__text_equal_nocase(name, "grpc-message")) {
        djp__grpc_message(head->message, sizeof head->message, value);
    } else if (djp__text_equal_nocase(name, "grpc-status-details-bin")) {
        char text[256];
        uint64_t retry_ns;
        if (!djp__response_status_details(text, sizeof text, &retry_ns, value)) {
            return;
        }
        head->retry_ns = retry_ns;
        if (!head->message[0]) {
            memcpy(head->message, text, sizeof text);
        }
    }
}

/* Maps an HTTP status, when a proxy responded instead of a gRPC server. */
static uint32_t
grpc_response_of_http(long status)
{
    switch (status) {
    case 400:
        return GRPC_INTERNAL;
    case 401:
        return GRPC_UNAUTHENTICATED;
    case 403:
        return GRPC_PERMISSION_DENIED;
    case 404:
        return GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return GRPC_UNAVAILABLE;
    default:
        return GRPC_UNKNOWN;
    }
}

static int
grpc_response_may_repeat(uint32_t status, uint64_t retry_ns)
{
    switch (status) {
    case GRPC_CANCELLED:
    case GRPC_DEADLINE_EXCEEDED:
    case GRPC_ABORTED:
    case GRPC_OUT_OF_RANGE:
    case GRPC_UNAVAILABLE:
    case GRPC_DATA_LOSS:
        return 1;
    case GRPC_RESOURCE_EXHAUSTED:
        return retry_ns != UINT64_MAX;
    default:
        return 0;
    }
}

static void
grpc_response_without_status(djp__send_result *result, long http_status, const char *shown)
{
    if (http_status == 200) {
        djp__send_result_set(result, DJP__SEND_RETRY, "%s ended the call without a gRPC status",
                             shown);
        return;
    }
    uint32_t status = grpc_response_of_http(http_status);
    djp__outcome outcome =
        grpc_response_may_repeat(status, UINT64_MAX) ? DJP__SEND_RETRY : DJP__SEND_REJECTED;
    result->status = (long)status;
    /* Gateways respond for an unavailable receiver; an unknown path is the receiver's response. */
    int is_http = status != GRPC_UNAVAILABLE && status != GRPC_UNAUTHENTICATED &&
                  status != GRPC_PERMISSION_DENIED;
    djp__send_result_set(
        result, outcome, "%s responded HTTP %ld without a gRPC status: is this a gRPC receiver?%s",
        shown, http_status,
        is_http ? " If this port speaks HTTP: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf" : "");
}

void
djp__grpc_response(djp__send_result *result, const djp__grpc_head *head, long http_status,
                   djp_text body, const char *shown, djp__decode_partial *decode)
{
    djp_text message;
    if (!head->has_status) {
        grpc_response_without_status(result, http_status, shown);
        return;
    }
    result->status = (long)head->status;
    if (head->status == GRPC_OK) {
        result->outcome = DJP__SENT;
        if (djp__grpc_message_in(&message, body) &&
            !djp__send_result_partial(result, message, 0, shown, decode)) {
            djp__send_result_set(result, DJP__SEND_REJECTED,
                                 "%s responded OK with a message that is not OTLP", shown);
        }
        return;
    }
    int may_repeat = grpc_response_may_repeat(head->status, head->retry_ns);
    if (may_repeat && head->retry_ns != UINT64_MAX) {
        result->retry_after_ns = head->retry_ns;
    }
    djp__send_result_set(result, may_repeat ? DJP__SEND_RETRY : DJP__SEND_REJECTED,
                         "%s responded %s (%u)%s%s", shown, grpc_response_name(head->status),
                         head->status, head->message[0] ? ": " : "", head->message);
}
