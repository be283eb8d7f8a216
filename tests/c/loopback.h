/* A receiver on the loopback interface for tests of a client: HTTP/1.1, or just as much of HTTP/2
 * as a unary gRPC call needs. It responds as the test says, keeps the last request, and counts
 * connections and requests. */
#ifndef TESTS_C_LOOPBACK_H
#define TESTS_C_LOOPBACK_H

#include <stddef.h>

typedef struct loopback loopback;

/* What becomes of a request that has arrived whole. */
typedef enum loopback_action {
    LOOPBACK_REPLY,
    LOOPBACK_REPLY_AND_CLOSE, /* the connection ends after the response */
    LOOPBACK_CLOSE, /* it ends without one */
    LOOPBACK_CLOSE_ONCE, /* this one does; all later ones are replied to */
    LOOPBACK_HOLD, /* the response waits until the action changes */
    LOOPBACK_SILENCE /* nothing happens */
} loopback_action;

/* The response to a gRPC call. Absent parts are NULL. */
typedef struct loopback_call {
    const char *const *headers; /* names and values in turn, ":status" first; ends with NULL */
    const void *message; /* the body, with its frame */
    size_t size;
    const char *const *trailers; /* as the headers; NULL: the stream ends with what came before */
    int says_goodbye; /* 1: a GOAWAY follows, and the connection ends */
} loopback_call;

/* Listens on a free port. Fails the test if it cannot. */
loopback *loopback_new(void);
/* Ends all connections and threads, and closes the port. */
void loopback_free(loopback *server);
int loopback_port(const loopback *server);
/* "http://127.0.0.1:PORT" and the path, in a buffer of the server. */
const char *loopback_url(loopback *server, const char *path);

/* The response to all further requests: head (its lines end in CRLF) without Content-Length, and a
 * body of so many letters b. */
void loopback_respond(loopback *server, const char *head, size_t body);
/* The same with all bytes given. Copies. */
void loopback_respond_raw(loopback *server, const void *bytes, size_t size);
/* From now on the server speaks HTTP/2. Copies the structure, borrows the rest. */
void loopback_respond_call(loopback *server, const loopback_call *call);
void loopback_act(loopback *server, loopback_action action);
/* Ends the open connections, as a receiver does that is idle or restarts. Returns when they are
 * closed. */
void loopback_hang_up(loopback *server);

unsigned loopback_connections(loopback *server); /* accepted so far */
unsigned loopback_requests(loopback *server); /* arrived whole so far */
/* Waits until that many requests have arrived; fails the test after a minute. */
void loopback_wait_requests(loopback *server, unsigned count);
/* The latest whole request, with a NUL behind: of HTTP/1.1 head and body, of HTTP/2 the body. The
 * caller frees. */
char *loopback_last(loopback *server, size_t *size);

#endif
