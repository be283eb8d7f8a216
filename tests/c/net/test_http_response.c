/* What HTTP responses mean, without a network: heads, statuses and bodies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

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
http_headers_count_for_the_last_response_only(void **state)
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
    http_line(&head, "HTTP/"); /* the shortest status line */
    assert_string_equal(head.content_type, "");
    http_line(&head, "content-type: application/json");
    http_line(&head, "content-type: TeXt/AZ ; charset=utf-8"); /* shorter than the one before */
    assert_string_equal(head.content_type, "text/az");
    http_line(&head, "content-type: @[`{");
    assert_string_equal(head.content_type, "@[`{");
    http_line(&head, "no colon here");
    http_line(&head, "");
    http_line(&head,
              "content-type: "
              "application/a-very-long-type-that-does-not-fit-into-the-room-that-there-is-for-it");
    assert_int_equal(strlen(head.content_type), sizeof head.content_type - 1);
}

static void
assert_http(long status, const char *type, const char *body, djp__outcome outcome,
            uint64_t rejected, const char *part)
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
    if (part != NULL) {
        assert_non_null(strstr(result.message, part));
    } else {
        assert_string_equal(result.message, "");
    }
}

static void
http_status_decides(void **state)
{
    static const long retried[] = {429, 502, 503, 504};
    (void)state;
    for (long status = 100; status < 700; status++) {
        djp__outcome expected = status >= 200 && status < 300 ? DJP__SENT : DJP__SEND_REJECTED;
        for (size_t i = 0; i < sizeof retried / sizeof retried[0]; i++) {
            if (status == retried[i]) {
                expected = DJP__SEND_RETRY;
            }
        }
        assert_http(status, "", "", expected, 0, expected == DJP__SENT ? NULL : SHOWN);
    }
}

/* Only what is a redirect is called one. */
static void
http_redirects_are_named(void **state)
{
    (void)state;
    for (long status = 100; status < 403; status++) {
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
    } cases[] = {{"text/plain", 1},
                 {"application/json", 1},
                 {"text/html", 0},
                 {"", 0},
                 {"application/x-protobuf", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t size = 157; size <= 161; size++) {
            char body[200];
            djp__http_head head = {0};
            djp__send_result result = {0};
            memset(body, 'w', size);
            strcpy(head.content_type, cases[i].type);
            djp__http_response(&result, &head, 400, (djp_text){body, size}, SHOWN,
                               djp__response_partial);
            size_t shown = cases[i].shown ? (size < 159 ? size : 159) : 0;
            assert_int_equal(strlen(result.message),
                             strlen(SHOWN " responded 400") + (shown ? shown + 2 : 0));
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
    assert_http(200, json, "{\"partialSuccess\":{\"rejectedSpans\":\"3\",\"errorMessage\":\"no\"}}",
                DJP__SENT, 3, "no");
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
    assert_http(200, protobuf, "\x0a\x0f\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x12\x02no",
                DJP__SENT, 0, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_headers_count_for_the_last_response_only),
        cmocka_unit_test(http_status_decides),
        cmocka_unit_test(http_redirects_are_named),
        cmocka_unit_test(http_reasons_are_cut),
        cmocka_unit_test(http_bodies_are_read_by_their_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
