/* The stand-alone listener over real loopback sockets: answers, refusals, compression, slow and
 * half-open clients, fork, a port in use. */
#include "metrics_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "export/prometheus_http.h"
#include "skip_fork.h"

typedef struct rig {
    djp__diagnostics diag;
    djp_registry *registry;
    djp__prometheus_http *listener;
    int warnings;
} rig;

static void
rig_log(void *user, int level, const char *message)
{
    rig *r = user;
    (void)message;
    r->warnings += level == DJP_LOG_WARN;
}

static void
rig_start(rig *r)
{
    memset(r, 0, sizeof *r);
    assert_int_equal(djp__diag_init(&r->diag, DJP_LOG_WARN, rig_log, r), 0);
    r->registry = fixture_registry(0, 0);
    djp_family *family = fixture_family(r->registry, DJP_COUNTER, "f", 1);
    for (int i = 0; i < 200; i++) {
        djp_counter_add(fixture_numbered(family, i), i);
    }
    assert_int_equal(
        djp__prometheus_http_start(&r->listener, r->registry, "127.0.0.1", 0, NULL, &r->diag), 0);
    assert_true(djp__prometheus_http_port(r->listener) > 0);
}

static void
rig_stop(rig *r)
{
    djp__prometheus_http_stop(r->listener);
    djp_registry_free(r->registry);
    djp__diag_fini(&r->diag);
}

static int
connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Sends a request with "Connection: close" and reads everything, for 10 seconds at most. The caller
 * frees. */
static char *
ask(int port, const char *line, const char *headers, size_t *size)
{
    char request[1024];
    int fd = connect_to(port);
    assert_true(fd >= 0);
    int length = snprintf(request, sizeof request,
                          "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", line, headers);
    assert_int_equal(send(fd, request, (size_t)length, MSG_NOSIGNAL), length);
    char *answer = calloc(1, 1 << 20);
    *size = 0;
    for (;;) {
        struct pollfd wait = {fd, POLLIN, 0};
        assert_int_equal(poll(&wait, 1, 60000), 1);
        ssize_t got = recv(fd, answer + *size, (1 << 20) - 1 - *size, 0);
        if (got <= 0) {
            break;
        }
        *size += (size_t)got;
    }
    close(fd);
    return answer;
}

static void
assert_answer(int port, const char *line, const char *headers, const char *status, const char *part)
{
    size_t size;
    char *answer = ask(port, line, headers, &size);
    if (strncmp(answer, status, strlen(status)) != 0 || !strstr(answer, part)) {
        print_error("%s: %.600s\n", line, answer);
        fail();
    }
    free(answer);
}

