/* GET and HEAD /metrics over libmicrohttpd, with content negotiation and gzip. It has no other
 * resource, reads no request body and does not call a language runtime. */
#include "export/prometheus_http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/fork.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "djp/error.h"
#include "export/prometheus_guard.h"
#include "metrics/registry.h"

#define PROMETHEUS_TIMEOUT_S 10u
#define PROMETHEUS_RETRY_NS 400000000u
#define PROMETHEUS_CONNECTION_MEMORY (32u * 1024u)

struct djp__prometheus_http {
    djp_registry *registry; /* borrowed */
    djp__diagnostics *diag; /* borrowed */
    struct MHD_Daemon *daemon;
    int fd; /* listening socket; the daemon's to close, -1 in a forked child */
    djp__file_id id; /* its identity */
    int port;
    uint32_t generation; /* of the process that owns the threads */
    djp__fork_hook hook;
    /* Opens, waits and closes, with a separate descriptor table that only the daemon's thread
     * shares. */
    pthread_t keeper;
    djp__wake ready, end; /* `end` also signals a first connection */
    DJP__ATOMIC(int)
    ending; /* set by stop before it notifies */
    djp__prometheus_guard guard;
    char *host; /* owned */
    char *token; /* owned; NULL: none is needed */
    int result;
    int parted;
};

static enum MHD_Result
prometheus_respond(struct MHD_Connection *connection, unsigned status, const char *text)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", "text/plain; charset=utf-8");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        MHD_add_response_header(response, "Allow", "GET, HEAD");
    } else if (status == MHD_HTTP_UNAUTHORIZED) {
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    }
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static void
prometheus_free(void *text)
{
    djp__free(text);
}

