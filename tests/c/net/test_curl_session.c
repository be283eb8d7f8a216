/* A session against a small server of this process: what an exchange gives back, which connection
 * it takes, where the limits of a response lie, and what happens to descriptors: none is left, none
 * passes into another program, and a stolen one is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "loopback.h"
#include "net/curl_session.h"

enum { DESCRIPTORS = 256, HEAD_MAX = 256 * 1024 };
#define SECOND 1000000000ull

static loopback *server;
static char endpoint[64];

static int
begin_server(void **state)
{
    (void)state;
    server = loopback_new();
    snprintf(endpoint, sizeof endpoint, "%s", loopback_url(server, "/v1/traces"));
    return 0;
}

static int
end_server(void **state)
{
    (void)state;
    loopback_free(server);
    return 0;
}

static void
answers(const char *head, size_t body)
{
    loopback_act(server, LOOPBACK_REPLY);
    loopback_respond(server, head, body);
}

#define OK "HTTP/1.1 200 OK\r\n"

/* ---- the client ---- */

static djp__curl_target target;
static djp__destination destination;
static djp__curl_session *session;

static void
open_session(uint64_t max_response_bytes)
{
    char why[256];
    destination = (djp__destination){.protocol = DJP_PROTOCOL_HTTP_PROTOBUF,
                                     .endpoint = endpoint,
                                     .http_path = "/v1/traces",
                                     .grpc_method = "",
                                     .headers = "",
                                     .certificate = "",
                                     .extra_certificate = "",
                                     .client_key = "",
                                     .client_certificate = "",
                                     .http_proxy = "",
                                     .https_proxy = "",
                                     .no_proxy = "",
                                     .max_response_bytes = max_response_bytes};
    assert_int_equal(djp__curl_target_init(&target, &destination), 0);
    assert_int_equal(djp__curl_session_new(&session, &target, &destination, "test", why), 0);
}

static void
close_session(void)
{
    djp__curl_session_free(session);
    djp__curl_target_fini(&target);
    session = NULL;
}

static void
ignore_header(void *user, const char *line, size_t size)
{
    (void)user;
    (void)line;
    (void)size;
}

static void
init_exchange(djp__curl_exchange *exchange)
{
    memset(exchange, 0, sizeof *exchange);
    exchange->body = "body";
    exchange->size = 4;
    exchange->http_version = CURL_HTTP_VERSION_1_1;
    exchange->on_header = ignore_header;
    djp__buf_init(&exchange->response, 0);
}

static void
run(unsigned lane, djp__curl_exchange *exchange)
{
    uint64_t deadline = djp__clock_monotonic() + 60 * SECOND;
    djp__curl_session_begin(session, lane, exchange);
    while (djp__curl_session_step(session) > 0) {
        assert_true(djp__clock_monotonic() < deadline);
        djp__curl_session_wait(session, deadline);
    }
    assert_true(djp__curl_session_is_done(session, lane));
    djp__curl_session_end(session, lane);
}

/* ---- descriptors ---- */

/* Marks the descriptors of the process but those of the server's connections, which come and go. */
static int
open_files(char marks[DESCRIPTORS])
{
    int count = 0;
    memset(marks, 0, DESCRIPTORS);
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        struct sockaddr_in address;
        socklen_t size = sizeof address;
        int is_served = getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
                        address.sin_family == AF_INET &&
                        ntohs(address.sin_port) == loopback_port(server);
        marks[fd] = fcntl(fd, F_GETFD) >= 0 && !is_served;
        count += marks[fd];
    }
    return count;
}

static void
descriptors_end_with_the_session_and_at_exec(void **state)
{
    (void)state;
    char before[DESCRIPTORS], now[DESCRIPTORS];
    answers(OK, 3);
    int count = open_files(before);
    for (int turn = 0; turn < 3; turn++) {
        djp__curl_exchange exchanges[3];
        open_session(0);
        for (unsigned lane = 0; lane < 3; lane++) {
            init_exchange(&exchanges[lane]);
            exchanges[lane].fresh = 1;
            run(lane, &exchanges[lane]);
            assert_int_equal(exchanges[lane].status, 200);
        }
        assert_true(open_files(now) > count);
        for (int fd = 0; fd < DESCRIPTORS; fd++) {
            if (now[fd] && !before[fd]) {
                assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
            }
        }
        for (unsigned lane = 0; lane < 3; lane++) {
            djp__buf_fini(&exchanges[lane].response);
        }
        close_session();
        assert_int_equal(open_files(now), count);
    }
}

