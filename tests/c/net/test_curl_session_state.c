/* What a session is made of: the way to the receiver, the options of its sockets, when its TLS
 * files are read again, memory that fails, and the end of the process. The source is compiled in,
 * with a hook in front of that end. */
#include "net/curl_global.h"

static int hooked_is_over(void);
#define djp__curl_is_over hooked_is_over
#include "net/curl_session.c"
#undef djp__curl_is_over

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loopback.h"

static int is_over;

static int
hooked_is_over(void)
{
    return is_over;
}

static loopback *server;
static char endpoint[64];
static djp__destination destination;
static djp__curl_target target;
static djp__curl_session *session;

static int
begin(void **state)
{
    (void)state;
    server = loopback_new();
    snprintf(endpoint, sizeof endpoint, "%s", loopback_url(server, "/v1/traces"));
    loopback_respond(server, "HTTP/1.1 200 OK\r\n", 1);
    destination = (djp__destination){
        .protocol = DJP_PROTOCOL_HTTP_PROTOBUF, .endpoint = endpoint, .grpc_method = "/method"};
    assert_int_equal(djp__curl_target_init(&target, &destination), 0);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    djp__curl_session_free(session);
    session = NULL;
    djp__curl_target_fini(&target);
    loopback_free(server);
    return 0;
}

static int
open_session(void)
{
    char why[256];
    djp__curl_session_free(session);
    return djp__curl_session_new(&session, &target, &destination, "test", why);
}

static void
ignore_header(void *user, const char *line, size_t size)
{
    (void)user;
    (void)line;
    (void)size;
}

/* Returns the first line of the request that arrived. The caller frees. */
static char *
request(void)
{
    djp__curl_exchange exchange = {.body = "body",
                                   .size = 4,
                                   .http_version = CURL_HTTP_VERSION_1_1,
                                   .on_header = ignore_header};
    uint64_t deadline = djp__clock_monotonic() + 60 * (uint64_t)1000000000;
    djp__buf_init(&exchange.response, 0);
    djp__curl_session_begin(session, 0, &exchange);
    while (djp__curl_session_step(session) > 0) {
        assert_true(djp__clock_monotonic() < deadline);
        djp__curl_session_wait(session, deadline);
    }
    djp__curl_session_end(session, 0);
    djp__buf_fini(&exchange.response);
    char *text = loopback_last(server, NULL);
    text[strcspn(text, "\r")] = '\0';
    return text;
}

static void
set_proxy(const char *proxy, const char *no_proxy)
{
    djp__free(target.proxy);
    djp__free(target.no_proxy);
    target.proxy = djp__strdup(proxy);
    target.no_proxy = djp__strdup(no_proxy);
    assert_int_equal(open_session(), 0);
}

static void
expect_line(const char *wanted)
{
    char *line = request();
    assert_string_equal(line, wanted);
    free(line);
}

static void
a_proxy_is_used_except_for_some_hosts(void **state)
{
    char whole[128], tunnel[128], proxy[64];
    (void)state;
    snprintf(proxy, sizeof proxy, "%s", loopback_url(server, ""));
    snprintf(whole, sizeof whole, "POST %s HTTP/1.1", endpoint);
    snprintf(tunnel, sizeof tunnel, "CONNECT 127.0.0.1:%d HTTP/1.1", loopback_port(server));
    set_proxy(proxy, "");
    expect_line(whole);
    set_proxy(proxy, "127.0.0.1");
    expect_line("POST /v1/traces HTTP/1.1");
    set_proxy(proxy, "elsewhere,*");
    expect_line(whole); /* only a lone asterisk means all */
    set_proxy(proxy, "*");
    expect_line("POST /v1/traces HTTP/1.1");
    setenv("http_proxy", proxy, 1); /* never read */
    set_proxy("", "");
    expect_line("POST /v1/traces HTTP/1.1");
    unsetenv("http_proxy");
    destination.protocol = DJP_PROTOCOL_GRPC; /* only a tunnel takes HTTP/2 */
    set_proxy(proxy, "");
    loopback_act(server, LOOPBACK_CLOSE);
    expect_line(tunnel);
    loopback_act(server, LOOPBACK_REPLY);
    set_proxy("", "");
    expect_line("POST /v1/traces HTTP/1.1");
}

