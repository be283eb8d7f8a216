/* Answers of receivers: partial success in both encodings, error details, Retry-After in all its
 * forms, and bytes that are none of these. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/otlp_response.h"
#include "gen/otlp_trace.pb-c.h"
#include "gen/rpc_status.pb-c.h"

static djp_text
text_of(const char *text)
{
    djp_text out = {text, strlen(text)};
    return out;
}

static size_t
pack_partial(uint8_t *out, int64_t rejected, char *message)
{
    Djp__Otlp__V1__ExportTraceServiceResponse response =
        DJP__OTLP__V1__EXPORT_TRACE_SERVICE_RESPONSE__INIT;
    Djp__Otlp__V1__ExportTracePartialSuccess partial =
        DJP__OTLP__V1__EXPORT_TRACE_PARTIAL_SUCCESS__INIT;
    partial.rejected_spans = rejected;
    partial.error_message = message;
    response.partial_success = &partial;
    return djp__otlp__v1__export_trace_service_response__pack(&response, out);
}

static void
test_partial_protobuf(void **state)
{
    (void)state;
    uint8_t bytes[2048];
    char message[1000];
    djp__partial partial;
    assert_int_equal(djp__response_partial(&partial, NULL, 0, 0), 1);
    assert_int_equal(partial.rejected, 0);
    size_t size = pack_partial(bytes, 17, "queue full");
    assert_int_equal(djp__response_partial(&partial, bytes, size, 0), 1);
    assert_int_equal(partial.rejected, 17);
    assert_string_equal(partial.message, "queue full");
    for (size_t cut = 3; cut < size; cut++) {
        /* a prefix: any answer, no read behind it */
        djp__response_partial(&partial, bytes, cut, 0);
    }
    memset(message, 'x', sizeof message - 1);
    memcpy(message + 253, "\xe6\xbc\xa2", 3);
    message[sizeof message - 1] = '\0';
    size = pack_partial(bytes, 1, message);
    assert_int_equal(djp__response_partial(&partial, bytes, size, 0), 1);
    assert_int_equal(strlen(partial.message), 253);
    size = pack_partial(bytes, -5, "nonsense");
    assert_int_equal(djp__response_partial(&partial, bytes, size, 0), 1);
    assert_int_equal(partial.rejected, 0);
    assert_int_equal(djp__response_partial(&partial, "<html>bad gateway</html>", 24, 0), 0);
}

/* Five million bytes of two-byte unknown fields would cost protobuf-c hundreds of megabytes. */
static void
test_partial_bomb(void **state)
{
    (void)state;
    djp__partial partial;
    size_t size = 5u << 20;
    char *bytes = malloc(size);
    for (size_t i = 0; i < size; i += 2) {
        memcpy(bytes + i, "\x78\x01", 2);
    }
    assert_int_equal(djp__response_partial(&partial, bytes, size, 0), 0);
    djp__response_partial(&partial, bytes, 60000, 0);
    memset(bytes, '[', size);
    assert_int_equal(djp__response_partial(&partial, bytes, 60000, 1), 0);
    free(bytes);
}

static const struct {
    const char *json;
    int parsed;
    int64_t rejected;
    const char *message;
} json_cases[] = {
    {"{}", 1, 0, ""},
    {" { } ", 1, 0, ""},
    {"{\"partialSuccess\":{}}", 1, 0, ""},
    {"{\"partialSuccess\":null}", 1, 0, ""},
    {"{\"partialSuccess\":{\"rejectedSpans\":\"12\",\"errorMessage\":\"no \\u00e9 \\ud83d\\ude00 "
     "\\ud800\\n\"}}",
     1, 12, "no \xc3\xa9 \xf0\x9f\x98\x80 \xef\xbf\xbd\n"},
    {"{\"other\":[1,-2.5e+3,{\"partialSuccess\":{\"rejectedSpans\":9}}],\"partialSuccess\":{"
     "\"rejectedSpans\":3}}",
     1, 3, ""},
    {"{\"partialSuccess\":{\"rejectedSpans\":-3}}", 1, 0, ""},
    {"{\"partialSuccess\":{\"rejectedSpans\":1.5,\"errorMessage\":7}}", 1, 0, ""},
    {"{\"partialSuccess\":{\"rejectedSpans\":99999999999999999999}}", 1, 0, ""},
    {"", 1, 0, ""},
    {"[]", 0, 0, ""},
    {"{", 0, 0, ""},
    {"{} x", 0, 0, ""},
    {"{\"a\":}", 0, 0, ""},
    {"{\"a\":01}", 0, 0, ""},
    {"{\"a\":1.}", 0, 0, ""},
    {"{\"a\":\"\\x\"}", 0, 0, ""},
    {"{\"a\":\"\n\"}", 0, 0, ""},
    {"{\"a\" 1}", 0, 0, ""},
    {"{\"a\":1,}", 0, 0, ""},
    {"{\"partialSuccess\":{\"rejectedSpans\":5},\"x\":tru}", 0, 0, ""},
    {"{\"a\":\"\\u12g4\"}", 0, 0, ""},
};

