/* What answers mean, without a network: HTTP heads and bodies, gRPC frames, trailers and timeouts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net/grpc_response.h"
#include "net/http_response.h"

#define SHOWN "http://c/"
#define NOW (UINT64_C(1700000000) * 1000000000) /* Tue, 14 Nov 2023 22:13:20 GMT */

static djp_text
text_of(const char *text)
{
    return (djp_text){text, strlen(text)};
}

static void
http_line(djp__http_head *head, const char *line)
{
    djp__http_head_line(head, line, strlen(line), NOW);
}

static void
grpc_line(djp__grpc_head *head, const char *line)
{
    djp__grpc_head_line(head, line, strlen(line));
}

static void
http_headers_count_for_the_last_answer_only(void **state)
{
    (void)state;
    djp__http_head head = {0};
    http_line(&head, "HTTP/1.1 100 Continue");
    http_line(&head, "Retry-After: 9");
    http_line(&head, "Content-Type: Text/HTML; charset=utf-8");
    assert_string_equal(head.content_type, "text/html");
    assert_int_equal(head.retry_after_ns, UINT64_C(9000000000));
    http_line(&head, "HTTP/1.1 503 Busy");
    assert_string_equal(head.content_type, "");
    assert_int_equal(head.retry_after_ns, 0);
    http_line(&head, "RETRY-AFTER:Tue, 14 Nov 2023 22:13:50 GMT");
    assert_int_equal(head.retry_after_ns, UINT64_C(30000000000));
    http_line(&head, "retry-after: whenever");
    assert_int_equal(head.retry_after_ns, 0);
    http_line(&head, "no colon here");
    http_line(&head, "");
    http_line(&head, "content-type: application/a-very-long-type-that-does-not-fit-into-the-room-that-there-is-for-it");
    assert_int_equal(strlen(head.content_type), sizeof head.content_type - 1);
}

static void
assert_http(long status, const char *type, const char *body, djp__outcome outcome, uint64_t rejected, const char *part)
{
    djp__http_head head = {0};
    djp__send_result result = {0};
    head.retry_after_ns = 7;
    strncpy(head.content_type, type, sizeof head.content_type - 1);
    djp__http_response(&result, &head, status, text_of(body), SHOWN, djp__response_partial);
    assert_int_equal(result.status, status);
    assert_int_equal(result.outcome, outcome);
    assert_int_equal(result.rejected, rejected);
    assert_int_equal(result.retry_after_ns, outcome == DJP__SEND_RETRY ? 7 : 0);
    if (part)
        assert_non_null(strstr(result.message, part));
    else
        assert_string_equal(result.message, "");
}

static void
http_status_decides(void **state)
{
    static const long retried[] = {429, 502, 503, 504};
    (void)state;
    for (long status = 100; status < 700; status++) {
        djp__outcome expected = status >= 200 && status < 300 ? DJP__SENT : DJP__SEND_REJECTED;
        for (size_t i = 0; i < sizeof retried / sizeof retried[0]; i++)
            if (status == retried[i])
                expected = DJP__SEND_RETRY;
        assert_http(status, "", "", expected, 0, expected == DJP__SENT ? NULL : SHOWN);
    }
}

/* Only what is a redirect is called one. */
static void
http_redirects_are_named(void **state)
{
    (void)state;
    for (long status = 298; status < 403; status++) {
        djp__http_head head = {0};
        djp__send_result result = {0};
        djp__http_response(&result, &head, status, text_of(""), SHOWN, djp__response_partial);
        assert_int_equal(strstr(result.message, "redirect") != NULL, status >= 300 && status < 400);
    }
}

/* The receiver's words are shown where they are text, and not too many of them. */
static void
http_reasons_are_cut(void **state)
{
    static const struct {
        const char *type;
        int shown;
    } cases[] = {{"text/plain", 1}, {"application/json", 1}, {"text/html", 0}, {"", 0}, {"application/x-protobuf", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t size = 157; size <= 161; size++) {
            char body[200];
            djp__http_head head = {0};
            djp__send_result result = {0};
            memset(body, 'w', size);
            strcpy(head.content_type, cases[i].type);
            djp__http_response(&result, &head, 400, (djp_text){body, size}, SHOWN, djp__response_partial);
            size_t shown = cases[i].shown ? (size < 159 ? size : 159) : 0;
            assert_int_equal(strlen(result.message), strlen(SHOWN " responded 400") + (shown ? shown + 2 : 0));
        }
    }
}