static void
requests_are_answered(void **state)
{
    (void)state;
    rig r;
    rig_start(&r);
    int port = djp__prometheus_http_port(r.listener);
    assert_answer(port, "GET /metrics", "", "HTTP/1.1 200", "f_total{a=\"v7\"} 7\n");
    assert_answer(port, "GET /metrics", "", "HTTP/1.1 200",
                  "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
    assert_answer(port, "GET /metrics?name[]=f", "", "HTTP/1.1 200", "f_total");
    assert_answer(port, "GET /metrics", "Accept: application/openmetrics-text\r\n", "HTTP/1.1 200",
                  "# EOF\n");
    assert_answer(port, "GET /metrics", "Accept: application/openmetrics-text\r\n", "HTTP/1.1 200",
                  "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n");
    assert_answer(port, "GET /", "", "HTTP/1.1 404", "");
    assert_answer(port, "GET /healthz", "", "HTTP/1.1 404", "");
    assert_answer(port, "GET /metrics/", "", "HTTP/1.1 404", "");
    assert_answer(port, "POST /metrics", "Content-Length: 5\r\n\r\nhello", "HTTP/1.1 405",
                  "Allow: GET, HEAD");
    assert_answer(port, "DELETE /metrics", "", "HTTP/1.1 405", "");
    size_t size;
    char *head = ask(port, "HEAD /metrics", "", &size);
    assert_memory_equal(head, "HTTP/1.1 200", 12);
    assert_non_null(strstr(head, "Content-Length: "));
    assert_string_equal(strstr(head, "\r\n\r\n"), "\r\n\r\n");
    free(head);
    rig_stop(&r);
}

static void
gzip_is_used_when_accepted(void **state)
{
    (void)state;
    rig r;
    rig_start(&r);
    int port = djp__prometheus_http_port(r.listener);
    static const char *const no[] = {
        "", "Accept-Encoding: identity\r\n", "Accept-Encoding: gzip;q=0\r\n",
        "Accept-Encoding: *;q=1, gzip;q=0.0\r\n", "Accept-Encoding: ,;;q=\r\n"};
    static const char *const yes[] = {"Accept-Encoding: gzip\r\n",
                                      "Accept-Encoding: br, GZIP;q=0.5\r\n",
                                      "Accept-Encoding: *\r\n"};
    size_t size;
    for (int i = 0; i < 5; i++) {
        char *answer = ask(port, "GET /metrics", no[i], &size);
        assert_null(strstr(answer, "Content-Encoding"));
        free(answer);
    }
    for (int i = 0; i < 3; i++) {
        char *answer = ask(port, "GET /metrics", yes[i], &size),
             *body = strstr(answer, "\r\n\r\n") + 4;
        assert_non_null(strstr(answer, "Content-Encoding: gzip\r\n"));
        char *text = calloc(1, 1 << 20);
        z_stream stream = {.next_in = (Bytef *)body,
                           .avail_in = (uInt)(size - (size_t)(body - answer))};
        stream.next_out = (Bytef *)text;
        stream.avail_out = (1 << 20) - 1;
        assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
        assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
        inflateEnd(&stream);
        assert_non_null(strstr(text, "f_total{a=\"v199\"} 199\n"));
        free(text);
        free(answer);
    }
    rig_stop(&r);
}

static void
bad_clients_do_not_keep_it_busy(void **state)
{
    (void)state;
    rig r;
    rig_start(&r);
    int port = djp__prometheus_http_port(r.listener), idle[20];
    for (int i = 0; i < 20; i++) {
        idle[i] = connect_to(port);
        assert_true(idle[i] >= 0);
        if (i % 2) {
            assert_int_equal(send(idle[i], "GET /met", 8, MSG_NOSIGNAL), 8);
        }
    }
    /* A client that asks and never reads. */
    static const char question[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_true(send(idle[0], question, sizeof question - 1, MSG_NOSIGNAL) > 0);
    static const char garbage[] = "\x16\x03\x01\x02\x00\x01\x00\xff\xff\r\n\r\n";
    assert_true(send(idle[2], garbage, sizeof garbage - 1, MSG_NOSIGNAL) > 0);
    assert_answer(port, "GET /metrics", "", "HTTP/1.1 200", "f_total");
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    djp__prometheus_http_stop(r.listener);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(after.tv_sec - before.tv_sec < 8); /* a connection may be silent for ten */
    r.listener = NULL;
    for (int i = 0; i < 20; i++) {
        close(idle[i]);
    }
    assert_int_equal(connect_to(port), -1);
    rig_stop(&r);
}

/* Silent, slow and half-open clients in any number give way to one that asks. */
static void
a_scrape_is_answered_while_slow_clients_hang(void **state)
{
    (void)state;
    enum { CROWD = 200 };
    static const char *const beginnings[] = {"", "GET /metr",
                                             "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: "};
    rig r;
    int crowd[CROWD];
    rig_start(&r);
    int port = djp__prometheus_http_port(r.listener);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < CROWD; i++) {
            const char *begin = beginnings[i % 3];
            crowd[i] = connect_to(port);
            assert_true(crowd[i] >= 0);
            send(crowd[i], begin, strlen(begin), MSG_NOSIGNAL);
        }
        for (int i = 0; i < 5; i++) {
            for (int k = 0; k < CROWD; k++) {
                /* a byte now and then buys no time */
                send(crowd[k], "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
            }
            size_t size;
            char *answer = ask(port, "GET /metrics", "", &size);
            assert_non_null(strstr(answer, "200 OK"));
            free(answer);
        }
        for (int i = 0; i < CROWD; i++) {
            close(crowd[i]);
        }
    }
    rig_stop(&r);
}

static void
a_port_in_use_is_one_warning(void **state)
{
    (void)state;
    rig r;
    rig_start(&r);
    djp__prometheus_http *second = (djp__prometheus_http *)1;
    int port = djp__prometheus_http_port(r.listener);
    assert_int_equal(
        djp__prometheus_http_start(&second, r.registry, "127.0.0.1", port, NULL, &r.diag), DJP_EIO);
    assert_null(second);
    assert_int_equal(r.warnings, 1);
    assert_int_equal(djp__prometheus_http_start(&second, r.registry, "300.1.1.1", 0, NULL, &r.diag),
                     DJP_EINVAL);
    assert_int_equal(r.warnings, 2);
    assert_int_equal(
        djp__prometheus_http_start(&second, r.registry, "127.0.0.1", 70000, NULL, &r.diag),
        DJP_EINVAL);
    assert_int_equal(djp__prometheus_http_start(&second, NULL, "127.0.0.1", 0, NULL, &r.diag),
                     DJP_EINVAL);
    assert_int_equal(djp__prometheus_http_port(NULL), 0);
    djp__prometheus_http_stop(NULL);
    rig_stop(&r);
}

static pid_t
fork_with_endpoint(djp_registry *registry, int port, djp__diagnostics *diag, int hold[2])
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        djp__prometheus_http *endpoint = NULL;
        char byte = 0;
        alarm(60);
        int bad =
            djp__prometheus_http_start(&endpoint, registry, "127.0.0.1", port, NULL, diag) != 0;
        bad |= write(hold[1], &byte, 1) != 1;
        for (; !bad;) {
            pause();
        }
        _exit(1);
    }
    char byte;
    assert_int_equal(read(hold[0], &byte, 1), 1);
    return child;
}