static void
test_partial_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof json_cases / sizeof json_cases[0]; i++) {
        djp__partial partial;
        /* A block of exactly the size, so that a sanitizer sees a read behind it. */
        size_t size = strlen(json_cases[i].json);
        char *copy = malloc(size + (size == 0));
        memcpy(copy, json_cases[i].json, size);
        assert_int_equal(djp__response_partial(&partial, copy, size, 1), json_cases[i].parsed);
        assert_int_equal(partial.rejected, json_cases[i].rejected);
        assert_string_equal(partial.message, json_cases[i].message);
        free(copy);
    }
}

static size_t
pack_status(uint8_t *out, char *message, char *type_url, int64_t seconds, int32_t nanos)
{
    uint8_t packed[64];
    Djp__Rpc__V1__Duration delay = DJP__RPC__V1__DURATION__INIT;
    Djp__Rpc__V1__RetryInfo info = DJP__RPC__V1__RETRY_INFO__INIT;
    Djp__Rpc__V1__Any other = DJP__RPC__V1__ANY__INIT, any = DJP__RPC__V1__ANY__INIT,
                      *details[] = {&other, &any};
    Djp__Rpc__V1__Status status = DJP__RPC__V1__STATUS__INIT;
    delay.seconds = seconds;
    delay.nanos = nanos;
    info.retry_delay = &delay;
    other.type_url = "type.googleapis.com/google.rpc.DebugInfo";
    other.value = (ProtobufCBinaryData){3, (uint8_t *)"\xff\xff\xff"};
    any.type_url = type_url;
    any.value = (ProtobufCBinaryData){djp__rpc__v1__retry_info__pack(&info, packed), packed};
    status.code = 8;
    status.message = message;
    status.n_details = type_url != NULL ? 2 : 0;
    status.details = details;
    return djp__rpc__v1__status__pack(&status, out);
}

