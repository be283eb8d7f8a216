/* Drives libcurl: several requests at once on reused connections, with short waits between which
 * the pipeline runs. It does not wait longer than 20 ms, follow redirects, raise signals, or write
 * to a connection inherited over a fork. */
#include "net/curl_session.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/mem.h"
#include "djp/error.h"
#include "net/curl_global.h"
#include "net/curl_trust.h"

enum {
    CURL_SESSION_WAIT_MS = 20,
    CURL_SESSION_CONNECT_MS = 10000,
    CURL_SESSION_HEAD_MAX = 256 * 1024,
    /* each lane may race several addresses of a name */
    CURL_SESSION_SOCKETS = 4 * DJP__CURL_LANES_MAX,
    CURL_SESSION_RESPONSE_MAX = 4 * 1024 * 1024,
    CURL_SESSION_MATERIAL_S = 60, /* interval of the check for new certificates */
    /* lifetime of a connection, so that changed addresses are noticed */
    CURL_SESSION_LIFETIME_S = 300
};

typedef struct curl_lane {
    djp__curl_session *session;
    CURL *easy; /* NULL before the first use of the lane */
    djp__curl_exchange *exchange; /* the current one, else NULL */
    int added; /* added to libcurl */
    int done; /* completed by libcurl */
} curl_lane;

struct djp__curl_session {
    CURLM *multi;
    curl_lane lanes[DJP__CURL_LANES_MAX]; /* the first has the settings, which the others copy */
    unsigned used; /* lanes with a handle */
    size_t response_max;
    djp__tls_material material;
    uint64_t material_checked; /* monotonic time of the last comparison with the files */
    /* In a thread with a separate descriptor table no other code can close libcurl's descriptors;
     * elsewhere the sockets are checked. */
    int parted;
    int notify_fd; /* signalfd of that thread, or -1 */
    /* other code closed a socket: the session is not used any more */
    int robbed;
    struct {
        int fd;
        djp__file_id id;
    } sockets[CURL_SESSION_SOCKETS]; /* the open ones */
    size_t socket_count;
    int pair[2]; /* libcurl's wake-up sockets, closed only at its end; -1: not found */
    djp__file_id pair_ids[2];
    djp__curl_session *next; /* in the list of abandoned sessions */
};

/* Handles inherited by a forked child, or that outlived the TLS library: reachable but not used.
 * Written in a child with one thread, or by the exiting thread. */
static djp__curl_session *curl_session_abandoned;

static curl_socket_t
curl_session_open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    curl_lane *lane = user;
    djp__curl_session *session = lane->session;
    (void)purpose;
    if (lane->exchange && lane->exchange->reuse_only) {
        lane->exchange->refused_socket = 1;
        return CURL_SOCKET_BAD;
    }
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0) {
        return CURL_SOCKET_BAD;
    }
    if (lane->exchange) {
        lane->exchange->sockets++;
    }
    if (session->socket_count < CURL_SESSION_SOCKETS) {
        session->sockets[session->socket_count].fd = fd;
        djp__file_id_get(&session->sockets[session->socket_count++].id, fd);
    }
    return fd;
}

static int
curl_session_close_socket(void *user, curl_socket_t fd)
{
    djp__curl_session *session = user;
    for (size_t i = 0; i < session->socket_count; i++) {
        if (session->sockets[i].fd == fd) {
            int ours = djp__file_is(&session->sockets[i].id, fd);
            session->sockets[i] = session->sockets[--session->socket_count];
            if (!ours) {
                return 0;
            }
            break;
        }
    }
    return close(fd);
}

int
djp__curl_session_is_robbed(djp__curl_session *session)
{
    for (size_t i = 0; i < session->socket_count && !session->parted && !session->robbed; i++) {
        session->robbed = !djp__file_is(&session->sockets[i].id, session->sockets[i].fd);
    }
    return session->robbed;
}

/* A wake-up without a descriptor of the process, see djp__thread_notify. */
static void
curl_session_listen(djp__curl_session *session)
{
    sigset_t wanted;
    session->parted = djp__files_are_parted();
    session->notify_fd = -1;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGURG);
    if (session->parted) {
        session->notify_fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    }
}

/* Clears the signal, also one that arrived without a wait. */
static void
curl_session_hear(const djp__curl_session *session)
{
    struct signalfd_siginfo info;
    while (session->notify_fd >= 0 && read(session->notify_fd, &info, sizeof info) > 0) {
        continue;
    }
}

