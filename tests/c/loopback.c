#include "loopback.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 64, INPUT_MAX = 32 << 20, PREFACE = 24, FRAME_HEAD = 9 };
enum { H2_DATA = 0, H2_HEADERS = 1, H2_SETTINGS = 4, H2_PING = 6, H2_GOAWAY = 7, H2_WINDOW = 8 };
enum { H2_END_STREAM = 1, H2_ACK = 1, H2_END_HEADERS = 4 };

typedef struct connection {
    loopback *server;
    int fd; /* -1: the place is free */
    pthread_t thread;
    int has_thread; /* not yet joined */
} connection;

struct loopback {
    pthread_mutex_t mutex; /* guards all that follows */
    pthread_cond_t changed; /* the action, or the end of all connections */
    int hangs_up;
    int listener, port;
    pthread_t thread;
    char url[256];
    char *reply;
    size_t reply_size;
    loopback_call call;
    int speaks_http2;
    loopback_action action;
    connection places[CONNECTIONS_MAX];
    unsigned connections, requests;
    char *last;
    size_t last_size;
};

/* Bytes of one connection that are not used yet. */
typedef struct input {
    int fd;
    char *data;
    size_t size, capacity;
} input;

/* Reads until there are so many bytes. 0: the connection ended. */
static int
input_fill(input *in, size_t size)
{
    if (in->capacity < size + 1 && size < INPUT_MAX) {
        in->capacity = size * 2 + 4096;
        in->data = realloc(in->data, in->capacity);
    }
    while (in->size < size) {
        ssize_t got = recv(in->fd, in->data + in->size, in->capacity - 1 - in->size, 0);
        if (got <= 0) {
            return 0;
        }
        in->size += (size_t)got;
    }
    in->data[in->size] = '\0';
    return 1;
}

static void
input_drop(input *in, size_t size)
{
    in->size -= size;
    memmove(in->data, in->data + size, in->size);
}

static int
send_all(int fd, const void *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0) {
            return 0;
        }
        bytes = (const char *)bytes + sent;
        size -= (size_t)sent;
    }
    return 1;
}

/* Keeps the request. Returns what to do with it. */
static loopback_action
arrive(loopback *server, const char *bytes, size_t size)
{
    pthread_mutex_lock(&server->mutex);
    free(server->last);
    server->last = malloc(size + 1);
    memcpy(server->last, bytes, size);
    server->last[size] = '\0';
    server->last_size = size;
    server->requests++;
    while (server->action == LOOPBACK_HOLD && !server->hangs_up) {
        pthread_cond_wait(&server->changed, &server->mutex);
    }
    loopback_action action = server->action;
    if (action == LOOPBACK_CLOSE_ONCE) {
        server->action = LOOPBACK_REPLY;
        action = LOOPBACK_CLOSE;
    }
    pthread_mutex_unlock(&server->mutex);
    return action;
}

/* ---- HTTP/1.1 ---- */

/* The size of the first whole request; 0: more is to be read. */
static size_t
request_size(const input *in)
{
    const char *end = in->size == 0 ? NULL : strstr(in->data, "\r\n\r\n");
    const char *length = end == NULL ? NULL : strstr(in->data, "Content-Length: ");
    size_t whole = end == NULL ? 0 : (size_t)(end + 4 - in->data);
    whole += length != NULL && length < end ? strtoul(length + 16, NULL, 10) : 0;
    return whole <= in->size ? whole : 0;
}

static int
send_reply(loopback *server, int fd)
{
    pthread_mutex_lock(&server->mutex);
    size_t size = server->reply_size;
    char *copy = malloc(size + 1);
    memcpy(copy, server->reply != NULL ? server->reply : "", size);
    pthread_mutex_unlock(&server->mutex);
    int good = send_all(fd, copy, size);
    free(copy);
    return good;
}

static void
serve_http1(loopback *server, input *in)
{
    for (;;) {
        size_t size = request_size(in);
        if (size == 0) {
            if (!input_fill(in, in->size + 1)) {
                return;
            }
            continue;
        }
        int is_preface = memcmp(in->data, "PRI ", 4) == 0; /* of HTTP/2: ends the connection */
        loopback_action action = arrive(server, in->data, size);
        input_drop(in, size);
        if (action == LOOPBACK_CLOSE) {
            return;
        }
        if (action != LOOPBACK_SILENCE && !send_reply(server, in->fd)) {
            return;
        }
        if (action == LOOPBACK_REPLY_AND_CLOSE) {
            return;
        }
        if (is_preface) {
            return;
        }
    }
}

/* ---- HTTP/2 ---- */

