/* Responses of receivers: partial success in both encodings, error details, and bytes that are none
 * of these. */
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
#include "heap.h"
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
        {url, 0, 5, 5},
        {url, 0, -5, 0},
        {url, -1, 5, 0},
        {url, 1, 999999999, 1999999999u},
        {url, 1, 1000000000, 1000000000u},
        {url, 3599, 999999999, 3599999999999u},
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

/* 64 KiB are the most, in each encoding. */
static void
the_size_of_a_response_is_limited(void **state)
{
    enum { MOST = 64 << 10 };
    static char json[MOST + 2], long_message[MOST + 2];
    static uint8_t bytes[2 * MOST];
    djp__partial partial;
    (void)state;
    memset(json, ' ', sizeof json);
    memcpy(json, "{\"partialSuccess\":{\"rejectedSpans\":3}}", 38);
    assert_int_equal(djp__response_partial(&partial, json, MOST, 1), 1);
    assert_int_equal(partial.rejected, 3);
    assert_int_equal(djp__response_partial(&partial, json, MOST + 1, 1), 0);
    assert_int_equal(partial.rejected, 0);
    for (size_t want = MOST; want <= MOST + 1; want++) {
        memset(long_message, 'm', want);
        long_message[want - 10] = '\0';
        size_t size = pack_partial(bytes, 3, long_message);
        assert_int_equal(size, want); /* two heads of four bytes, and a count of two */
        assert_int_equal(djp__response_partial(&partial, bytes, size, 0), want == MOST);
        assert_int_equal(partial.rejected, want == MOST ? 3 : 0);
    }
    assert_int_equal(djp__response_partial(&partial, NULL, 5, 0), 0);
    assert_int_equal(djp__response_partial(&partial, NULL, 5, 1), 0);
}

static size_t
pack_long_status(uint8_t *out, size_t want)
{
    static char message[70000];
    memset(message, 'm', want);
    message[want - 6] = '\0'; /* behind the code and the head of the message */
    size_t size = pack_status(out, message, NULL, 0, 0);
    assert_int_equal(size, want);
    return size;
}

static void
the_size_of_a_status_is_limited(void **state)
{
    enum { MOST = 64 << 10 };
    static uint8_t bytes[2 * MOST];
    char message[8];
    uint64_t delay;
    (void)state;
    for (size_t want = MOST; want <= MOST + 1; want++) {
        size_t size = pack_long_status(bytes, want);
        assert_int_equal(djp__response_status(message, sizeof message, &delay, bytes, size),
                         want == MOST);
        assert_string_equal(message, want == MOST ? "mmmmmmm" : "");
    }
    assert_int_equal(djp__response_status(message, sizeof message, &delay, NULL, 0), 1);
    assert_int_equal(djp__response_status(message, sizeof message, &delay, NULL, 1), 0);
    /* In base64 it may have one blank around it, not two. */
    djp__buf coded;
    djp__buf_init(&coded, 0);
    djp__buf_char(&coded, ' ');
    djp__base64(&coded, bytes, pack_long_status(bytes, MOST));
    djp__buf_char(&coded, ' ');
    djp_text text = {coded.data, coded.size - 1};
    assert_int_equal(djp__response_status_details(message, sizeof message, &delay, text), 1);
    assert_string_equal(message, "mmmmmmm");
    text.size++;
    assert_int_equal(djp__response_status_details(message, sizeof message, &delay, text), 0);
    assert_int_equal(
        djp__response_status_details(message, sizeof message, &delay, (djp_text){NULL, 0}), 0);
    djp__buf_fini(&coded);
}

/* So many details before the RetryInfo that counts, and one behind it. */
static uint64_t
delay_behind(size_t others)
{
    static Djp__Rpc__V1__Any any[70];
    Djp__Rpc__V1__Any *details[70];
    uint8_t first[64], second[64], bytes[4096];
    Djp__Rpc__V1__Duration delay = DJP__RPC__V1__DURATION__INIT;
    Djp__Rpc__V1__RetryInfo info = DJP__RPC__V1__RETRY_INFO__INIT;
    Djp__Rpc__V1__Status status = DJP__RPC__V1__STATUS__INIT;
    char message[8];
    uint64_t found = 1;
    for (size_t i = 0; i < 70; i++) {
        any[i] = (Djp__Rpc__V1__Any)DJP__RPC__V1__ANY__INIT;
        details[i] = &any[i];
    }
    info.retry_delay = &delay;
    for (size_t i = 0; i < 2; i++) {
        uint8_t *packed = i == 0 ? first : second;
        delay.seconds = i == 0 ? 2 : 5;
        any[others + i].type_url = (char *)(uintptr_t) "google.rpc.RetryInfo"; /* without a host */
        any[others + i].value =
            (ProtobufCBinaryData){djp__rpc__v1__retry_info__pack(&info, packed), packed};
    }
    status.details = details;
    status.n_details = others + 2;
    size_t size = djp__rpc__v1__status__pack(&status, bytes);
    assert_int_equal(djp__response_status(message, sizeof message, &found, bytes, size), 1);
    return found;
}