/* ---- exchanges ---- */

static void
an_exchange_gives_back_what_was_said(void **state)
{
    (void)state;
    djp__curl_exchange exchange;
    open_session(0);
    init_exchange(&exchange);
    answers("HTTP/1.1 429 Slow\r\nX-A: b\r\n", 5);
    run(0, &exchange);
    assert_int_equal(exchange.code, CURLE_OK);
    assert_int_equal(exchange.status, 429);
    assert_int_equal(exchange.response.size, 5);
    assert_memory_equal(exchange.response.data, "bbbbb", 5);
    assert_int_equal(exchange.sockets, 1);
    answers(OK, 1);
    exchange.is_get = 1;
    run(0, &exchange); /* nothing of the last one is left */
    assert_int_equal(exchange.status, 200);
    assert_int_equal(exchange.response.size, 1);
    assert_int_equal(exchange.sockets, 0); /* the same connection */
    assert_string_equal(exchange.error, "");
    djp__buf_fini(&exchange.response);
    close_session();
}

/* What stands in a request, line by line. */
static void
a_request_is_what_was_asked_for(void **state)
{
    (void)state;
    static const char line[] = "X-Own: 1";
    struct curl_slist own = {(char *)(uintptr_t)line, NULL};
    djp__curl_exchange exchange;
    char *last = NULL;
    answers(OK, 1);
    open_session(0);
    init_exchange(&exchange);
    exchange.headers = &own;
    run(0, &exchange);
    free(last);
    last = loopback_last(server, NULL);
    assert_int_equal(strncmp(last, "POST /v1/traces HTTP/1.1\r\n", 26), 0);
    assert_non_null(strstr(last, "\r\nUser-Agent: test\r\n"));
    assert_non_null(strstr(last, "\r\nAccept-Encoding: gzip\r\n"));
    assert_non_null(strstr(last, "\r\nX-Own: 1\r\n"));
    assert_non_null(strstr(last, "\r\nContent-Length: 4\r\n"));
    assert_string_equal(strstr(last, "\r\n\r\n"), "\r\n\r\nbody");
    exchange.http_version = CURL_HTTP_VERSION_1_0;
    exchange.body = "body, and more";
    exchange.size = 10;
    exchange.headers = NULL;
    run(0, &exchange);
    free(last);
    last = loopback_last(server, NULL);
    assert_int_equal(strncmp(last, "POST /v1/traces HTTP/1.0\r\n", 26), 0);
    assert_null(strstr(last, "X-Own"));
    assert_string_equal(strstr(last, "\r\n\r\n"), "\r\n\r\nbody, and ");
    exchange.http_version = CURL_HTTP_VERSION_1_1;
    exchange.is_get = 1;
    run(0, &exchange);
    free(last);
    last = loopback_last(server, NULL);
    assert_int_equal(strncmp(last, "GET /v1/traces HTTP/1.1\r\n", 25), 0);
    assert_string_equal(strstr(last, "\r\n\r\n"), "\r\n\r\n");
    djp__buf_fini(&exchange.response);
    close_session();
    open_session(0);
    djp__curl_session_free(session);
    djp__curl_target_fini(&target);
    destination.protocol = DJP_PROTOCOL_GRPC;
    assert_int_equal(djp__curl_target_init(&target, &destination), 0);
    char why[256];
    assert_int_equal(djp__curl_session_new(&session, &target, &destination, "test", why), 0);
    init_exchange(&exchange);
    run(0, &exchange);
    free(last);
    last = loopback_last(server, NULL);
    assert_null(strstr(last, "Accept-Encoding")); /* gRPC says it in its own way */
    free(last);
    djp__buf_fini(&exchange.response);
    close_session();
}

