/* What gRPC responses mean, without a network: trailers, statuses, and responses of proxies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net/grpc_response.h"

#define SHOWN "http://c/"

static djp_text
text_of(const char *text)
{
    return (djp_text){text, strlen(text)};
}

static void
grpc_line(djp__grpc_head *head, const char *line)
{
    djp__grpc_head_line(head, line, strlen(line));
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
    grpc_line(&head, "content-type: application/json");
    assert_false(head.is_grpc);
    grpc_line(&head, "content-type: application/gzip");
    assert_false(head.is_grpc);
    grpc_line(&head, "grpc-status: 999");
    assert_int_equal(head.status, 999);
    static const char *const nonsense[] = {"grpc-status:", "grpc-status: x", "grpc-status: -1",
                                           "grpc-status: 1000",
                                           "grpc-status: 99999999999999999999"};
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        grpc_line(&head, nonsense[i]);
        assert_true(head.has_status);
        assert_int_equal(head.status, 2);
    }
}

/* The content type and the texts of a head. */
static void
heads_are_read_line_by_line(void **state)
{
    static const struct {
        const char *type;
        int is_grpc;
    } types[] = {{"application/grpc", 1}, {"application/grpc+proto", 1},
                 {"application/grp", 0},  {"Application/grpc", 0},
                 {"text/html", 0},        {"", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        djp__grpc_head head = DJP__GRPC_HEAD_INIT;
        char line[64];
        snprintf(line, sizeof line, "Content-Type:%s", types[i].type);
        grpc_line(&head, line);
        assert_int_equal(head.is_grpc, types[i].is_grpc);
    }
    djp__grpc_head head = DJP__GRPC_HEAD_INIT;
    head.has_status = 1;
    grpc_line(&head, "HTTP"); /* no status line */
    assert_int_equal(head.has_status, 1);
    grpc_line(&head, "no colon");
    grpc_line(&head, "other: 1");
    assert_int_equal(head.has_status, 1);
    grpc_line(&head, "HTTP/");
    assert_int_equal(head.has_status, 0);
    assert_true(head.retry_ns == UINT64_MAX);
}

/* A status of a message "slow" and a delay of 2 s. */
#define DETAILS                                                                                   \
    "grpc-status-details-bin: CAgSBHNsb3caMgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW" \
    "5mbxIGCgQIAhAA"

static void
details_add_to_the_message(void **state)
{
    (void)state;
    djp__grpc_head head = DJP__GRPC_HEAD_INIT;
    grpc_line(&head, DETAILS);
    assert_string_equal(head.message, "slow");
    assert_true(head.retry_ns == 2000000000u);
    grpc_line(&head, "HTTP/2 200");
    grpc_line(&head, "grpc-message: first");
    grpc_line(&head, DETAILS);
    assert_string_equal(head.message, "first"); /* the plain message has priority */
    assert_true(head.retry_ns == 2000000000u);
    grpc_line(&head, "grpc-status-details-bin: !!!");
    assert_true(head.retry_ns == 2000000000u); /* what cannot be read changes nothing */
    assert_string_equal(head.message, "first");
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
statuses_have_names(void **state)
{
    static const char *const names[] = {"CANCELLED (1)",
                                        "UNKNOWN (2)",
                                        "INVALID_ARGUMENT (3)",
                                        "DEADLINE_EXCEEDED (4)",
                                        "NOT_FOUND (5)",
                                        "ALREADY_EXISTS (6)",
                                        "PERMISSION_DENIED (7)",
                                        "RESOURCE_EXHAUSTED (8)",
                                        "FAILED_PRECONDITION (9)",
                                        "ABORTED (10)",
                                        "OUT_OF_RANGE (11)",
                                        "UNIMPLEMENTED (12)",
                                        "INTERNAL (13)",
                                        "UNAVAILABLE (14)",
                                        "DATA_LOSS (15)",
                                        "UNAUTHENTICATED (16)",
                                        "status outside the protocol (17)"};
    (void)state;
    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char wanted[96];
        djp__send_result result = grpc_result(i + 1, UINT64_MAX, text_of(""));
        snprintf(wanted, sizeof wanted, SHOWN " responded %s", names[i]);
        assert_string_equal(result.message, wanted);
    }
    djp__grpc_head head = DJP__GRPC_HEAD_INIT;
    djp__send_result result = {0};
    head.has_status = 1;
    head.status = 14;
    strcpy(head.message, "busy");
    djp__grpc_response(&result, &head, 200, text_of(""), SHOWN, djp__response_partial);
    assert_string_equal(result.message, SHOWN " responded UNAVAILABLE (14): busy");
}

static void
grpc_status_decides(void **state)
{
    static const uint32_t retried[] = {1, 4, 10, 11, 14, 15};
    (void)state;
    for (uint32_t status = 1; status < 40; status++) {
        djp__outcome expected = DJP__SEND_REJECTED;
        for (size_t i = 0; i < sizeof retried / sizeof retried[0]; i++) {
            if (status == retried[i]) {
                expected = DJP__SEND_RETRY;
            }
        }
        djp__send_result result = grpc_result(status, UINT64_MAX, text_of(""));
        assert_int_equal(result.outcome, expected);
        assert_int_equal(result.status, status);
        assert_int_equal(result.retry_after_ns, 0);
        djp__send_result wished = grpc_result(status, 5, text_of(""));
        assert_int_equal(wished.outcome, status == 8 ? DJP__SEND_RETRY : expected);
        assert_int_equal(wished.retry_after_ns, wished.outcome == DJP__SEND_RETRY ? 5 : 0);
    }
    djp__send_result result =
        grpc_result(0, UINT64_MAX, (djp_text){"\0\0\0\0\x08\x0a\x06\x08\x05\x12\x02no", 13});
    assert_int_equal(result.outcome, DJP__SENT);
    assert_int_equal(result.rejected, 5);
    result = grpc_result(0, UINT64_MAX, (djp_text){"\0\0\0\0\3\xff\xff\xff", 8});
    assert_int_equal(result.outcome, DJP__SEND_REJECTED);
    result = grpc_result(0, UINT64_MAX, (djp_text){NULL, 0});
    assert_int_equal(result.outcome, DJP__SENT);
    assert_string_equal(result.message, "");
}

static void
responses_without_a_grpc_status(void **state)
{
    static const struct {
        long http;
        djp__outcome outcome;
        long status;
    } cases[] = {
        {200, DJP__SEND_RETRY, 0},    {400, DJP__SEND_REJECTED, 13}, {401, DJP__SEND_REJECTED, 16},
        {403, DJP__SEND_REJECTED, 7}, {404, DJP__SEND_REJECTED, 12}, {429, DJP__SEND_RETRY, 14},
        {502, DJP__SEND_RETRY, 14},   {503, DJP__SEND_RETRY, 14},    {504, DJP__SEND_RETRY, 14},
        {500, DJP__SEND_REJECTED, 2}, {302, DJP__SEND_REJECTED, 2}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const djp__grpc_head head = DJP__GRPC_HEAD_INIT;
        djp__send_result result = {0};
        djp__grpc_response(&result, &head, cases[i].http, text_of("<html>"), SHOWN,
                           djp__response_partial);
        assert_int_equal(result.outcome, cases[i].outcome);
        assert_int_equal(result.status, cases[i].status);
        assert_non_null(strstr(result.message, SHOWN));
        int is_receiver = cases[i].http == 400 || cases[i].http == 404 || cases[i].http == 500 ||
                          cases[i].http == 302;
        assert_int_equal(strstr(result.message, "OTEL_EXPORTER_OTLP_PROTOCOL") != NULL,
                         is_receiver);
        assert_int_equal(strstr(result.message, "ended the call without a gRPC status") != NULL,
                         cases[i].http == 200);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trailers_are_understood),
        cmocka_unit_test(heads_are_read_line_by_line),
        cmocka_unit_test(details_add_to_the_message),
        cmocka_unit_test(statuses_have_names),
        cmocka_unit_test(grpc_status_decides),
        cmocka_unit_test(responses_without_a_grpc_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