static void
the_first_retry_info_of_64_details_counts(void **state)
{
    (void)state;
    assert_true(delay_behind(0) == 2000000000u);
    assert_true(delay_behind(62) == 2000000000u);
    assert_true(delay_behind(63) == 2000000000u);
    assert_true(delay_behind(64) == UINT64_MAX);
}

/* Each detail of two bytes costs many times as much in memory. */
static void
the_memory_of_a_response_is_limited(void **state)
{
    enum { MOST = 64 << 10 };
    static uint8_t bytes[MOST];
    char message[8];
    uint64_t delay;
    (void)state;
    for (size_t i = 0; i < MOST; i += 2) {
        bytes[i] = 0x1a; /* details, empty */
    }
    assert_int_equal(djp__response_status(message, sizeof message, &delay, bytes, 12000), 1);
    assert_int_equal(djp__response_status(message, sizeof message, &delay, bytes, 24000), 0);
    assert_int_equal(djp__response_status(message, sizeof message, &delay, bytes, MOST), 0);
}

static void
parse_all(void)
{
    static char url[] = "type.googleapis.com/google.rpc.RetryInfo";
    uint8_t bytes[512], base64_of[512];
    char message[64];
    uint64_t delay;
    djp__partial partial;
    size_t size = pack_partial(bytes, 4, "some");
    assert_int_equal(djp__response_partial(&partial, bytes, size, 0), 1);
    assert_int_equal(djp__response_partial(&partial, bytes, size - 1, 0), 0);
    size = pack_status(base64_of, "slow down", url, 2, 0);
    assert_int_equal(djp__response_status(message, sizeof message, &delay, base64_of, size), 1);
    djp__buf coded;
    djp__buf_init(&coded, 0);
    djp__base64(&coded, base64_of, size);
    djp_text text = {coded.data, coded.size};
    assert_int_equal(djp__response_status_details(message, sizeof message, &delay, text), 1);
    djp__buf_fini(&coded);
}

static void
nothing_stays_of_a_response(void **state)
{
    (void)state;
    assert_int_equal(heap_growth(parse_all, 20), 0);
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
        {"%41%4a%4F%09", "AJO\t"},
        {"%@0%0@%G0%0G", "%@0%0@%G0%0G"},
        {"%/0%0/%:0%0:", "%/0%0/%:0%0:"},
        {"%`0%0`%g0%0g", "%`0%0`%g0%0g"},
        {"%4", "%4"},
        {"%%41", "%A"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[16];
        djp__grpc_message(out, sizeof out, text_of(cases[i].in));
        assert_string_equal(out, cases[i].out);
    }
    /* Only the given bytes count. */
    char part[16];
    djp__grpc_message(part, sizeof part, (djp_text){"abc", 2});
    assert_string_equal(part, "ab");
    djp__grpc_message(part, sizeof part, (djp_text){"%41", 2});
    assert_string_equal(part, "%4");
    djp__grpc_message(part, sizeof part, (djp_text){NULL, 3});
    assert_string_equal(part, "");
    static char long_text[1500], long_out[1500];
    memset(long_text, 'm', sizeof long_text);
    for (size_t size = 1023; size <= 1025; size++) {
        djp__grpc_message(long_out, sizeof long_out, (djp_text){long_text, size});
        assert_int_equal(strlen(long_out), size < 1024 ? size : 1024);
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
        cmocka_unit_test(the_size_of_a_response_is_limited),
        cmocka_unit_test(the_size_of_a_status_is_limited),
        cmocka_unit_test(the_first_retry_info_of_64_details_counts),
        cmocka_unit_test(the_memory_of_a_response_is_limited),
        cmocka_unit_test(nothing_stays_of_a_response),
        cmocka_unit_test(test_grpc_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