static enum MHD_Result
prometheus_metrics(djp__prometheus_http *endpoint, struct MHD_Connection *connection)
{
    const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept");
    djp_exposition format =
        djp_exposition_negotiate((djp_text){accept, accept != NULL ? strlen(accept) : 0});
    char *text;
    size_t size;
    if (djp_registry_expose(&text, &size, endpoint->registry, format) < 0) {
        return prometheus_respond(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n");
    }
    int packed = djp_exposition_pack(
        &text, &size,
        djp__text(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept-Encoding")));
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(size, text, prometheus_free);
    if (response == NULL) {
        djp__free(text);
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", djp_exposition_content_type(format));
    MHD_add_response_header(response, "Vary", "Accept, Accept-Encoding");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    if (packed) {
        MHD_add_response_header(response, "Content-Encoding", "gzip");
    }
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

static djp__prometheus_client *
prometheus_client(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

static void
prometheus_connected(void *user, struct MHD_Connection *connection, void **place,
                     enum MHD_ConnectionNotificationCode code)
{
    djp__prometheus_http *endpoint = user;
    djp__files_inherit(endpoint->parted);
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        djp__prometheus_guard_leave(&endpoint->guard, *place);
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *place = info != NULL ? djp__prometheus_guard_enter(&endpoint->guard, info->connect_fd) : NULL;
    djp__wake_notify(&endpoint->end);
}

static void
prometheus_completed(void *user, struct MHD_Connection *connection, void **state,
                     enum MHD_RequestTerminationCode code)
{
    djp__prometheus_http *endpoint = user;
    (void)state;
    (void)code;
    djp__prometheus_guard_set_busy(&endpoint->guard, prometheus_client(connection), 0);
}

/* Compares in a time that depends on the size of the given token only. */
static int
prometheus_is_allowed(const djp__prometheus_http *endpoint, struct MHD_Connection *connection)
{
    static const char scheme[] = "Bearer ";
    if (endpoint->token == NULL) {
        return 1;
    }
    djp_text given =
        djp__text(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization"));
    if (given.size < sizeof scheme - 1 ||
        !djp__text_equal_nocase((djp_text){given.data, sizeof scheme - 1}, scheme)) {
        return 0;
    }
    given = djp__text_trim(
        (djp_text){given.data + sizeof scheme - 1, given.size - (sizeof scheme - 1)});
    size_t size = strlen(endpoint->token);
    volatile size_t difference = given.size ^ size;
    for (size_t i = 0; i < given.size; i++) {
        difference |= (unsigned char)(given.data[i] ^ endpoint->token[size > 0 ? i % size : 0]);
    }
    return difference == 0;
}

static enum MHD_Result
prometheus_handle(void *user, struct MHD_Connection *connection, const char *url,
                  const char *method, const char *version, const char *body, size_t *body_size,
                  void **state)
{
    djp__prometheus_http *endpoint = user;
    (void)version;
    (void)body;
    (void)state;
    djp__files_inherit(endpoint->parted);
    if (*body_size > 0) {
        *body_size = 0; /* thrown away */
        return MHD_YES;
    }
    djp__prometheus_guard_set_busy(&endpoint->guard, prometheus_client(connection), 1);
    if (strcmp(url, "/metrics") != 0) {
        return prometheus_respond(connection, MHD_HTTP_NOT_FOUND, "only /metrics is here\n");
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        return prometheus_respond(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or HEAD\n");
    }
    if (!prometheus_is_allowed(endpoint, connection)) {
        return prometheus_respond(connection, MHD_HTTP_UNAUTHORIZED, "a bearer token is needed\n");
    }
    return prometheus_metrics(user, connection);
}

static void
prometheus_log(void *user, const char *format, va_list arguments)
{
    char text[256];
    djp__prometheus_http *endpoint = user;
    djp__files_inherit(endpoint->parted);
    vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\n")] = '\0';
    djp__diag(endpoint->diag, DJP_LOG_DEBUG, "Prometheus endpoint: %s", text);
}

static int
prometheus_bind(const struct addrinfo *address)
{
    int one = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, 64) == 0) {
        return fd;
    }
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int
prometheus_port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char port[16];
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0 ||
        getnameinfo((struct sockaddr *)&address, size, NULL, 0, port, sizeof port,
                    NI_NUMERICSERV) != 0) {
        return 0;
    }
    uint64_t number;
    return djp__parse_u64(djp__text(port), &number) ? (int)number : 0;
}

/* Removes the brackets of an IPv6 address in a URL. Returns the host to look up, in room if it had
 * brackets. */
static const char *
prometheus_bare_host(char *room, size_t room_size, const char *host)
{
    size_t size = strlen(host);
    if (size < 3 || host[0] != '[' || host[size - 1] != ']' || size - 1 > room_size) {
        return host;
    }
    memcpy(room, host + 1, size - 2);
    room[size - 2] = '\0';
    return room;
}

/* Returns 0, or DJP_EINVAL or DJP_EIO with errno; warns of these unless is_quiet. */
static int
prometheus_open(djp__prometheus_http *endpoint, int is_quiet)
{
    char service[16], room[64];
    const char *host = prometheus_bare_host(room, sizeof room, endpoint->host);
    int port = endpoint->port;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_PASSIVE},
                    *found = NULL;
    snprintf(service, sizeof service, "%d", port);
    int error = getaddrinfo(host, service, &hints, &found);
    if (error != 0) {
        djp__diag(endpoint->diag, DJP_LOG_WARN,
                  "Prometheus endpoint: host %.200s is not an address (%s); no /metrics port is "
                  "open, set a host of this "
                  "machine",
                  host, gai_strerror(error));
        return DJP_EINVAL;
    }
    for (const struct addrinfo *a = found; a && endpoint->fd < 0; a = a->ai_next) {
        endpoint->fd = prometheus_bind(a);
    }
    error = errno;
    freeaddrinfo(found);
    if (endpoint->fd < 0 && is_quiet && error == EADDRINUSE) {
        errno = error;
        return DJP_EIO;
    }
    if (endpoint->fd < 0) {
        djp__diag(endpoint->diag, DJP_LOG_WARN,
                  "Prometheus endpoint: cannot listen on %.200s port %d (%s); no /metrics port is "
                  "open, choose a free one",
                  host, port, strerror(error));
        return DJP_EIO;
    }
    endpoint->port = prometheus_port_of(endpoint->fd);
    djp__file_id_get(&endpoint->id, endpoint->fd);
    return 0;
}

/* The daemon's thread inherits the keeper's descriptor table and its signal mask: the host's
 * handlers must not run on it. */
static struct MHD_Daemon *
prometheus_start_daemon(djp__prometheus_http *endpoint)
{
    return MHD_start_daemon(
        MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        prometheus_handle, endpoint, MHD_OPTION_EXTERNAL_LOGGER, prometheus_log, endpoint,
        MHD_OPTION_LISTEN_SOCKET, endpoint->fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)(DJP__PROMETHEUS_CLIENTS + DJP__PROMETHEUS_SPARE), MHD_OPTION_NOTIFY_CONNECTION,
        prometheus_connected, endpoint, MHD_OPTION_NOTIFY_COMPLETED, prometheus_completed, endpoint,
        MHD_OPTION_CONNECTION_TIMEOUT, PROMETHEUS_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)PROMETHEUS_CONNECTION_MEMORY, MHD_OPTION_END);
}

static int
prometheus_begin(djp__prometheus_http *endpoint, int is_quiet)
{
    int result = prometheus_open(endpoint, is_quiet);
    if (result == 0) {
        endpoint->daemon = prometheus_start_daemon(endpoint);
        if (endpoint->daemon == NULL) {
            close(endpoint->fd);
            endpoint->fd = -1;
            result = DJP_ETHREAD;
        }
    }
    return result;
}

/* Another process of the service has the endpoint: takes the port when that one ends. */
static void
prometheus_wait(djp__prometheus_http *endpoint)
{
    int result = DJP_EIO;
    while (result < 0 && !djp__load_acquire(&endpoint->ending)) {
        djp__wake_wait(&endpoint->end, djp__clock_monotonic() + PROMETHEUS_RETRY_NS);
        result = djp__load_acquire(&endpoint->ending) ? DJP_EIO : prometheus_begin(endpoint, 1);
    }
    if (result == 0) {
        djp__diag(endpoint->diag, DJP_LOG_DEBUG,
                  "Prometheus endpoint: this process has port %d now", endpoint->port);
    }
}

static void *
prometheus_keep(void *user)
{
    djp__prometheus_http *endpoint = user;
    endpoint->parted = djp__files_part();
    int has_others = djp__registry_note_port(endpoint->registry, endpoint->port);
    int result = prometheus_begin(endpoint, has_others);
    int waits = result == DJP_EIO && has_others && errno == EADDRINUSE;
    endpoint->result = waits ? 0 : result;
    djp__wake_notify(&endpoint->ready);
    if (waits) {
        prometheus_wait(endpoint);
    }
    if (endpoint->daemon != NULL) {
        while (!djp__load_acquire(&endpoint->ending)) {
            djp__wake_wait(&endpoint->end, djp__prometheus_guard_sweep(&endpoint->guard));
        }
        MHD_stop_daemon(endpoint->daemon);
    }
    (void)djp__registry_note_port(endpoint->registry, 0);
    return NULL;
}

static void
prometheus_fork_child(void *user)
{
    djp__prometheus_http *endpoint = user;
    if (endpoint->fd >= 0 && !endpoint->parted && djp__file_is(&endpoint->id, endpoint->fd)) {
        close(endpoint->fd);
    }
    endpoint->fd = -1;
    endpoint->port = 0;
}

static void
prometheus_free_endpoint(djp__prometheus_http *endpoint)
{
    djp__free(endpoint->host);
    djp__free(endpoint->token);
    djp__free(endpoint);
}

static djp__prometheus_http *
prometheus_new(djp_registry *registry, const char *host, int port, const char *token,
               djp__diagnostics *diag)
{
    djp__prometheus_http *endpoint = djp__calloc(1, sizeof *endpoint);
    int has_token = token != NULL && token[0];
    if (endpoint == NULL) {
        return NULL;
    }
    endpoint->registry = registry;
    endpoint->diag = diag;
    endpoint->fd = -1;
    endpoint->port = port;
    endpoint->host = djp__strdup(host && host[0] ? host : "127.0.0.1");
    endpoint->token = has_token ? djp__strdup(token) : NULL;
    if (endpoint->host == NULL || (has_token && endpoint->token == NULL)) {
        prometheus_free_endpoint(endpoint);
        return NULL;
    }
    return endpoint;
}

int
djp__prometheus_http_start(djp__prometheus_http **out, djp_registry *registry, const char *host,
                           int port, const char *token, djp__diagnostics *diag)
{
    *out = NULL;
    if (registry == NULL || port < 0 || port > 65535) {
        return DJP_EINVAL;
    }
    djp__prometheus_http *endpoint = prometheus_new(registry, host, port, token, diag);
    if (endpoint == NULL) {
        return DJP_ENOMEM;
    }
    djp__wake_init(&endpoint->ready);
    djp__wake_init(&endpoint->end);
    djp__prometheus_guard_init(&endpoint->guard);
    int result = djp__thread_start(&endpoint->keeper, prometheus_keep, endpoint, "djp-metrics");
    if (result == 0) {
        djp__wake_wait(&endpoint->ready, UINT64_MAX);
        result = endpoint->result;
        if (result < 0) {
            pthread_join(endpoint->keeper, NULL);
        }
    }
    if (result < 0) {
        prometheus_free_endpoint(endpoint);
        return result;
    }
    endpoint->generation = djp__fork_generation();
    endpoint->hook = (djp__fork_hook){NULL, NULL, prometheus_fork_child, endpoint, NULL};
    djp__fork_register(&endpoint->hook);
    *out = endpoint;
    return 0;
}

int
djp__prometheus_http_port(const djp__prometheus_http *endpoint)
{
    return endpoint != NULL ? endpoint->port : 0;
}

void
djp__prometheus_http_stop(djp__prometheus_http *endpoint)
{
    if (endpoint == NULL) {
        return;
    }
    djp__fork_unregister(&endpoint->hook);
    if (endpoint->generation == djp__fork_generation()) {
        djp__store_release(&endpoint->ending, 1);
        djp__wake_notify(&endpoint->end);
        pthread_join(endpoint->keeper, NULL);
    }
    /* In a forked child the daemon's thread does not exist; its resources are not touched. */
    prometheus_free_endpoint(endpoint);
}
