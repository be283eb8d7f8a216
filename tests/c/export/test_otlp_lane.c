/* One request on a lane against a receiver of this process: its bytes, what a response means, its
 * end, and its memory. */
#include "otlp_sender.h"

#include <zlib.h>

#include "base/mem.h"
#include "djp/error.h"
#include "heap.h"

/* ---- bytes ---- */

static void
fill_randomly(char *data, size_t size)
{
    uint32_t state = 1;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525u + 1013904223u;
        data[i] = (char)(state >> 24);
    }
}

static void
assert_unpacks_to(const char *packed, size_t packed_size, const char *data, size_t size)
{
    z_stream stream = {0};
    char *out = malloc(size + 1);
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)packed;
    stream.avail_in = (uInt)packed_size;
    stream.next_out = (Bytef *)out;
    stream.avail_out = (uInt)size + 1;
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.total_out, size);
    assert_memory_equal(out, data, size);
    inflateEnd(&stream);
    free(out);
}

static void
an_http_request_has_the_headers_of_otlp(void **state)
{
    (void)state;
    destination.headers = "X-Own: 1";
    open_transport();
    djp__send_result result = send_text("body");
    assert_sent(result);
    assert_int_equal(result.status, 200);
    assert_int_equal(result.wire_bytes, 4);
    assert_string_equal(result.message, "");
    assert_int_equal(result.rejected, 0);
    char *request = loopback_last(receiver, NULL);
    assert_int_equal(strncmp(request, "POST /v1/traces HTTP/1.1\r\n", 26), 0);
    assert_non_null(strstr(request, "\r\nContent-Type: application/x-protobuf\r\n"));
    assert_non_null(strstr(request, "\r\nUser-Agent: agent/1\r\n"));
    assert_non_null(strstr(request, "\r\nX-Own: 1\r\n"));
    assert_null(strstr(request, "Expect:"));
    assert_null(strstr(request, "Content-Encoding"));
    assert_null(strstr(request, "grpc-timeout"));
    assert_string_equal(strstr(request, "\r\n\r\n"), "\r\n\r\nbody");
    free(request);
    close_transport();
    destination.protocol = DJP_PROTOCOL_HTTP_JSON;
    open_transport();
    assert_sent(send_text("{}"));
    request = loopback_last(receiver, NULL);
    assert_non_null(strstr(request, "\r\nContent-Type: application/json\r\n"));
    free(request);
}

/* More than 1 KiB is compressed, if that helps. */
static void
large_bodies_are_compressed(void **state)
{
    static const struct {
        size_t size;
        int is_random, is_packed;
    } cases[] = {{1024, 0, 0}, {1025, 0, 1}, {5000, 0, 1}, {5000, 1, 0}};
    static char body[5000];
    (void)state;
    destination.compress = 1;
    open_transport();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t size;
        memset(body, 'b', sizeof body);
        if (cases[i].is_random) {
            fill_randomly(body, sizeof body);
        }
        djp__send_result result = send_until(body, cases[i].size, djp__clock_monotonic() + MINUTE);
        assert_sent(result);
        char *request = loopback_last(receiver, &size);
        const char *sent = strstr(request, "\r\n\r\n") + 4;
        size_t sent_size = size - (size_t)(sent - request);
        assert_int_equal(result.wire_bytes, sent_size);
        assert_int_equal(strstr(request, "\r\nContent-Encoding: gzip\r\n") != NULL,
                         cases[i].is_packed);
        if (cases[i].is_packed) {
            assert_true(sent_size < cases[i].size);
            assert_unpacks_to(sent, sent_size, body, cases[i].size);
        } else {
            assert_int_equal(sent_size, cases[i].size);
            assert_memory_equal(sent, body, sent_size);
        }
        free(request);
    }
}

static void
a_grpc_call_is_framed(void **state)
{
    static char body[5000];
    size_t size;
    loopback_call call = good_call();
    (void)state;
    loopback_respond_call(receiver, &call);
    speak_grpc();
    destination.compress = 1;
    open_transport();
    djp__send_result result = send_text("body");
    assert_sent(result);
    assert_int_equal(result.status, 0);
    assert_int_equal(result.wire_bytes, 9);
    char *request = loopback_last(receiver, &size);
    assert_int_equal(size, 9);
    assert_memory_equal(request, "\0\0\0\0\4body", 9);
    free(request);
    memset(body, 'b', sizeof body);
    assert_sent(send_until(body, sizeof body, djp__clock_monotonic() + MINUTE));
    request = loopback_last(receiver, &size);
    assert_int_equal(request[0], 1);
    assert_int_equal((uint8_t)request[3] * 256 + (uint8_t)request[4], size - 5);
    assert_unpacks_to(request + 5, size - 5, body, sizeof body);
    free(request);
}

