/* A lane and its connection: reused, new and dead ones, the version of HTTP, and a receiver that
 * speaks another protocol. */
#include "otlp_sender.h"

/* ---- connections ---- */

static void
a_connection_serves_many_requests(void **state)
{
    loopback_call call = good_call();
    (void)state;
    open_transport();
    for (int i = 0; i < 3; i++) {
        assert_sent(send_text("body"));
    }
    assert_int_equal(loopback_connections(receiver), 1);
    close_transport();
    loopback_respond_call(receiver, &call);
    speak_grpc();
    open_transport();
    for (int i = 0; i < 3; i++) {
        assert_sent(send_text("body"));
        assert_int_equal(transport->lanes[0].is_warm, 1);
    }
    assert_int_equal(loopback_connections(receiver), 2);
    assert_int_equal(loopback_requests(receiver), 6);
}

/* The receiver closes a connection while the next request is on its way: that one is sent once
 * more, on a new connection. */
static void
a_request_on_a_dead_connection_is_repeated(void **state)
{
    loopback_call call = good_call();
    (void)state;
    for (int is_grpc = 0; is_grpc < 2; is_grpc++) {
        if (is_grpc) {
            loopback_respond_call(receiver, &call);
            speak_grpc();
        }
        unsigned requests = loopback_requests(receiver),
                 connections = loopback_connections(receiver);
        open_transport();
        assert_sent(send_text("first"));
        loopback_act(receiver, LOOPBACK_CLOSE_ONCE);
        assert_sent(send_text("second"));
        assert_int_equal(loopback_requests(receiver) - requests, 3);
        assert_int_equal(loopback_connections(receiver) - connections, 2);
        loopback_hang_up(receiver); /* while nothing is sent */
        assert_sent(send_text("third"));
        assert_int_equal(loopback_requests(receiver) - requests, 4);
        assert_int_equal(loopback_connections(receiver) - connections, 3);
        close_transport();
    }
}

/* A new connection that ends without a response says something about the receiver: the sender backs
 * off. */
static void
a_request_on_a_new_connection_is_not_repeated(void **state)
{
    loopback_call call = good_call();
    (void)state;
    open_transport();
    loopback_act(receiver, LOOPBACK_CLOSE);
    djp__send_result result = send_text("body");
    assert_int_equal(result.outcome, DJP__SEND_RETRY);
    assert_int_equal(result.wire_bytes, 4);
    assert_int_equal(loopback_requests(receiver), 1);
    assert_int_equal(transport->has_failed, 1);
    assert_int_equal(transport->has_arrived, 0);
    close_transport();
    loopback_respond_call(receiver, &call);
    speak_grpc();
    open_transport();
    transport->has_arrived = 1; /* no probe */
    result = send_text("body");
    assert_int_equal(result.outcome, DJP__SEND_RETRY);
    assert_int_equal(loopback_requests(receiver), 2);
    assert_int_equal(transport->lanes[0].is_warm, 0);
    loopback_act(receiver, LOOPBACK_REPLY);
    assert_sent(send_text("body"));
    assert_int_equal(transport->has_failed, 0);
}

/* A dead connection is noticed by itself alone, not by what came on it. */
static void
a_response_on_a_reused_connection_is_taken(void **state)
{
    static const char torn[] = OK_HEAD "Content-Length: 100\r\n\r\nshort";
    (void)state;
    destination.max_response_bytes = 10;
    open_transport();
    assert_sent(send_text("first"));
    loopback_respond_raw(receiver, torn, strlen(torn));
    loopback_act(receiver, LOOPBACK_REPLY_AND_CLOSE);
    djp__send_result result = send_text("second"); /* it had a head */
    assert_int_equal(result.outcome, DJP__SEND_RETRY);
    assert_int_equal(loopback_requests(receiver), 2);
    loopback_respond(receiver, OK_HEAD, 0);
    loopback_act(receiver, LOOPBACK_REPLY);
    assert_sent(send_text("third"));
    loopback_respond(receiver, OK_HEAD, 11);
    result = send_text("fourth"); /* too large is no death */
    assert_int_equal(result.outcome, DJP__SEND_REJECTED);
    assert_int_equal(loopback_requests(receiver), 4);
}