static size_t
curl_session_on_body(char *data, size_t unit, size_t count, void *user)
{
    curl_lane *lane = user;
    djp__curl_exchange *exchange = lane->exchange;
    size_t size = unit * count;
    if (exchange == NULL) {
        return 0;
    }
    if (size > lane->session->response_max - exchange->response.size) {
        exchange->too_large = 1;
        return 0;
    }
    djp__buf_append(&exchange->response, data, size);
    return exchange->response.failed ? 0 : size;
}

static size_t
curl_session_on_header(char *data, size_t unit, size_t count, void *user)
{
    curl_lane *lane = user;
    djp__curl_exchange *exchange = lane->exchange;
    size_t size = unit * count, end = size;
    if (exchange == NULL) {
        return 0;
    }
    exchange->head_bytes += size;
    if (exchange->head_bytes > CURL_SESSION_HEAD_MAX) {
        exchange->too_large = 1;
        return 0;
    }
    while (end > 0 && (data[end - 1] == '\n' || data[end - 1] == '\r')) {
        end--;
    }
    exchange->on_header(exchange->user, data, end);
    return size;
}

static CURLcode
curl_session_set_tls(CURL *easy, const djp__destination *destination,
                     const djp__tls_material *material)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (code == CURLE_OK) {
        code = djp__curl_trust(easy, destination, material);
    }
    if (code == CURLE_OK) {
        code = djp__curl_identify(easy, destination, material);
    }
    return code;
}

static CURLcode
curl_session_set_route(CURL *easy, const djp__curl_target *target, int is_grpc)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, target->url);
    if (code == CURLE_OK) {
        code = curl_easy_setopt(easy, CURLOPT_PROXY, target->proxy);
    }
    if (code == CURLE_OK) {
        code = curl_easy_setopt(easy, CURLOPT_NOPROXY, target->no_proxy);
    }
    /* HTTP/2 without TLS passes through a proxy only in a tunnel. */
    if (code == CURLE_OK && is_grpc && target->proxy[0]) {
        code = curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
    }
    if (code == CURLE_OK && target->unix_socket != NULL) {
        code = curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, target->unix_socket);
    }
    return code;
}

static void
curl_session_set_behaviour(CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
#if LIBCURL_VERSION_NUM >= 0x075000
    curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, (long)CURL_SESSION_LIFETIME_S);
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* cancelling must not wait for a name server */
#endif
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, curl_session_open_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, curl_session_close_socket);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, curl_session_on_body);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, curl_session_on_header);
}

/* A connection serves one lane at a time, but belongs to the session and outlives the exchange. */
static void
curl_session_add_lane(djp__curl_session *session, CURL *easy)
{
    curl_lane *lane = &session->lanes[session->used++];
    lane->session = session;
    lane->easy = easy;
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, lane);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, session);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, lane);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, lane);
    curl_multi_setopt(session->multi, CURLMOPT_MAXCONNECTS, (long)session->used + 1);
}

/* libcurl does not report the descriptors of its wake-up: they get the lowest free numbers. */
static CURLM *
curl_session_new_multi(djp__curl_session *session)
{
    int first = session->parted ? -1 : open("/dev/null", O_RDONLY | O_CLOEXEC);
    int second = first < 0 ? -1 : open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (second >= 0) {
        close(second);
    }
    if (first >= 0) {
        close(first);
    }
    CURLM *multi = curl_multi_init();
    session->pair[0] = djp__file_id_get(&session->pair_ids[0], first) ? first : -1;
    session->pair[1] = djp__file_id_get(&session->pair_ids[1], second) ? second : -1;
    for (int i = 0; i < 2 && session->pair[i] >= 0; i++) {
        fcntl(session->pair[i], F_SETFD, FD_CLOEXEC);
    }
    return multi;
}

/* Whether closing libcurl's handles would close only their own descriptors. */
static int
curl_session_may_end(djp__curl_session *session)
{
    if (session->parted) {
        return djp__files_are_parted();
    }
    return !djp__files_are_parted() && !djp__curl_session_is_robbed(session) &&
           (!session->multi ||
            (session->pair[0] >= 0 && djp__file_is(&session->pair_ids[0], session->pair[0]) &&
             (session->pair[1] < 0 || djp__file_is(&session->pair_ids[1], session->pair[1]))));
}