static const char *
header_of(const djp__otlp_lane *lane, const char *name)
{
    for (const struct curl_slist *node = lane->exchange.headers; node; node = node->next) {
        if (strncmp(node->data, name, strlen(name)) == 0) {
            return node->data;
        }
    }
    return NULL;
}

/* Begins a request on the first lane, and ends it again. */
static djp__send_result
begin_and_give_up(const void *body, size_t size, uint64_t deadline, const char *wanted_timeout,
                  const char *wanted_encoding)
{
    djp__send_job job = {body, size, deadline, NULL};
    djp__send_result result;
    djp__otlp_lane *lane = &transport->lanes[0];
    assert_int_equal(djp__otlp_lane_begin(lane, &job, &result), 1);
    const char *timeout = header_of(lane, "grpc-timeout: "),
               *encoding = header_of(lane, "grpc-encoding: ");
    assert_true((timeout == NULL) == (wanted_timeout == NULL));
    assert_true(timeout == NULL || strncmp(timeout, wanted_timeout, strlen(wanted_timeout)) == 0);
    assert_true((encoding == NULL) == (wanted_encoding == NULL));
    assert_true(encoding == NULL || strcmp(encoding, wanted_encoding) == 0);
    assert_non_null(header_of(lane, "Content-Type: application/grpc"));
    assert_non_null(header_of(lane, "TE: trailers"));
    assert_int_equal(djp__otlp_lane_end(lane, DJP__OTLP_ABORTED, &result), 1);
    assert_int_equal(lane->phase, DJP__OTLP_IDLE);
    return result;
}

static void
a_grpc_call_says_its_time_and_encoding(void **state)
{
    static char body[5000];
    loopback_call call = good_call();
    (void)state;
    loopback_respond_call(receiver, &call);
    speak_grpc();
    destination.compress = 1;
    open_transport();
    assert_sent(send_text("")); /* opens the session */
    begin_and_give_up("x", 1, UINT64_MAX, NULL, NULL);
    begin_and_give_up("x", 1, 0, "grpc-timeout: 1m", NULL); /* passed already */
    begin_and_give_up("x", 1, djp__clock_monotonic() + 100000 * MINUTE, "grpc-timeout: 59", NULL);
    begin_and_give_up(body, sizeof body, UINT64_MAX, NULL, "grpc-encoding: gzip");
    begin_and_give_up(body, sizeof body, 0, "grpc-timeout: 1m", "grpc-encoding: gzip");
}

/* ---- responses ---- */

static void
too_large_a_response_is_final(void **state)
{
    (void)state;
    destination.max_response_bytes = 1000;
    open_transport();
    loopback_respond(receiver, OK_HEAD, 1000);
    assert_sent(send_text("body"));
    loopback_respond(receiver, OK_HEAD, 1001);
    assert_failure(DJP__SEND_REJECTED, 200, "gave a response larger than the limit of 1000 bytes");
    assert_int_equal(loopback_requests(receiver), 2); /* and is not requested again */
}

static void
a_response_that_cannot_be_read_is_final(void **state)
{
    (void)state;
    open_transport();
    loopback_respond(receiver, OK_HEAD "Content-Encoding: gzip\r\n", 100);
    assert_failure(DJP__SEND_REJECTED, 200, "gave a response that cannot be decompressed");
}

static void
a_refused_connection_may_be_repeated(void **state)
{
    (void)state;
    open_transport();
    loopback_free(receiver);
    assert_failure(DJP__SEND_RETRY, 0, receiver_url);
    receiver = loopback_new();
}

static void
respond_with(const char *status, const char *type, const char *body)
{
    char reply[512];
    int size = snprintf(reply, sizeof reply,
                        "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s", status,
                        type, strlen(body), body);
    loopback_respond_raw(receiver, reply, (size_t)size);
}