/* An error of HTTP on a reused connection is the word of a gateway, with or without a gRPC status.
 */
static void
a_gateways_error_on_a_reused_connection_is_taken(void **state)
{
    static const char *const error[] = {":status", "503", "content-type", "text/plain", NULL};
    loopback_call good = good_call(), bad = {error, NULL, 0, NULL, 0};
    (void)state;
    loopback_respond_call(receiver, &good);
    speak_grpc();
    open_transport();
    assert_sent(send_text("first"));
    loopback_respond_call(receiver, &bad);
    djp__send_result result = send_text("second");
    assert_int_equal(result.outcome, DJP__SEND_RETRY);
    assert_non_null(strstr(result.message, "503"));
    assert_int_equal(loopback_requests(receiver), 2);
    assert_int_equal(loopback_connections(receiver), 1);
}

static void
only_some_errors_mean_a_dead_connection(void **state)
{
    static const CURLcode dead[] = {CURLE_SEND_ERROR, CURLE_RECV_ERROR,   CURLE_GOT_NOTHING,
                                    CURLE_HTTP2,      CURLE_HTTP2_STREAM, CURLE_PARTIAL_FILE};
    (void)state;
    open_transport();
    assert_sent(send_text("body"));
    for (int code = 0; code < CURL_LAST; code++) {
        int expected = 0;
        for (size_t i = 0; i < sizeof dead / sizeof dead[0]; i++) {
            expected |= code == (int)dead[i];
        }
        /* An exchange on a reused connection that ended so. */
        djp__send_job job = {"body", 4, djp__clock_monotonic() + MINUTE, NULL};
        djp__send_result result;
        djp__otlp_lane *lane = &transport->lanes[0];
        loopback_act(receiver, LOOPBACK_HOLD);
        assert_int_equal(djp__otlp_lane_begin(lane, &job, &result), 1);
        lane->exchange.code = (CURLcode)code;
        lane->exchange.sockets = 0;
        int is_over = djp__otlp_lane_end(lane, DJP__OTLP_DONE, &result);
        assert_int_equal(is_over, !expected);
        if (!is_over) {
            assert_int_equal(lane->phase, DJP__OTLP_REPEATED);
            assert_int_equal(lane->exchange.fresh, 1);
            lane->exchange.code = CURLE_GOT_NOTHING; /* a second time is not repeated */
            lane->exchange.sockets = 0;
            assert_int_equal(djp__otlp_lane_end(lane, DJP__OTLP_DONE, &result), 1);
            assert_int_equal(result.outcome, DJP__SEND_RETRY);
        }
    }
    loopback_act(receiver, LOOPBACK_REPLY);
}

/* ---- versions ---- */

static void
assert_version(int breaks_reuse, int is_warm, long version, int fresh, int reuse_only)
{
    djp__send_job job = {"body", 4, UINT64_MAX, NULL};
    djp__send_result result;
    djp__otlp_lane *lane = &transport->lanes[0];
    transport->breaks_reuse = breaks_reuse;
    lane->is_warm = is_warm;
    assert_int_equal(djp__otlp_lane_begin(lane, &job, &result), 1);
    assert_int_equal(lane->exchange.http_version, version);
    assert_int_equal(lane->exchange.fresh, fresh);
    assert_int_equal(lane->exchange.reuse_only, reuse_only);
    djp__otlp_lane_end(lane, DJP__OTLP_ABORTED, &result);
}