static int
curl_session_set_up(djp__curl_session *session, const djp__curl_target *target,
                    const djp__destination *destination, const char *user_agent)
{
    int is_grpc = destination->protocol == DJP_PROTOCOL_GRPC;
    session->multi = curl_session_new_multi(session);
    CURL *easy = curl_easy_init();
    if (!session->multi || easy == NULL) {
        curl_easy_cleanup(easy);
        return DJP_ENOMEM;
    }
    /* The end of one connection (a GOAWAY, a closed proxy) must not affect several requests. */
    curl_multi_setopt(session->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    curl_session_add_lane(session, easy);
    session->response_max = destination->max_response_bytes
                                ? (size_t)destination->max_response_bytes
                                : CURL_SESSION_RESPONSE_MAX;
    curl_session_set_behaviour(easy);
    CURLcode code = curl_session_set_route(easy, target, is_grpc);
    if (code == CURLE_OK) {
        code = curl_session_set_tls(easy, destination, &session->material);
    }
    if (code == CURLE_OK) {
        code = curl_easy_setopt(easy, CURLOPT_USERAGENT, user_agent);
    }
    if (code == CURLE_OK && !is_grpc) {
        code = curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    }
    return code == CURLE_OK ? 0 : code == CURLE_OUT_OF_MEMORY ? DJP_ENOMEM : DJP_EIO;
}

int
djp__curl_session_new(djp__curl_session **out, const djp__curl_target *target,
                      const djp__destination *destination, const char *user_agent, char why[256])
{
    *out = NULL;
    int code = djp__curl_start();
    djp__curl_session *session = code == 0 ? djp__calloc(1, sizeof *session) : NULL;
    snprintf(why, 256, "libcurl could not be set up: %s",
             djp_error_text(code == 0 ? DJP_ENOMEM : code));
    if (session == NULL) {
        return code == 0 ? DJP_ENOMEM : code;
    }
    if (target->is_https) {
        code = djp__tls_material_read(&session->material, destination, why);
    }
    if (code != 0) {
        djp__tls_material_fini(&session->material);
        djp__free(session);
        return code;
    }
    session->material_checked = djp__clock_monotonic();
    curl_session_listen(session);
    djp__curl_lock();
    code = curl_session_set_up(session, target, destination, user_agent);
    djp__curl_unlock();
    if (code != 0) {
        snprintf(why, 256, "libcurl could not be set up: %s", djp_error_text(code));
        djp__curl_session_free(session);
        return code;
    }
    *out = session;
    return 0;
}

void
djp__curl_session_free(djp__curl_session *session)
{
    if (session == NULL) {
        return;
    }
    djp__curl_lock();
    if (djp__curl_is_over() || !curl_session_may_end(session)) {
        if (djp__curl_is_over()) {
            session->socket_count = 0; /* the process ends: left open */
        }
        djp__curl_session_abandon(session);
        djp__curl_unlock();
        return;
    }
    for (unsigned i = 0; i < session->used; i++) {
        curl_easy_cleanup(session->lanes[i].easy);
    }
    curl_multi_cleanup(session->multi);
    djp__curl_unlock();
    if (session->notify_fd >= 0) {
        close(session->notify_fd);
    }
    djp__tls_material_fini(&session->material);
    djp__free(session);
}

int
djp__curl_session_is_outdated(djp__curl_session *session, const djp__curl_target *target,
                              const djp__destination *destination, int failed)
{
    djp__tls_material fresh;
    char why[256];
    uint64_t now = djp__clock_monotonic();
    if (!target->is_https || (!failed && now - session->material_checked <
                                             (uint64_t)CURL_SESSION_MATERIAL_S * 1000000000u)) {
        return 0;
    }
    session->material_checked = now;
    /* Unreadable files are no reason to replace a working session. */
    int outdated = djp__tls_material_read(&fresh, destination, why) == 0 &&
                   !djp__tls_material_equal(&fresh, &session->material);
    djp__tls_material_fini(&fresh);
    return outdated;
}

static void
curl_session_set_request(CURL *easy, djp__curl_exchange *exchange)
{
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->error);
    if (!exchange->is_get) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, exchange->body);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)exchange->size);
    } else {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->headers);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, exchange->http_version);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, (long)(exchange->fresh != 0));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CURL_SESSION_CONNECT_MS);
}

/* libcurl's wake-up is a pair of descriptors too: they are not used among those of the process. */
void
djp__curl_session_wait(djp__curl_session *session, uint64_t deadline)
{
    uint64_t now = djp__clock_monotonic(),
             left_ms = now < deadline ? (deadline - now) / 1000000 + 1 : 0;
    int ready = 0, wait_ms = left_ms < CURL_SESSION_WAIT_MS ? (int)left_ms : CURL_SESSION_WAIT_MS;
    if (session->parted) {
        struct curl_waitfd notify_fd = {session->notify_fd, CURL_WAIT_POLLIN, 0};
        curl_multi_poll(session->multi, &notify_fd, session->notify_fd >= 0, wait_ms, NULL);
        curl_session_hear(session);
    } else if (curl_multi_wait(session->multi, NULL, 0, wait_ms, &ready) != CURLM_OK ||
               ready == 0) {
        poll(NULL, 0, 1); /* it does not wait without sockets */
    }
}