static void
an_error_of_the_receiver_hides_secrets(void **state)
{
    (void)state;
    destination.headers = "Authorization: Bearer secret123";
    open_transport();
    respond_with("400 Bad", "text/plain", "no Bearer secret123, no secret123 !");
    djp__send_result result = send_text("body");
    assert_int_equal(result.outcome, DJP__SEND_REJECTED);
    assert_int_equal(result.status, 400);
    assert_null(strstr(result.message, "secret"));
    assert_non_null(strstr(result.message, "400: no ****************, no ********* !"));
    assert_int_equal(warnings, 0); /* the sender reports failures */
}

/* A receiver that accepts with a remark is quoted, once a minute. */
static void
a_partial_success_is_a_warning_once_a_minute(void **state)
{
    (void)state;
    open_transport();
    assert_sent(send_text("body"));
    assert_int_equal(warnings, 0);
    respond_with("200 OK", "application/json",
                 "{\"partialSuccess\":{\"rejectedSpans\":2,\"errorMessage\":\"old\"}}");
    for (int i = 0; i < 3; i++) {
        djp__send_result result = send_text("body");
        assert_sent(result);
        assert_int_equal(result.rejected, 2);
        assert_non_null(strstr(result.message, "rejected 2 items: old"));
        assert_int_equal(warnings, 1);
    }
    assert_non_null(strstr(last_warning, "rejected 2 items: old"));
}

static void
a_grpc_status_decides(void **state)
{
    static const char *const busy[] = {"grpc-status", "14", "grpc-message", "busy", NULL};
    static const char *const at_once[] = {
        ":status", "200", "content-type", "application/grpc", "grpc-status", "3", NULL};
    loopback_call call = {grpc_headers, NULL, 0, busy, 0};
    (void)state;
    speak_grpc();
    open_transport();
    loopback_respond_call(receiver, &call);
    assert_failure(DJP__SEND_RETRY, 14, "UNAVAILABLE (14): busy");
    call = (loopback_call){at_once, NULL, 0, NULL, 0};
    loopback_respond_call(receiver, &call);
    assert_failure(DJP__SEND_REJECTED, 3, "INVALID_ARGUMENT (3)");
    assert_int_equal(transport->has_arrived, 1);
    assert_int_equal(transport->has_failed, 0); /* the receiver was reached */
}

/* ---- the end of a request ---- */

static int
give_up_after_arrival(void *user)
{
    (void)user;
    return loopback_requests(receiver) > 0;
}

static void
a_request_may_be_given_up(void **state)
{
    djp__send_control control = {djp__clock_monotonic() + MINUTE, give_up_after_arrival, NULL};
    djp__send_result result;
    (void)state;
    open_transport();
    loopback_act(receiver, LOOPBACK_SILENCE);
    transport->base.ops->send(&transport->base, "body", 4, &control, &result);
    assert_int_equal(result.outcome, DJP__SEND_ABORTED);
    assert_non_null(strstr(result.message, "given up before the response came"));
    assert_int_equal(transport->has_failed, 0); /* nothing is known of the receiver */
    result = send_until("body", 4, djp__clock_monotonic() + 50000000);
    assert_int_equal(result.outcome, DJP__SEND_ABORTED);
    assert_non_null(strstr(result.message, "no response within the time limit"));
    assert_int_equal(transport->has_failed, 0);
    loopback_act(receiver, LOOPBACK_REPLY);
    assert_sent(send_text("body"));
}

/* ---- memory ---- */

static void
a_request_without_memory_may_be_repeated(void **state)
{
    loopback_call call = good_call();
    (void)state;
    loopback_respond_call(receiver, &call);
    speak_grpc();
    open_transport();
    assert_sent(send_text("body"));
    djp__buf_fini(&transport->lanes[0].wire);
    djp__alloc_fail_after(1);
    djp__send_job job = {"body", 4, UINT64_MAX, NULL};
    djp__send_result result = {0};
    int begun = djp__otlp_lane_begin(&transport->lanes[0], &job, &result);
    djp__alloc_fail_after(0);
    assert_int_equal(begun, 0);
    assert_int_equal(result.outcome, DJP__SEND_RETRY);
    assert_string_equal(result.message, "out of memory for a request of 4 bytes");
    assert_int_equal(transport->lanes[0].phase, DJP__OTLP_IDLE);
    assert_null(transport->lanes[0].wire.data);
    assert_sent(send_text("body"));
}