static void
assert_answers_soon(int port)
{
    int fd = -1;
    for (int i = 0; i < 3000 && fd < 0; i++) {
        fd = connect_to(port);
        struct timespec pause = {0, 10000000};
        nanosleep(&pause, NULL);
    }
    assert_true(fd >= 0);
    close(fd);
    assert_answer(port, "GET /metrics", "", "HTTP/1.1 200", "f_total");
}

/* Three processes of one service: the first has the port, then the second, then this one. */
static void
the_port_passes_on_when_its_owner_ends(void **state)
{
    (void)state;
    SKIP_FORK();
    rig r;
    memset(&r, 0, sizeof r);
    assert_int_equal(djp__diag_init(&r.diag, DJP_LOG_WARN, rig_log, &r), 0);
    djp_registry_options options = {.sharing = DJP_SHARE_FORK};
    assert_int_equal(djp_registry_new(&r.registry, &options), 0);
    djp_counter_add(fixture_numbered(fixture_family(r.registry, DJP_COUNTER, "f", 1), 1), 1);
    djp__prometheus_http *probe = NULL, *foreign = NULL;
    assert_int_equal(djp__prometheus_http_start(&probe, r.registry, "127.0.0.1", 0, NULL, &r.diag),
                     0);
    int port = djp__prometheus_http_port(probe), hold[2], status = 0;
    djp__prometheus_http_stop(probe);
    assert_int_equal(pipe(hold), 0);
    pid_t owner = fork_with_endpoint(r.registry, port, &r.diag, hold);
    pid_t next = fork_with_endpoint(r.registry, port, &r.diag, hold);
    assert_answer(port, "GET /metrics", "", "HTTP/1.1 200", "f_total");
    kill(owner, SIGKILL);
    assert_int_equal(waitpid(owner, &status, 0), owner);
    assert_answers_soon(port);
    assert_int_equal(
        djp__prometheus_http_start(&r.listener, r.registry, "127.0.0.1", port, NULL, &r.diag), 0);
    assert_int_equal(djp__prometheus_http_port(r.listener), port);
    kill(next, SIGKILL);
    assert_int_equal(waitpid(next, &status, 0), next);
    assert_answers_soon(port);
    assert_int_equal(r.warnings, 0);
    /* a process of another service gets the warning */
    djp_registry *other = fixture_registry(0, 0);
    assert_int_equal(djp__prometheus_http_start(&foreign, other, "127.0.0.1", port, NULL, &r.diag),
                     DJP_EIO);
    assert_int_equal(r.warnings, 1);
    djp_registry_free(other);
    close(hold[0]);
    close(hold[1]);
    rig_stop(&r);
}