/* The handle of a lane, created at its first use. NULL without memory. */
static CURL *
curl_session_easy(djp__curl_session *session, unsigned number)
{
    while (session->used <= number) {
        CURL *easy = curl_easy_duphandle(session->lanes[0].easy);
        if (easy == NULL) {
            return NULL;
        }
        curl_session_add_lane(session, easy);
    }
    return session->lanes[number].easy;
}

void
djp__curl_session_begin(djp__curl_session *session, unsigned number, djp__curl_exchange *exchange)
{
    curl_lane *lane = &session->lanes[number];
    exchange->code = CURLE_FAILED_INIT; /* remains if libcurl does not report the result */
    exchange->error[0] = '\0';
    exchange->status = exchange->response_version = 0;
    exchange->sockets = 0;
    exchange->refused_socket = exchange->too_large = 0;
    exchange->head_bytes = 0;
    djp__buf_clear(&exchange->response);
    lane->exchange = exchange;
    djp__curl_lock();
    CURL *easy = curl_session_easy(session, number);
    if (easy != NULL) {
        curl_session_set_request(easy, exchange);
        lane->added = curl_multi_add_handle(session->multi, easy) == CURLM_OK;
    }
    lane->done = !lane->added;
    djp__curl_unlock();
}

/* Marks lanes that libcurl has completed; all of them if it cannot continue. */
static void
curl_session_collect(djp__curl_session *session, int failed)
{
    CURLMsg *message;
    int left = 0;
    while ((message = curl_multi_info_read(session->multi, &left)) != NULL) {
        for (unsigned i = 0; i < session->used; i++) {
            if (message->msg == CURLMSG_DONE && message->easy_handle == session->lanes[i].easy &&
                session->lanes[i].exchange) {
                session->lanes[i].exchange->code = message->data.result;
                session->lanes[i].done = 1;
            }
        }
    }
    for (unsigned i = 0; i < session->used && failed; i++) {
        session->lanes[i].done = 1;
    }
}

int
djp__curl_session_step(djp__curl_session *session)
{
    int running = 0, waits = 0;
    if (djp__curl_session_is_robbed(session)) {
        for (unsigned i = 0; i < session->used; i++) {
            session->lanes[i].done = 1;
        }
        return 0;
    }
    djp__curl_lock();
    CURLMcode code = curl_multi_perform(session->multi, &running);
    curl_session_collect(session, code != CURLM_OK || running == 0);
    djp__curl_unlock();
    for (unsigned i = 0; i < session->used; i++) {
        waits += session->lanes[i].exchange && !session->lanes[i].done;
    }
    return waits;
}

int
djp__curl_session_is_done(const djp__curl_session *session, unsigned number)
{
    return session->lanes[number].done;
}

void
djp__curl_session_end(djp__curl_session *session, unsigned number)
{
    curl_lane *lane = &session->lanes[number];
    djp__curl_exchange *exchange = lane->exchange;
    lane->exchange = NULL;
    if (session->robbed) {
        snprintf(exchange->error, CURL_ERROR_SIZE, "the program closed the connection");
        return;
    }
    if (lane->easy == NULL) {
        snprintf(exchange->error, CURL_ERROR_SIZE, "out of memory for another connection");
        return;
    }
    djp__curl_lock();
    curl_easy_getinfo(lane->easy, CURLINFO_RESPONSE_CODE, &exchange->status);
    curl_easy_getinfo(lane->easy, CURLINFO_HTTP_VERSION, &exchange->response_version);
    if (exchange->code != CURLE_OK && !exchange->error[0]) {
        snprintf(exchange->error, sizeof exchange->error, "%s", curl_easy_strerror(exchange->code));
    }
    if (lane->added) {
        curl_multi_remove_handle(session->multi, lane->easy);
    }
    lane->added = 0;
    curl_easy_setopt(lane->easy, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(lane->easy, CURLOPT_POSTFIELDS, NULL);
    curl_easy_setopt(lane->easy, CURLOPT_HTTPHEADER, NULL);
    djp__curl_unlock();
}

void
djp__curl_session_abandon(djp__curl_session *session)
{
    for (size_t i = 0; i < session->socket_count && !session->parted; i++) {
        if (djp__file_is(&session->sockets[i].id, session->sockets[i].fd)) {
            close(session->sockets[i].fd);
        }
    }
    session->socket_count = 0;
    session->next = curl_session_abandoned;
    curl_session_abandoned = session;
}