static void
connections_are_kept_alive(void **state)
{
    int is_kept = 0;
    socklen_t size = sizeof is_kept;
    (void)state;
    assert_int_equal(open_session(), 0);
    free(request());
    assert_int_equal(session->socket_count, 1);
    assert_int_equal(getsockopt(session->sockets[0].fd, SOL_SOCKET, SO_KEEPALIVE, &is_kept, &size),
                     0);
    assert_int_equal(is_kept, 1);
    assert_int_equal(fcntl(session->sockets[0].fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(session->pair[0], F_GETFD), FD_CLOEXEC);
}

/* Sockets beyond those that are noted are used, but not watched. */
static void
only_so_many_sockets_are_noted(void **state)
{
    curl_lane lane = {NULL};
    struct curl_sockaddr address = {.family = AF_INET, .socktype = SOCK_STREAM};
    int open_ones[CURL_SESSION_SOCKETS + 1];
    (void)state;
    assert_int_equal(open_session(), 0);
    lane.session = session;
    for (int i = 0; i <= CURL_SESSION_SOCKETS; i++) {
        open_ones[i] = curl_session_open_socket(&lane, CURLSOCKTYPE_IPCXN, &address);
        assert_true(open_ones[i] >= 0);
        assert_int_equal(session->socket_count,
                         i < CURL_SESSION_SOCKETS ? i + 1 : CURL_SESSION_SOCKETS);
    }
    address.family = -1;
    assert_int_equal(curl_session_open_socket(&lane, CURLSOCKTYPE_IPCXN, &address),
                     CURL_SOCKET_BAD);
    for (int i = CURL_SESSION_SOCKETS; i >= 0; i--) {
        assert_int_equal(curl_session_close_socket(session, open_ones[i]), 0);
        assert_int_equal(session->socket_count, i);
        assert_int_equal(fcntl(open_ones[i], F_GETFD), -1);
    }
}

/* ---- TLS files ---- */

static void
write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int
outdated(int failed)
{
    return djp__curl_session_is_outdated(session, &target, &destination, failed);
}

/* Once a minute, and at once when a request failed. */
static void
tls_files_are_read_again(void **state)
{
    char path[] = "/tmp/djp-session-XXXXXX";
    const uint64_t minute = 60 * (uint64_t)1000000000;
    (void)state;
    close(mkstemp(path));
    write_file(path, "one");
    assert_int_equal(open_session(), 0);
    session->material_checked = 0;
    destination.certificate = path;
    assert_int_equal(outdated(1), 0); /* not over HTTP */
    target.is_https = 1;
    session->material_checked = djp__clock_monotonic() - minute / 2;
    assert_int_equal(outdated(0), 0);
    assert_int_equal(outdated(1), 1); /* it has none so far */
    assert_int_equal(djp__tls_material_read(&session->material, &destination, (char[256]){0}), 0);
    assert_int_equal(outdated(1), 0);
    write_file(path, "two");
    assert_int_equal(outdated(0), 0);
    session->material_checked = djp__clock_monotonic() - minute;
    assert_int_equal(outdated(0), 1);
    assert_int_equal(outdated(0), 0); /* looked at a moment ago */
    assert_int_equal(outdated(1), 1);
    unlink(path);
    assert_int_equal(outdated(1), 0); /* no reason to replace what works */
}

/* ---- memory ---- */

static void
a_session_without_memory_says_so(void **state)
{
    char why[256];
    int code = DJP_ENOMEM;
    (void)state;
    assert_int_equal(open_session(), 0); /* what a process does once */
    djp__curl_session_free(session);
    session = (djp__curl_session *)1;
    djp__alloc_fail_after(1);
    code = djp__curl_session_new(&session, &target, &destination, "test", why);
    djp__alloc_fail_after(0);
    assert_int_equal(code, DJP_ENOMEM);
    assert_null(session);
    assert_string_equal(why, "libcurl could not be set up: out of memory");
    destination.certificate = "/nowhere/ca.pem";
    target.is_https = 1;
    assert_int_equal(djp__curl_session_new(&session, &target, &destination, "test", why), DJP_EIO);
    assert_null(session);
    assert_non_null(strstr(why, "/nowhere/ca.pem"));
    target.is_https = 0; /* without TLS no file is needed */
    assert_int_equal(djp__curl_session_new(&session, &target, &destination, "test", why), 0);
}

/* libcurl may have ended already: its handles are left alone, and the system closes the sockets. */
static void
at_the_end_of_the_process_nothing_is_freed(void **state)
{
    (void)state;
    assert_int_equal(open_session(), 0);
    free(request());
    djp__curl_session *left = session;
    int fd = left->sockets[0].fd;
    session = NULL;
    is_over = 1;
    djp__curl_session_free(left);
    is_over = 0;
    assert_ptr_equal(curl_session_abandoned, left);
    assert_int_equal(left->socket_count, 0);
    assert_true(fcntl(fd, F_GETFD) >= 0);
    curl_session_abandoned = left->next;
    djp__curl_session_free(left);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

int
main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        ONE(a_proxy_is_used_except_for_some_hosts), ONE(connections_are_kept_alive),
        ONE(only_so_many_sockets_are_noted),        ONE(tls_files_are_read_again),
        ONE(a_session_without_memory_says_so),      ONE(at_the_end_of_the_process_nothing_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