static void
a_child_does_not_own_it(void **state)
{
    (void)state;
    rig r;
    rig_start(&r);
    int port = djp__prometheus_http_port(r.listener), status = -1, hold[2];
    assert_int_equal(pipe(hold), 0);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        alarm(30);
        close(hold[1]);
        int bad = djp__prometheus_http_port(r.listener) != 0;
        djp__prometheus_http_stop(r.listener);
        bad |= read(hold[0], &byte, 1) != 0; /* until the parent closes */
        _exit(bad);
    }
    close(hold[0]);
    assert_answer(port, "GET /metrics", "", "HTTP/1.1 200", "f_total");
    djp__prometheus_http_stop(r.listener);
    r.listener = NULL;
    /* The child lives, but does not hold the port. */
    assert_int_equal(connect_to(port), -1);
    djp__prometheus_http *again = NULL;
    assert_int_equal(
        djp__prometheus_http_start(&again, r.registry, "127.0.0.1", port, NULL, &r.diag), 0);
    djp__prometheus_http_stop(again);
    close(hold[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    rig_stop(&r);
}

static void
failing_allocations_are_answered(void **state)
{
    (void)state;
    rig r;
    rig_start(&r);
    djp__prometheus_http *second = NULL;
    djp__alloc_fail_after(1);
    assert_int_equal(djp__prometheus_http_start(&second, r.registry, "127.0.0.1", 0, NULL, &r.diag),
                     DJP_ENOMEM);
    assert_answer(djp__prometheus_http_port(r.listener), "GET /metrics", "", "HTTP/1.1 503",
                  "out of memory");
    djp__alloc_fail_after(0);
    assert_answer(djp__prometheus_http_port(r.listener), "GET /metrics", "", "HTTP/1.1 200",
                  "f_total");
    rig_stop(&r);
}

/* As people write IPv6 addresses, and both families behind the unspecified one where the machine
 * has them. */
static void
hosts_may_be_written_in_brackets(void **state)
{
    (void)state;
    static const char *const hosts[] = {"[::1]", "::1", "[::]", "::", "[127.0.0.1]", "localhost"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        rig r;
        rig_start(&r);
        djp__prometheus_http *other = NULL;
        int result = djp__prometheus_http_start(&other, r.registry, hosts[i], 0, NULL, &r.diag);
        if (result == DJP_EIO) { /* no IPv6 on this machine */
            assert_int_equal(r.warnings, 1);
        } else {
            assert_int_equal(result, 0);
            assert_true(djp__prometheus_http_port(other) > 0);
            djp__prometheus_http_stop(other);
        }
        rig_stop(&r);
    }
    rig r;
    rig_start(&r);
    djp__prometheus_http *none = NULL;
    assert_int_equal(djp__prometheus_http_start(&none, r.registry, "[", 0, NULL, &r.diag),
                     DJP_EINVAL);
    assert_int_equal(djp__prometheus_http_start(&none, r.registry, "[]", 0, NULL, &r.diag),
                     DJP_EINVAL);
    rig_stop(&r);
}

/* With a token, only its exact form in the header is served. */
static void
a_token_is_asked_for(void **state)
{
    (void)state;
    rig r;
    djp__prometheus_http *endpoint = NULL;
    rig_start(&r);
    assert_int_equal(
        djp__prometheus_http_start(&endpoint, r.registry, "127.0.0.1", 0, "s3cret", &r.diag), 0);
    int port = djp__prometheus_http_port(endpoint);
    static const char *const refused[] = {"",
                                          "Authorization: Bearer\r\n",
                                          "Authorization: Bearer \r\n",
                                          "Authorization: Bearer s3cre\r\n",
                                          "Authorization: Bearer s3crets3cret\r\n",
                                          "Authorization: Bearer s3crex\r\n",
                                          "Authorization: Bearer S3cret\r\n",
                                          "Authorization: Basic s3cret\r\n",
                                          "Authorization: s3cret\r\n"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_answer(port, "GET /metrics", refused[i], "HTTP/1.1 401",
                      "WWW-Authenticate: Bearer\r\n");
        assert_answer(port, "HEAD /metrics", refused[i], "HTTP/1.1 401", "");
    }
    assert_answer(port, "GET /metrics", "Authorization: Bearer s3cret\r\n", "HTTP/1.1 200",
                  "f_total");
    assert_answer(port, "GET /metrics", "Authorization: bearer  s3cret \r\n", "HTTP/1.1 200",
                  "f_total");
    assert_answer(port, "GET /other", "", "HTTP/1.1 404", "");
    djp__prometheus_http_stop(endpoint);
    assert_int_equal(djp__prometheus_http_start(&endpoint, r.registry, "127.0.0.1", 0, "", &r.diag),
                     0);
    assert_answer(djp__prometheus_http_port(endpoint), "GET /metrics", "", "HTTP/1.1 200",
                  "f_total");
    djp__prometheus_http_stop(endpoint);
    rig_stop(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_answered),
        cmocka_unit_test(a_token_is_asked_for),
        cmocka_unit_test(gzip_is_used_when_accepted),
        cmocka_unit_test(bad_clients_do_not_keep_it_busy),
        cmocka_unit_test(a_scrape_is_answered_while_slow_clients_hang),
        cmocka_unit_test(a_port_in_use_is_one_warning),
        cmocka_unit_test(hosts_may_be_written_in_brackets),
        cmocka_unit_test(the_port_passes_on_when_its_owner_ends),
        cmocka_unit_test(a_child_does_not_own_it),
        cmocka_unit_test(failing_allocations_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