static void
the_version_of_http_follows_the_protocol(void **state)
{
    loopback_call call = good_call();
    (void)state;
    open_transport();
    assert_sent(send_text("body"));
    assert_version(1, 1, CURL_HTTP_VERSION_1_1, 0, 0);
    close_transport();
    loopback_respond_call(receiver, &call);
    speak_grpc();
    open_transport();
    assert_sent(send_text("body"));
    assert_version(0, 0, CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE, 0, 0);
    assert_version(0, 1, CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE, 0, 0);
    assert_version(1, 0, CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE, 1, 0);
    assert_version(1, 1, CURL_HTTP_VERSION_2TLS, 0, 1);
    transport->target.is_https = 1;
    assert_version(1, 1, CURL_HTTP_VERSION_2TLS, 0, 0);
    transport->target.is_https = 0;
}

/* A libcurl that breaks the second call on a connection, unknown as such, is noticed, and the call
 * arrives. */
static void
a_libcurl_that_breaks_reuse_is_noticed(void **state)
{
    loopback_call call = good_call();
    (void)state;
    loopback_respond_call(receiver, &call);
    speak_grpc();
    open_transport();
    transport->breaks_reuse = 0;
    for (int i = 0; i < 3; i++) {
        assert_sent(send_text("body"));
    }
    assert_int_equal(transport->breaks_reuse, djp__curl_breaks_reuse());
    assert_int_equal(loopback_requests(receiver), 3);
}

/* A lane whose connection is gone without its knowledge is refused a socket, and starts anew. */
static void
a_warm_lane_without_a_connection_starts_anew(void **state)
{
    loopback_call call = good_call();
    (void)state;
    loopback_respond_call(receiver, &call);
    speak_grpc();
    open_transport();
    assert_sent(send_text("body"));
    transport->breaks_reuse = 1;
    loopback_hang_up(receiver);
    transport->lanes[0].is_warm = 1;
    assert_sent(send_text("body"));
    assert_int_equal(loopback_requests(receiver), 2);
    assert_int_equal(loopback_connections(receiver), 2);
}

/* ---- a response whose trailers are lost ---- */

static void
a_good_head_without_trailers_is_success_where_they_are_lost(void **state)
{
    static const char *const no_grpc[] = {":status", "200", "content-type", "text/html", NULL};
    static const char *const bad_status[] = {":status", "500", "content-type", "application/grpc",
                                             NULL};
    loopback_call call = {grpc_headers, "\0\0\0\0", 5, NULL, 0};
    (void)state;
    speak_grpc();
    open_transport();
    for (int goodbye = 0; goodbye < 2; goodbye++) {
        call.says_goodbye = goodbye;
        loopback_respond_call(receiver, &call);
        djp__send_result result = send_text("body");
        if (djp__curl_loses_trailers()) {
            assert_sent(result);
        } else {
            assert_int_equal(result.outcome, DJP__SEND_RETRY);
        }
        assert_int_equal(transport->lanes[0].is_warm, 0); /* this connection is not used again */
    }
    loopback_hang_up(receiver);
    call = (loopback_call){no_grpc, "\0\0\0\0", 5, NULL, 0};
    loopback_respond_call(receiver, &call);
    assert_failure(DJP__SEND_RETRY, 0, "ended the call without a gRPC status");
    call.headers = bad_status;
    loopback_respond_call(receiver, &call);
    assert_failure(DJP__SEND_REJECTED, 2, "responded HTTP 500 without a gRPC status");
}

/* ---- the other protocol ---- */

#define SPEAKS_HTTP "this port speaks HTTP: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"

static void
a_receiver_of_http_is_named(void **state)
{
    (void)state;
    loopback_respond(receiver, "HTTP/1.1 404 Not Found\r\n", 0);
    speak_grpc();
    open_transport();
    assert_failure(DJP__SEND_RETRY, 0, SPEAKS_HTTP);
    assert_int_equal(loopback_requests(receiver), 2); /* the call, and a probe */
    char *probe = loopback_last(receiver, NULL);
    assert_int_equal(strncmp(probe, "GET ", 4), 0);
    free(probe);
    assert_failure(DJP__SEND_RETRY, 0, SPEAKS_HTTP); /* still known, without a second probe */
    assert_int_equal(loopback_requests(receiver), 3);
    /* It has learned gRPC meanwhile. */
    loopback_call call = good_call();
    loopback_respond_call(receiver, &call);
    loopback_hang_up(receiver);
    assert_sent(send_text("body"));
    assert_int_equal(transport->speaks_http, 0);
    assert_int_equal(transport->has_arrived, 1);
}