static void
test_status(void **state)
{
    (void)state;
    static char url[] = "type.googleapis.com/google.rpc.RetryInfo",
                other[] = "x/google.rpc.RetryInfo2";
    const struct {
        char *url;
        int64_t seconds;
        int32_t nanos;
        uint64_t delay;
    } cases[] = {
        {url, 2, 500000000, 2500000000u},
        {url, 0, 0, 0},
        {url, -1, 0, 0},
        {url, 1, -5, 1000000000u},
        {url, INT64_MAX, 0, 3600000000000u},
        {url, 3600, 1, 3600000000000u},
        {other, 2, 0, UINT64_MAX},
        {NULL, 0, 0, UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[512];
        char message[8];
        uint64_t delay = 1;
        size_t size =
            pack_status(bytes, "slow down", cases[i].url, cases[i].seconds, cases[i].nanos);
        assert_int_equal(djp__response_status(message, sizeof message, &delay, bytes, size), 1);
        assert_string_equal(message, "slow do");
        assert_true(delay == cases[i].delay);
        djp__buf coded;
        djp__buf_init(&coded, 0);
        djp__base64(&coded, bytes, size);
        djp_text text = {coded.data, coded.size};
        delay = 1;
        assert_int_equal(djp__response_status_details(message, sizeof message, &delay, text), 1);
        assert_true(delay == cases[i].delay);
        djp__buf_fini(&coded);
    }
    char message[32];
    uint64_t delay;
    assert_int_equal(djp__response_status(message, sizeof message, &delay, "nonsense", 8), 0);
    assert_true(delay == UINT64_MAX);
    assert_string_equal(message, "");
    assert_int_equal(djp__response_status_details(message, sizeof message, &delay, text_of("!!!")),
                     0);
    assert_int_equal(djp__response_status_details(NULL, 0, &delay, text_of("")), 1);
}

static void
test_status_no_memory(void **state)
{
    (void)state;
    static char url[] = "type.googleapis.com/google.rpc.RetryInfo";
    uint8_t bytes[512], partial_bytes[128];
    size_t size = pack_status(bytes, "slow down", url, 2, 0),
           partial_size = pack_partial(partial_bytes, 4, "some");
    for (long n = 1, done = 0; !done; n++) {
        char message[64];
        uint64_t delay;
        djp__partial partial;
        djp__alloc_fail_after(n);
        int first = djp__response_status(message, sizeof message, &delay, bytes, size);
        int second = djp__response_partial(&partial, partial_bytes, partial_size, 0);
        djp__alloc_fail_after(0);
        done = first && second && delay == 2000000000u && partial.rejected == 4;
        assert_true(n < 100);
    }
}

/* 2026-01-31T12:00:00Z */
#define NOW_S UINT64_C(1769860800)

static const struct {
    const char *value;
    int parsed;
    uint64_t seconds;
} retry_cases[] = {
    {"0", 1, 0},
    {"7", 1, 7},
    {"  120 ", 1, 120},
    {"3601", 1, 3600},
    {"99999999999999999999999999", 1, 3600},
    {"Sat, 31 Jan 2026 12:00:30 GMT", 1, 30},
    {"Saturday, 31-Jan-26 12:01:00 GMT", 1, 60},
    {"Sat Jan 31 12:02:00 2026", 1, 120},
    {"Sun Feb  1 00:00:00 2026", 1, 3600},
    {"Sat, 31 Jan 2026 11:59:59 GMT", 1, 0},
    {"Sun, 06 Nov 1994 08:49:37 GMT", 1, 0},
    {"Sunday, 06-Nov-94 08:49:37 GMT", 1, 0},
    {"Sun Nov  6 08:49:37 1994", 1, 0},
    {"Fri, 31 Dec 9999 23:59:59 GMT", 1, 3600},
    {"Sat, 31 Jan 2026 12:00:60 GMT", 1, 60},
    {"", 0, 0},
    {" ", 0, 0},
    {"-1", 0, 0},
    {"+1", 0, 0},
    {"1.5", 0, 0},
    {"1s", 0, 0},
    {"soon", 0, 0},
    {"Sat, 31 Jan 2026 12:00:30", 0, 0},
    {"Sat, 31 Jan 2026 12:00:30 UTC", 0, 0},
    {"Sat, 31 Jan 2026 24:00:30 GMT", 0, 0},
    {"Sat, 29 Feb 2026 12:00:30 GMT", 0, 0},
    {"Thu, 29 Feb 2024 12:00:30 GMT", 1, 0},
    {"Sat, 00 Jan 2026 12:00:30 GMT", 0, 0},
    {"Sat, 31 jan 2026 12:00:30 GMT", 0, 0},
    {"Sat,31 Jan 2026 12:00:30 GMT", 0, 0},
    {"Sat, 31 Jan 1969 12:00:30 GMT", 0, 0},
    {"Sat", 0, 0},
    {"Sat Jan 31 12:02:00 2026 GMT", 0, 0},
};

static void
test_retry_after(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof retry_cases / sizeof retry_cases[0]; i++) {
        uint64_t delay = 1;
        size_t size = strlen(retry_cases[i].value);
        char *copy = malloc(size + 1);
        memcpy(copy, retry_cases[i].value, size);
        djp_text value = {copy, size};
        assert_int_equal(djp__retry_after(&delay, value, NOW_S * 1000000000u),
                         retry_cases[i].parsed);
        assert_int_equal(delay, retry_cases[i].seconds * 1000000000u);
        free(copy);
    }
    uint64_t delay;
    djp_text none = {NULL, 0};
    assert_int_equal(djp__retry_after(&delay, none, 0), 0);
    /* Half a second is left of the last one. */
    assert_int_equal(djp__retry_after(&delay, text_of("Sat, 31 Jan 2026 12:00:01 GMT"),
                                      NOW_S * 1000000000u + 500000000u),
                     1);
    assert_int_equal(delay, 500000000u);
}

static void
test_grpc_message(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"a%20b%3a", "a b:"},
        {"%E6%BC%A2", "\xe6\xbc\xa2"},
        {"100%", "100%"},
        {"%zz%1", "%zz%1"},
        {"%ff", "\xef\xbf\xbd"},
        {"0123456789abcdef", "0123456789abcde"},
        {"0123456789abc%E6%BC%A2", "0123456789abc"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[16];
        djp__grpc_message(out, sizeof out, text_of(cases[i].in));
        assert_string_equal(out, cases[i].out);
    }
    char one[1] = {'x'};
    djp__grpc_message(one, 1, text_of("abc"));
    assert_int_equal(one[0], '\0');
    djp__grpc_message(NULL, 0, text_of("abc"));
    char big[64], *huge = malloc(10u << 20);
    memset(huge, '%', 10u << 20);
    djp_text text = {huge, 10u << 20};
    djp__grpc_message(big, sizeof big, text);
    assert_int_equal(strlen(big), 63);
    free(huge);
}

/* Each signal has its own name for the count of what was rejected. */
static void
the_count_has_the_name_of_its_signal(void **state)
{
    static const char logs[] =
        "{\"partialSuccess\":{\"rejectedLogRecords\":\"3\",\"errorMessage\":\"old\"}}";
    djp__partial partial;
    (void)state;
    assert_int_equal(
        djp__response_partial_named(&partial, logs, sizeof logs - 1, 1, "rejectedLogRecords"), 1);
    assert_int_equal(partial.rejected, 3);
    assert_int_equal(djp__response_partial(&partial, logs, sizeof logs - 1, 1), 1);
    assert_int_equal(partial.rejected, 0);
    assert_string_equal(partial.message, "old");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_count_has_the_name_of_its_signal),
        cmocka_unit_test(test_partial_protobuf),
        cmocka_unit_test(test_partial_bomb),
        cmocka_unit_test(test_partial_json),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_status_no_memory),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_grpc_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