static void
http_bodies_are_read_by_their_type(void **state)
{
    static const char *const protobuf = "application/x-protobuf", *const json = "application/json";
    (void)state;
    assert_http(200, protobuf, "\x0a\x06\x08\x05\x12\x02no", DJP__SENT, 5, "no");
    assert_http(200, protobuf, "\x0a\x04\x12\x02hm", DJP__SENT, 0, "hm");
    assert_http(200, protobuf, "\xff\xff\xff", DJP__SEND_REJECTED, 0, "not OTLP");
    assert_http(200, json, "{\"partialSuccess\":{\"rejectedSpans\":\"3\",\"errorMessage\":\"no\"}}", DJP__SENT, 3,
                "no");
    assert_http(200, json, "{}", DJP__SENT, 0, NULL);
    assert_http(200, json, "{", DJP__SEND_REJECTED, 0, "not OTLP");
    assert_http(200, "text/html", "<html>", DJP__SEND_REJECTED, 0, "web page");
    assert_http(200, "text/plain", "thanks", DJP__SENT, 0, NULL);
    assert_http(400, protobuf,
                "\x08\x03\x12\x03"
                "bad",
                DJP__SEND_REJECTED, 0, "400: bad");
    assert_http(503, "text/plain", "full\r\n\x1b[2Jnow", DJP__SEND_RETRY, 0, "503: full   [2Jnow");
    assert_http(307, "", "", DJP__SEND_REJECTED, 0, "redirect");
    /* A negative count of rejected items is nonsense, not a huge number. */
    assert_http(200, protobuf, "\x0a\x0f\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x12\x02no", DJP__SENT, 0, NULL);
}

static void
frames_are_bounded(void **state)
{
    (void)state;
    uint8_t frame[DJP__GRPC_FRAME_SIZE];
    djp_text message;
    djp__grpc_frame(frame, 1, 0x01020304);
    assert_memory_equal(frame, "\1\1\2\3\4", 5);
    djp__grpc_frame(frame, 0, UINT32_MAX);
    assert_memory_equal(frame, "\0\xff\xff\xff\xff", 5);
    assert_int_equal(djp__grpc_message_in(&message, (djp_text){NULL, 0}), 0);
    assert_int_equal(djp__grpc_message_in(&message, (djp_text){"\0\0\0\0", 4}), 0);
    assert_int_equal(djp__grpc_message_in(&message, (djp_text){"\0\0\0\0\0", 5}), 1);
    assert_int_equal(message.size, 0);
    assert_int_equal(djp__grpc_message_in(&message, (djp_text){"\0\0\0\0\2ab", 7}), 1);
    assert_int_equal(message.size, 2);
    assert_memory_equal(message.data, "ab", 2);
    assert_int_equal(djp__grpc_message_in(&message, (djp_text){"\0\0\0\0\3ab", 7}), 0);
    assert_int_equal(djp__grpc_message_in(&message, (djp_text){"\0\xff\xff\xff\xff"
                                                               "ab",
                                                               7}),
                     0);
    assert_int_equal(djp__grpc_message_in(&message, (djp_text){"\1\0\0\0\2ab", 7}), 0);
}

static void
timeouts_have_at_most_eight_digits(void **state)
{
    (void)state;
    char text[32];
    djp__grpc_timeout(text, sizeof text, 0);
    assert_string_equal(text, "grpc-timeout: 1m");
    djp__grpc_timeout(text, sizeof text, UINT64_C(9500999999));
    assert_string_equal(text, "grpc-timeout: 9500m");
    djp__grpc_timeout(text, sizeof text, UINT64_C(99999999) * 1000000);
    assert_string_equal(text, "grpc-timeout: 99999999m");
    djp__grpc_timeout(text, sizeof text, UINT64_C(100000000) * 1000000);
    assert_string_equal(text, "grpc-timeout: 100000S");
    djp__grpc_timeout(text, sizeof text, UINT64_MAX);
    assert_string_equal(text, "grpc-timeout: 99999999S");
}