/* A redirect is an answer as any other. */
static void
redirects_are_not_followed(void **state)
{
    (void)state;
    char head[200];
    djp__curl_exchange exchange;
    snprintf(head, sizeof head, "HTTP/1.1 302 Found\r\nLocation: %s\r\n", endpoint);
    answers(head, 0);
    open_session(0);
    init_exchange(&exchange);
    unsigned before = loopback_requests(server);
    run(0, &exchange);
    assert_int_equal(exchange.status, 302);
    assert_int_equal(loopback_requests(server), before + 1);
    djp__buf_fini(&exchange.response);
    close_session();
}

static void
connections_are_kept_unless_told_otherwise(void **state)
{
    (void)state;
    djp__curl_exchange exchange;
    open_session(0);
    init_exchange(&exchange);
    answers(OK, 1);
    exchange.reuse_only = 1;
    run(0, &exchange); /* there is none yet */
    assert_true(exchange.code != CURLE_OK && exchange.refused_socket && exchange.status == 0);
    assert_int_equal(exchange.sockets, 0);
    exchange.reuse_only = 0;
    run(0, &exchange);
    assert_true(exchange.status == 200 && exchange.sockets == 1 && !exchange.refused_socket);
    exchange.reuse_only = 1;
    run(0, &exchange);
    assert_true(exchange.status == 200 && exchange.sockets == 0 && !exchange.refused_socket);
    exchange.reuse_only = 0;
    exchange.fresh = 1;
    run(0, &exchange);
    assert_true(exchange.status == 200 && exchange.sockets == 1);
    djp__buf_fini(&exchange.response);
    close_session();
}

static void
lanes_have_connections_of_their_own(void **state)
{
    (void)state;
    djp__curl_exchange exchanges[DJP__CURL_LANES_MAX];
    uint64_t deadline = djp__clock_monotonic() + 60 * SECOND;
    open_session(0);
    answers(OK, 1);
    unsigned before = loopback_connections(server);
    for (unsigned lane = 0; lane < DJP__CURL_LANES_MAX; lane++) {
        init_exchange(&exchanges[lane]);
        djp__curl_session_begin(session, lane, &exchanges[lane]);
        assert_false(djp__curl_session_is_done(session, lane));
    }
    while (djp__curl_session_step(session) > 0) {
        djp__curl_session_wait(session, deadline);
    }
    for (unsigned lane = 0; lane < DJP__CURL_LANES_MAX; lane++) {
        djp__curl_session_end(session, lane);
        assert_int_equal(exchanges[lane].status, 200);
        assert_int_equal(exchanges[lane].sockets, 1);
        djp__buf_fini(&exchanges[lane].response);
    }
    assert_int_equal(loopback_connections(server) - before, DJP__CURL_LANES_MAX);
    close_session();
}

static void
an_exchange_may_be_given_up(void **state)
{
    (void)state;
    djp__curl_exchange exchange;
    char before[DESCRIPTORS], now[DESCRIPTORS];
    int count = open_files(before), seen = (int)loopback_requests(server);
    open_session(0);
    init_exchange(&exchange);
    loopback_act(server, LOOPBACK_SILENCE);
    djp__curl_session_begin(session, 0, &exchange);
    uint64_t deadline = djp__clock_monotonic() + 60 * SECOND;
    while ((int)loopback_requests(server) == seen) {
        assert_int_equal(djp__curl_session_step(session), 1);
        djp__curl_session_wait(session, deadline);
    }
    djp__curl_session_end(session, 0);
    assert_int_equal(exchange.status, 0);
    assert_true(exchange.code != CURLE_OK && exchange.error[0] != '\0');
    answers(OK, 2);
    run(0, &exchange);
    assert_int_equal(exchange.status, 200);
    djp__buf_fini(&exchange.response);
    close_session();
    assert_int_equal(open_files(now), count);
}

/* ---- limits ---- */