static int
send_frame(int fd, int type, int flags, uint32_t stream, const void *data, size_t size)
{
    uint8_t head[FRAME_HEAD] = {
        (uint8_t)(size >> 16),   (uint8_t)(size >> 8),   (uint8_t)size,
        (uint8_t)type,           (uint8_t)flags,         (uint8_t)(stream >> 24),
        (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};
    return send_all(fd, head, sizeof head) && send_all(fd, data, size);
}

static int
send_headers(int fd, uint32_t stream, const char *const *pairs, int ends)
{
    char block[4096];
    size_t size = 0;
    for (size_t i = 0; pairs[i] != NULL; i += 2) {
        size_t name = strlen(pairs[i]), value = strlen(pairs[i + 1]);
        /* A literal without indexing and without Huffman coding; a length of 127 and more has a
         * second part. */
        block[size++] = 0;
        block[size++] = (char)name;
        memcpy(block + size, pairs[i], name);
        size += name;
        if (value < 127) {
            block[size++] = (char)value;
        } else {
            block[size++] = 127;
            for (value -= 127; value >= 128; value /= 128) {
                block[size++] = (char)(value % 128 + 128);
            }
            block[size++] = (char)value;
            value = strlen(pairs[i + 1]);
        }
        memcpy(block + size, pairs[i + 1], value);
        size += value;
    }
    return send_frame(fd, H2_HEADERS, H2_END_HEADERS | (ends ? H2_END_STREAM : 0), stream, block,
                      size);
}

static int
send_call(loopback *server, int fd, uint32_t stream)
{
    static const uint8_t no_error[8] = {0, 0, 0, 1};
    pthread_mutex_lock(&server->mutex);
    loopback_call call = server->call;
    pthread_mutex_unlock(&server->mutex);
    int has_message = call.message != NULL, has_trailers = call.trailers != NULL;
    if (call.headers != NULL &&
        !send_headers(fd, stream, call.headers, !has_message && !has_trailers)) {
        return 0;
    }
    if (has_message && !send_frame(fd, H2_DATA, has_trailers ? 0 : H2_END_STREAM, stream,
                                   call.message, call.size)) {
        return 0;
    }
    if (has_trailers && !send_headers(fd, stream, call.trailers, 1)) {
        return 0;
    }
    return !call.says_goodbye || (send_frame(fd, H2_GOAWAY, 0, 0, no_error, sizeof no_error) && 0);
}

/* Gives the client as much room as it has used. */
static void
send_window(int fd, uint32_t stream, size_t size)
{
    uint8_t room[4] = {0, (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size};
    if (size > 0) {
        send_frame(fd, H2_WINDOW, 0, 0, room, 4);
        send_frame(fd, H2_WINDOW, 0, stream, room, 4);
    }
}

typedef struct h2_body {
    char *data;
    size_t size;
} h2_body;

/* 0: the connection ends. */
static int
end_stream(loopback *server, int fd, uint32_t stream, h2_body *request)
{
    loopback_action action =
        arrive(server, request->data != NULL ? request->data : "", request->size);
    request->size = 0;
    if (action == LOOPBACK_CLOSE) {
        return 0;
    }
    return action == LOOPBACK_SILENCE ||
           (send_call(server, fd, stream) && action == LOOPBACK_REPLY);
}

static int
take_frame(loopback *server, input *in, h2_body *request)
{
    if (!input_fill(in, FRAME_HEAD)) {
        return 0;
    }
    const uint8_t *head = (const uint8_t *)in->data;
    size_t size = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
    int type = head[3], flags = head[4];
    uint32_t stream =
        (uint32_t)head[5] << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 | head[8];
    if (!input_fill(in, FRAME_HEAD + size)) {
        return 0;
    }
    if (type == H2_SETTINGS && !(flags & H2_ACK)) {
        send_frame(in->fd, H2_SETTINGS, H2_ACK, 0, NULL, 0);
    } else if (type == H2_PING && !(flags & H2_ACK)) {
        send_frame(in->fd, H2_PING, H2_ACK, 0, in->data + FRAME_HEAD, size);
    } else if (type == H2_DATA) {
        request->data = realloc(request->data, request->size + size + 1);
        memcpy(request->data + request->size, in->data + FRAME_HEAD, size);
        request->size += size;
        send_window(in->fd, stream, size);
    }
    input_drop(in, FRAME_HEAD + size);
    return (type != H2_DATA && type != H2_HEADERS) || !(flags & H2_END_STREAM) ||
           end_stream(server, in->fd, stream, request);
}

static void
serve_http2(loopback *server, input *in)
{
    h2_body request = {NULL, 0};
    if (send_frame(in->fd, H2_SETTINGS, 0, 0, NULL, 0) && input_fill(in, PREFACE) &&
        memcmp(in->data, "PRI * HTTP/2.0", 14) == 0) {
        input_drop(in, PREFACE);
        while (take_frame(server, in, &request)) {
            continue;
        }
    }
    free(request.data);
}

/* ---- connections ---- */

static void *
serve(void *argument)
{
    connection *self = argument;
    loopback *server = self->server;
    input in = {self->fd, NULL, 0, 0};
    pthread_mutex_lock(&server->mutex);
    int speaks_http2 = server->speaks_http2;
    pthread_mutex_unlock(&server->mutex);
    if (input_fill(&in, 1)) {
        (speaks_http2 ? serve_http2 : serve_http1)(server, &in);
    }
    free(in.data);
    /* A close with unread bytes would reset the connection, and the response with it. */
    char rest[4096];
    shutdown(self->fd, SHUT_WR);
    while (recv(self->fd, rest, sizeof rest, 0) > 0) {
        continue;
    }
    pthread_mutex_lock(&server->mutex);
    close(self->fd);
    self->fd = -1;
    pthread_mutex_unlock(&server->mutex);
    return NULL;
}

static void
begin_connection(loopback *server, int fd)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        connection *place = &server->places[i];
        if (place->fd >= 0) {
            continue;
        }
        if (place->has_thread) {
            pthread_mutex_unlock(&server->mutex);
            pthread_join(place->thread, NULL);
            pthread_mutex_lock(&server->mutex);
        }
        place->server = server;
        place->fd = fd;
        place->has_thread = pthread_create(&place->thread, NULL, serve, place) == 0;
        if (place->has_thread) {
            return;
        }
        place->fd = -1;
        break;
    }
    close(fd);
}