static void
trailers_are_understood(void **state)
{
    (void)state;
    djp__grpc_head head = DJP__GRPC_HEAD_INIT;
    grpc_line(&head, "HTTP/2 200 ");
    grpc_line(&head, "content-type: application/grpc");
    assert_false(head.has_status);
    grpc_line(&head, "GRPC-Status: 14");
    grpc_line(&head, "grpc-message: late%21 100%");
    assert_true(head.has_status);
    assert_int_equal(head.status, 14);
    assert_string_equal(head.message, "late! 100%");
    assert_true(head.retry_ns == UINT64_MAX);
    grpc_line(&head, "HTTP/2 200");
    assert_false(head.has_status);
    assert_string_equal(head.message, "");
    static const char *const nonsense[] = {"grpc-status:", "grpc-status: x", "grpc-status: -1", "grpc-status: 1000",
                                           "grpc-status: 99999999999999999999"};
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        grpc_line(&head, nonsense[i]);
        assert_true(head.has_status);
        assert_int_equal(head.status, 2);
    }
}

static djp__send_result
grpc_result(uint32_t status, uint64_t retry_ns, djp_text body)
{
    djp__grpc_head head = DJP__GRPC_HEAD_INIT;
    djp__send_result result = {0};
    head.has_status = 1;
    head.status = status;
    head.retry_ns = retry_ns;
    djp__grpc_response(&result, &head, 200, body, SHOWN, djp__response_partial);
    return result;
}

static void
grpc_status_decides(void **state)
{
    static const uint32_t retried[] = {1, 4, 10, 11, 14, 15};
    (void)state;
    for (uint32_t status = 1; status < 40; status++) {
        djp__outcome expected = DJP__SEND_REJECTED;
        for (size_t i = 0; i < sizeof retried / sizeof retried[0]; i++)
            if (status == retried[i])
                expected = DJP__SEND_RETRY;
        djp__send_result result = grpc_result(status, UINT64_MAX, text_of(""));
        assert_int_equal(result.outcome, expected);
        assert_int_equal(result.status, status);
        assert_int_equal(result.retry_after_ns, 0);
        djp__send_result wished = grpc_result(status, 5, text_of(""));
        assert_int_equal(wished.outcome, status == 8 ? DJP__SEND_RETRY : expected);
        assert_int_equal(wished.retry_after_ns, wished.outcome == DJP__SEND_RETRY ? 5 : 0);
    }
    djp__send_result result = grpc_result(0, UINT64_MAX, (djp_text){"\0\0\0\0\x08\x0a\x06\x08\x05\x12\x02no", 13});
    assert_int_equal(result.outcome, DJP__SENT);
    assert_int_equal(result.rejected, 5);
    result = grpc_result(0, UINT64_MAX, (djp_text){"\0\0\0\0\3\xff\xff\xff", 8});
    assert_int_equal(result.outcome, DJP__SEND_REJECTED);
    result = grpc_result(0, UINT64_MAX, (djp_text){NULL, 0});
    assert_int_equal(result.outcome, DJP__SENT);
    assert_string_equal(result.message, "");
}

static void
answers_without_a_grpc_status(void **state)
{
    static const struct {
        long http;
        djp__outcome outcome;
        long status;
    } cases[] = {{200, DJP__SEND_RETRY, 0},    {400, DJP__SEND_REJECTED, 13}, {401, DJP__SEND_REJECTED, 16},
                 {403, DJP__SEND_REJECTED, 7}, {404, DJP__SEND_REJECTED, 12}, {429, DJP__SEND_RETRY, 14},
                 {502, DJP__SEND_RETRY, 14},   {503, DJP__SEND_RETRY, 14},    {504, DJP__SEND_RETRY, 14},
                 {500, DJP__SEND_REJECTED, 2}, {302, DJP__SEND_REJECTED, 2}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const djp__grpc_head head = DJP__GRPC_HEAD_INIT;
        djp__send_result result = {0};
        djp__grpc_response(&result, &head, cases[i].http, text_of("<html>"), SHOWN, djp__response_partial);
        assert_int_equal(result.outcome, cases[i].outcome);
        assert_int_equal(result.status, cases[i].status);
        assert_non_null(strstr(result.message, SHOWN));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_headers_count_for_the_last_answer_only),
        cmocka_unit_test(http_status_decides),
        cmocka_unit_test(http_redirects_are_named),
        cmocka_unit_test(http_reasons_are_cut),
        cmocka_unit_test(http_bodies_are_read_by_their_type),
        cmocka_unit_test(frames_are_bounded),
        cmocka_unit_test(timeouts_have_at_most_eight_digits),
        cmocka_unit_test(trailers_are_understood),
        cmocka_unit_test(grpc_status_decides),
        cmocka_unit_test(answers_without_a_grpc_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