static void
a_response_may_be_as_large_as_the_limit(void **state)
{
    (void)state;
    for (size_t size = 999; size <= 1001; size++) {
        djp__curl_exchange exchange;
        open_session(1000);
        init_exchange(&exchange);
        answers(OK, size);
        run(0, &exchange);
        assert_int_equal(exchange.too_large, size > 1000);
        assert_true((exchange.code == CURLE_OK) == (size <= 1000));
        if (size <= 1000) {
            assert_int_equal(exchange.response.size, size);
        }
        djp__buf_fini(&exchange.response);
        close_session();
    }
    open_session(0); /* the session's own limit: 4 MiB */
    for (size_t size = (4u << 20) - 1; size <= (4u << 20) + 1; size++) {
        djp__curl_exchange exchange;
        init_exchange(&exchange);
        exchange.fresh = 1;
        answers(OK, size);
        run(0, &exchange);
        assert_int_equal(exchange.too_large, size > 4u << 20);
        djp__buf_fini(&exchange.response);
    }
    close_session();
}

/* The status line, the headers and their ends count together. */
static void
a_head_may_be_as_large_as_the_limit(void **state)
{
    (void)state;
    for (size_t size = HEAD_MAX - 1; size <= HEAD_MAX + 1; size++) {
        djp__curl_exchange exchange;
        char *head = malloc(size);
        size_t rest = size - strlen(OK) - strlen("Content-Length: 1\r\n\r\n"), at = strlen(OK);
        memcpy(head, OK, at + 1);
        while (rest > 0) {
            size_t line = rest > 2000 ? 1000 : rest > 1000 ? rest - 1000 : rest;
            memset(head + at, 'x', line);
            memcpy(head + at, "X-", 2);
            head[at + 5] = ':';
            memcpy(head + at + line - 2, "\r\n", 2);
            at += line;
            rest -= line;
        }
        head[at] = '\0';
        open_session(0);
        init_exchange(&exchange);
        answers(head, 1);
        run(0, &exchange);
        assert_int_equal(exchange.too_large, size > HEAD_MAX);
        assert_true((exchange.code == CURLE_OK) == (size <= HEAD_MAX));
        djp__buf_fini(&exchange.response);
        close_session();
        free(head);
    }
}

/* ---- a program that closes what is not its own ---- */

static void
a_stolen_descriptor_is_left_alone(void **state)
{
    (void)state;
    char before[DESCRIPTORS], now[DESCRIPTORS];
    djp__curl_exchange exchange;
    answers(OK, 1);
    open_files(before);
    open_session(0);
    init_exchange(&exchange);
    run(0, &exchange);
    assert_false(djp__curl_session_is_robbed(session));
    open_files(now);
    int stolen = -1, other;
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        struct sockaddr_in address;
        socklen_t size = sizeof address;
        if (now[fd] && !before[fd] && getpeername(fd, (struct sockaddr *)&address, &size) == 0 &&
            address.sin_family == AF_INET) {
            stolen = fd;
        }
    }
    assert_true(stolen >= 0);
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(dup2(pipes[1], stolen), stolen); /* the number is somebody else's now */
    assert_true(djp__curl_session_is_robbed(session));
    run(0, &exchange);
    assert_string_equal(exchange.error, "the program closed the connection");
    assert_int_equal(exchange.status, 0);
    djp__buf_fini(&exchange.response);
    close_session();
    assert_int_equal(write(stolen, "x", 1), 1);
    assert_int_equal(read(pipes[0], &other, 1), 1);
    close(stolen);
    close(pipes[0]);
    close(pipes[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors_end_with_the_session_and_at_exec),
        cmocka_unit_test(an_exchange_gives_back_what_was_said),
        cmocka_unit_test(a_request_is_what_was_asked_for),
        cmocka_unit_test(redirects_are_not_followed),
        cmocka_unit_test(connections_are_kept_unless_told_otherwise),
        cmocka_unit_test(lanes_have_connections_of_their_own),
        cmocka_unit_test(an_exchange_may_be_given_up),
        cmocka_unit_test(a_response_may_be_as_large_as_the_limit),
        cmocka_unit_test(a_head_may_be_as_large_as_the_limit),
        cmocka_unit_test(a_stolen_descriptor_is_left_alone),
    };
    return cmocka_run_group_tests(tests, begin_server, end_server);
}