static void *
accept_all(void *argument)
{
    loopback *server = argument;
    int fd;
    while ((fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        pthread_mutex_lock(&server->mutex);
        server->connections++;
        begin_connection(server, fd);
        pthread_mutex_unlock(&server->mutex);
    }
    return NULL;
}

loopback *
loopback_new(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    loopback *server = calloc(1, sizeof *server);
    assert_non_null(server);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    pthread_mutex_init(&server->mutex, NULL);
    pthread_cond_init(&server->changed, NULL);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        server->places[i].fd = -1;
    }
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server->listener, 50), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    loopback_respond(server, "HTTP/1.1 200 OK\r\n", 0);
    assert_int_equal(pthread_create(&server->thread, NULL, accept_all, server), 0);
    return server;
}

static void
shut_all(loopback *server)
{
    pthread_mutex_lock(&server->mutex);
    server->hangs_up = 1;
    pthread_cond_broadcast(&server->changed);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (server->places[i].fd >= 0) {
            shutdown(server->places[i].fd, SHUT_RDWR);
        }
    }
    pthread_mutex_unlock(&server->mutex);
}

void
loopback_free(loopback *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    shut_all(server);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (server->places[i].has_thread) {
            pthread_join(server->places[i].thread, NULL);
        }
    }
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->mutex);
    free(server->reply);
    free(server->last);
    free(server);
}

static void
pause_ms(long ms)
{
    struct timespec pause = {0, ms * 1000000};
    nanosleep(&pause, NULL);
}

void
loopback_hang_up(loopback *server)
{
    int open;
    shut_all(server);
    do {
        open = 0;
        pthread_mutex_lock(&server->mutex);
        for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
            open += server->places[i].fd >= 0;
        }
        pthread_mutex_unlock(&server->mutex);
        pause_ms(open > 0);
    } while (open > 0);
    pthread_mutex_lock(&server->mutex);
    server->hangs_up = 0;
    pthread_mutex_unlock(&server->mutex);
}

int
loopback_port(const loopback *server)
{
    return server->port;
}

const char *
loopback_url(loopback *server, const char *path)
{
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d%s", server->port, path);
    return server->url;
}

/* ---- what the test says ---- */

void
loopback_respond_raw(loopback *server, const void *bytes, size_t size)
{
    char *copy = malloc(size + 1);
    memcpy(copy, bytes, size);
    pthread_mutex_lock(&server->mutex);
    free(server->reply);
    server->reply = copy;
    server->reply_size = size;
    server->speaks_http2 = 0;
    pthread_mutex_unlock(&server->mutex);
}

void
loopback_respond(loopback *server, const char *head, size_t body)
{
    char *bytes = malloc(strlen(head) + 64 + body);
    size_t size = (size_t)sprintf(bytes, "%sContent-Length: %zu\r\n\r\n", head, body);
    memset(bytes + size, 'b', body);
    loopback_respond_raw(server, bytes, size + body);
    free(bytes);
}

void
loopback_respond_call(loopback *server, const loopback_call *call)
{
    pthread_mutex_lock(&server->mutex);
    server->call = *call;
    server->speaks_http2 = 1;
    pthread_mutex_unlock(&server->mutex);
}

void
loopback_act(loopback *server, loopback_action action)
{
    pthread_mutex_lock(&server->mutex);
    server->action = action;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->mutex);
}

unsigned
loopback_connections(loopback *server)
{
    pthread_mutex_lock(&server->mutex);
    unsigned count = server->connections;
    pthread_mutex_unlock(&server->mutex);
    return count;
}

unsigned
loopback_requests(loopback *server)
{
    pthread_mutex_lock(&server->mutex);
    unsigned count = server->requests;
    pthread_mutex_unlock(&server->mutex);
    return count;
}

void
loopback_wait_requests(loopback *server, unsigned count)
{
    for (int i = 0; i < 60000 && loopback_requests(server) < count; i++) {
        pause_ms(1);
    }
    assert_true(loopback_requests(server) >= count);
}

char *
loopback_last(loopback *server, size_t *size)
{
    pthread_mutex_lock(&server->mutex);
    char *copy = malloc(server->last_size + 1);
    memcpy(copy, server->last != NULL ? server->last : "", server->last_size);
    copy[server->last_size] = '\0';
    if (size != NULL) {
        *size = server->last_size;
    }
    pthread_mutex_unlock(&server->mutex);
    return copy;
}
