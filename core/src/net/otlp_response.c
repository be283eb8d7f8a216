/* OTLP responses in protobuf, and gRPC status texts. Untrusted bytes: sizes and memory are limited
 * before protobuf-c reads them, and the messages have no unbounded nesting. */
#include "net/otlp_response.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/otlp_response_json.h"
#include "gen/otlp_trace.pb-c.h"
#include "gen/rpc_status.pb-c.h"

/* A normal response has a few hundred bytes. The budget limits what protobuf-c allocates for many
 * empty parts, which cost thirty times their size. */
enum { RESPONSE_SIZE_MAX = 64 << 10, RESPONSE_BUDGET = 1 << 20, RESPONSE_DETAILS_MAX = 64 };
#define RESPONSE_DELAY_MAX_S 3600
#define RESPONSE_SECOND UINT64_C(1000000000)

static void *
response_alloc(void *data, size_t size)
{
    size_t *left = data;
    if (size > *left) {
        return NULL;
    }
    *left -= size;
    return djp__alloc(size);
}

static void
response_free(void *data, void *block)
{
    (void)data;
    djp__free(block);
}

/* Text into a fixed array: valid UTF-8, cut, NUL-terminated. */
static void
response_copy(char *out, size_t out_size, const char *text, size_t size)
{
    if (out_size != 0) {
        out[djp__utf8_repair(out, out_size - 1, text, size, NULL)] = '\0';
    }
}

/* The fields have the same numbers and types in the responses of all signals. */
static int
response_partial_protobuf(djp__partial *out, const void *data, size_t size)
{
    size_t budget = RESPONSE_BUDGET;
    ProtobufCAllocator allocator = {response_alloc, response_free, &budget};
    Djp__Otlp__V1__ExportTraceServiceResponse *response =
        djp__otlp__v1__export_trace_service_response__unpack(&allocator, size, data);
    if (response == NULL) {
        return 0;
    }
    if (response->partial_success != NULL) {
        const char *message = response->partial_success->error_message;
        out->rejected = response->partial_success->rejected_spans;
        response_copy(out->message, sizeof out->message, message, strlen(message));
    }
    djp__otlp__v1__export_trace_service_response__free_unpacked(response, &allocator);
    return 1;
}

int
djp__response_partial(djp__partial *out, const void *data, size_t size, int is_json)
{
    return djp__response_partial_named(out, data, size, is_json, "rejectedSpans");
}

int
djp__response_partial_named(djp__partial *out, const void *data, size_t size, int is_json,
                            const char *rejected_name)
{
    memset(out, 0, sizeof *out);
    if (size == 0) {
        return 1;
    }
    if (data == NULL || size > RESPONSE_SIZE_MAX) {
        return 0;
    }
    int parsed = is_json ? djp__response_json(out, data, size, rejected_name)
                         : response_partial_protobuf(out, data, size);
    if (!parsed || out->rejected < 0) {
        memset(out, 0, sizeof *out);
    }
    return parsed;
}

/* RetryInfo's delay in nanoseconds, capped; a negative one is 0. Returns 0 if it is malformed. */
static int
response_retry_info(uint64_t *delay_ns, const ProtobufCBinaryData *value,
                    ProtobufCAllocator *allocator)
{
    Djp__Rpc__V1__RetryInfo *info =
        djp__rpc__v1__retry_info__unpack(allocator, value->len, value->data);
    if (info == NULL) {
        return 0;
    }
    const Djp__Rpc__V1__Duration *delay = info->retry_delay;
    if (delay == NULL || delay->seconds < 0 || (delay->seconds == 0 && delay->nanos < 0)) {
        *delay_ns = 0;
    } else if (delay->seconds >= RESPONSE_DELAY_MAX_S) {
        *delay_ns = RESPONSE_DELAY_MAX_S * RESPONSE_SECOND;
    } else {
        uint64_t nanos = delay->nanos > 0 && delay->nanos < 1000000000 ? (uint64_t)delay->nanos : 0;
        *delay_ns = (uint64_t)delay->seconds * RESPONSE_SECOND + nanos;
    }
    djp__rpc__v1__retry_info__free_unpacked(info, allocator);
    return 1;
}

static int
response_is_retry_info(const char *type_url)
{
    static const char name[] = "google.rpc.RetryInfo";
    const char *slash = strrchr(type_url, '/');
    return strcmp(slash != NULL ? slash + 1 : type_url, name) == 0;
}

int
djp__response_status(char *message, size_t message_size, uint64_t *retry_ns, const void *data,
                     size_t size)
{
    *retry_ns = UINT64_MAX;
    response_copy(message, message_size, "", 0);
    if (size > RESPONSE_SIZE_MAX || (data == NULL && size != 0)) {
        return 0;
    }
    size_t budget = RESPONSE_BUDGET;
    ProtobufCAllocator allocator = {response_alloc, response_free, &budget};
    Djp__Rpc__V1__Status *status = djp__rpc__v1__status__unpack(&allocator, size, data);
    if (status == NULL) {
        return 0;
    }
    response_copy(message, message_size, status->message, strlen(status->message));
    for (size_t i = 0; i < status->n_details && i < RESPONSE_DETAILS_MAX && *retry_ns == UINT64_MAX;
         i++) {
        const Djp__Rpc__V1__Any *detail = status->details[i];
        if (response_is_retry_info(detail->type_url) &&
            !response_retry_info(retry_ns, &detail->value, &allocator)) {
            *retry_ns = UINT64_MAX;
        }
    }
    djp__rpc__v1__status__free_unpacked(status, &allocator);
    return 1;
}

int
djp__response_status_details(char *message, size_t message_size, uint64_t *retry_ns,
                             djp_text base64)
{
    djp__buf bytes;
    *retry_ns = UINT64_MAX;
    response_copy(message, message_size, "", 0);
    if (base64.data == NULL || base64.size > (size_t)RESPONSE_SIZE_MAX * 4 / 3 + 4) {
        return 0;
    }
    djp__buf_init(&bytes, 0);
    int parsed = djp__base64_decode(&bytes, djp__text_trim(base64)) && !bytes.failed &&
                 djp__response_status(message, message_size, retry_ns, bytes.data, bytes.size);
    djp__buf_fini(&bytes);
    return parsed;
}

static int
response_hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void
djp__grpc_message(char *out, size_t out_size, djp_text value)
{
    /* Decoded text is not longer than its coded form; input beyond this is cut from the message. */
    char decoded[1024];
    size_t size = 0;
    for (size_t i = 0; value.data != NULL && i < value.size && size < sizeof decoded; i++) {
        int high = -1, low = -1;
        if (value.data[i] == '%' && value.size - i > 2) {
            high = response_hex(value.data[i + 1]);
            low = response_hex(value.data[i + 2]);
        }
        if (high >= 0 && low >= 0) {
            decoded[size++] = (char)(high << 4 | low);
            i += 2;
        } else {
            decoded[size++] = value.data[i];
        }
    }
    response_copy(out, out_size, decoded, size);
}