static void
a_receiver_that_has_arrived_is_not_probed(void **state)
{
    loopback_call call = good_call();
    (void)state;
    loopback_respond_call(receiver, &call);
    speak_grpc();
    open_transport();
    assert_sent(send_text("body"));
    loopback_hang_up(receiver);
    loopback_respond(receiver, "HTTP/1.1 404 Not Found\r\n", 0);
    djp__send_result result = send_text("body");
    assert_int_equal(result.outcome, DJP__SEND_RETRY);
    assert_null(strstr(result.message, SPEAKS_HTTP));
    char *request = loopback_last(receiver, NULL);
    assert_int_equal(strncmp(request, "PRI ", 4), 0);
    free(request);
}

/* A receiver that is silent to the probe too speaks no HTTP; the request ends with its own
 * error. */
static void
a_probe_without_a_response_names_nothing(void **state)
{
    loopback_call call = good_call();
    (void)state;
    loopback_respond_call(receiver, &call);
    speak_grpc();
    open_transport();
    loopback_act(receiver, LOOPBACK_CLOSE); /* the call and the probe */
    djp__send_result result = send_text("body");
    assert_int_equal(result.outcome, DJP__SEND_RETRY);
    assert_null(strstr(result.message, SPEAKS_HTTP));
    assert_int_equal(transport->speaks_http, 0);
    assert_true(djp__load_relaxed(&transport->probed) != 0);
}

static void
a_probe_with_half_a_response_names_nothing(void **state)
{
    static const char torn[] = OK_HEAD "Content-Length: 100\r\n\r\nshort";
    (void)state;
    loopback_respond_raw(receiver, torn, strlen(torn));
    speak_grpc();
    open_transport();
    loopback_act(receiver, LOOPBACK_REPLY_AND_CLOSE);
    djp__send_result result = send_text("body");
    assert_int_equal(result.outcome, DJP__SEND_RETRY);
    assert_int_equal(loopback_requests(receiver), 2);
    assert_null(strstr(result.message, SPEAKS_HTTP));
    assert_int_equal(transport->speaks_http, 0);
}

static void
a_receiver_of_grpc_is_named(void **state)
{
    loopback_call call = good_call();
    (void)state;
    loopback_respond_call(receiver, &call);
    open_transport();
    assert_failure(DJP__SEND_RETRY, 0,
                   "this port seems to speak gRPC: set OTEL_EXPORTER_OTLP_PROTOCOL=grpc");
}

int
main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, begin_receiver, end_receiver)
    const struct CMUnitTest tests[] = {
        ONE(a_connection_serves_many_requests),
        ONE(a_request_on_a_dead_connection_is_repeated),
        ONE(a_request_on_a_new_connection_is_not_repeated),
        ONE(a_response_on_a_reused_connection_is_taken),
        ONE(a_gateways_error_on_a_reused_connection_is_taken),
        ONE(only_some_errors_mean_a_dead_connection),
        ONE(the_version_of_http_follows_the_protocol),
        ONE(a_libcurl_that_breaks_reuse_is_noticed),
        ONE(a_warm_lane_without_a_connection_starts_anew),
        ONE(a_good_head_without_trailers_is_success_where_they_are_lost),
        ONE(a_receiver_of_http_is_named),
        ONE(a_receiver_that_has_arrived_is_not_probed),
        ONE(a_probe_without_a_response_names_nothing),
        ONE(a_probe_with_half_a_response_names_nothing),
        ONE(a_receiver_of_grpc_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
