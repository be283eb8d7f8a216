/* What gRPC responses mean, without a network: trailers, statuses, and responses of proxies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trailers_are_understood),
        cmocka_unit_test(grpc_status_decides),
        cmocka_unit_test(responses_without_a_grpc_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