/* The lanes together keep 4 MiB for further requests. */
static void
large_buffers_are_not_kept(void **state)
{
    loopback_call call = good_call();
    char *body = calloc(1, 4 << 20);
    (void)state;
    fill_randomly(body, 4 << 20);
    loopback_respond_call(receiver, &call);
    speak_grpc();
    destination.concurrency = 4;
    open_transport();
    djp__otlp_lane *lane = &transport->lanes[0];
    assert_sent(send_until(body, 1000, djp__clock_monotonic() + MINUTE));
    assert_true(lane->wire.capacity >= 1005);
    assert_non_null(djp__buf_reserve(&lane->wire, (1 << 20) - lane->wire.size));
    int is_kept = lane->wire.capacity <= 1 << 20;
    assert_sent(send_until(body, 1000, djp__clock_monotonic() + MINUTE));
    assert_int_equal(lane->wire.data != NULL, is_kept);
    assert_sent(send_until(body, (1 << 20) + 1, djp__clock_monotonic() + MINUTE));
    assert_null(lane->wire.data);
    free(body);
}

static void
send_variously(void)
{
    loopback_call call = good_call();
    loopback_respond(receiver, OK_HEAD, 5000);
    assert_sent(send_text("body"));
    loopback_act(receiver, LOOPBACK_CLOSE);
    assert_int_equal(send_text("body").outcome, DJP__SEND_RETRY);
    loopback_act(receiver, LOOPBACK_REPLY);
    (void)call;
}

static void
send_a_call(void)
{
    assert_sent(send_text("body"));
    transport->has_arrived = 0;
    djp__store_relaxed(&transport->probed, (uint64_t)0);
    loopback_act(receiver, LOOPBACK_CLOSE); /* the repetition and the probe, too */
    assert_int_equal(send_text("body").outcome, DJP__SEND_RETRY);
    loopback_act(receiver, LOOPBACK_REPLY);
}

static void
no_memory_stays(void **state)
{
    loopback_call call = {grpc_headers, "\0\0\0\0", 5, grpc_good, 0};
    (void)state;
    open_transport();
    assert_int_equal(heap_growth(send_variously, 30) / 1000, 0); /* a body is 5,000 bytes */
    close_transport();
    loopback_respond_call(receiver, &call);
    speak_grpc();
    open_transport();
    assert_int_equal(heap_growth(send_a_call, 30) / 1000, 0);
}

/* In a forked child a lane is idle and holds nothing that the fork may have torn. */
static void
a_discarded_lane_is_idle(void **state)
{
    (void)state;
    open_transport();
    djp__otlp_lane *lane = &transport->lanes[0];
    char *response = malloc(10), *wire = malloc(10);
    lane->phase = DJP__OTLP_REPEATED;
    lane->is_warm = 1;
    lane->exchange.response = (djp__buf){.data = response, .size = 5, .capacity = 10};
    lane->wire = (djp__buf){.data = wire, .size = 5, .capacity = 10};
    djp__otlp_lane_discard(lane);
    assert_int_equal(lane->phase, DJP__OTLP_IDLE);
    assert_int_equal(lane->is_warm, 0);
    assert_null(lane->exchange.response.data);
    assert_null(lane->wire.data);
    free(response);
    free(wire);
}

int
main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, begin_receiver, end_receiver)
    const struct CMUnitTest tests[] = {
        ONE(an_http_request_has_the_headers_of_otlp),
        ONE(large_bodies_are_compressed),
        ONE(a_grpc_call_is_framed),
        ONE(a_grpc_call_says_its_time_and_encoding),
        ONE(too_large_a_response_is_final),
        ONE(a_response_that_cannot_be_read_is_final),
        ONE(a_refused_connection_may_be_repeated),
        ONE(an_error_of_the_receiver_hides_secrets),
        ONE(a_partial_success_is_a_warning_once_a_minute),
        ONE(a_grpc_status_decides),
        ONE(a_request_may_be_given_up),
        ONE(a_request_without_memory_may_be_repeated),
        ONE(large_buffers_are_not_kept),
        ONE(no_memory_stays),
        ONE(a_discarded_lane_is_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
