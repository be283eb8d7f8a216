/* One libcurl multi handle with an easy handle per lane: a lane exchanges one request at a time,
 * and connections are reused. Used by one thread; djp__thread_notify ends a wait in a thread with a
 * separate descriptor table. */
#ifndef DJP_NET_CURL_SESSION_H
#define DJP_NET_CURL_SESSION_H

#include <curl/curl.h>

#include "base/buf.h"
#include "net/curl_target.h"
#include "net/outcome.h"

enum { DJP__CURL_LANES_MAX = 16 };

typedef struct djp__curl_session djp__curl_session;

/* One request and its response. The caller fills the first part, which is borrowed for the
 * exchange. */
typedef struct djp__curl_exchange {
    int is_get; /* 1: a GET, without a body */
    const void *body;
    size_t size;
    struct curl_slist *headers;
    long http_version; /* a CURL_HTTP_VERSION_ constant */
    int fresh; /* 1: on a new connection */
    int reuse_only; /* 1: fail at once instead of opening a connection */
    void (*on_header)(void *user, const char *line,
                      size_t size); /* each header and trailer line, and each status line */
    void *user;
    /* the response */
    CURLcode code;
    char error[CURL_ERROR_SIZE];
    long status; /* HTTP; 0 without a response */
    long response_version; /* a CURL_HTTP_VERSION_ constant */
    unsigned sockets; /* connections opened for it */
    int refused_socket; /* reuse_only without a reusable connection */
    int too_large; /* the response exceeded a limit */
    size_t head_bytes;
    djp__buf response; /* body, decompressed; the caller owns it (init and fini) */
} djp__curl_exchange;

/* Copies from target, destination (contents of the TLS files, limits, protocol) and user_agent.
 * Returns 0, DJP_ENOMEM or DJP_EIO with the reason in why. */
int
djp__curl_session_new(djp__curl_session **out, const djp__curl_target *target,
                      const djp__destination *destination, const char *user_agent, char why[256]);
/* 1: the TLS files have changed since session_new; checked once a minute, and at once after a
 * failure. */
int djp__curl_session_is_outdated(djp__curl_session *session, const djp__curl_target *target,
                                  const djp__destination *destination, int failed);
void djp__curl_session_free(djp__curl_session *session);
/* An exchange on a lane (0 .. DJP__CURL_LANES_MAX - 1, the lowest free one): begin, step until it
 * is done, end. An earlier end cancels the request. A step drives all lanes without waiting;
 * returns the number of unfinished ones. */
void
djp__curl_session_begin(djp__curl_session *session, unsigned lane, djp__curl_exchange *exchange);
int djp__curl_session_step(djp__curl_session *session);
int djp__curl_session_is_done(const djp__curl_session *session, unsigned lane);
void djp__curl_session_end(djp__curl_session *session, unsigned lane);
/* Waits for an event on any lane, until the deadline and for at most 20 ms. */
void djp__curl_session_wait(djp__curl_session *session, uint64_t deadline);
/* 1: other code closed a descriptor of the session: abandon it. Only if the thread shares its
 * descriptors; a session created with a separate descriptor table belongs to that thread, which
 * also frees it. */
int djp__curl_session_is_robbed(djp__curl_session *session);
/* In a forked child: closes this process's copies of the sockets without notifying the peer, and
 * keeps the handles on a static list. Frees nothing, allocates nothing. */
void djp__curl_session_abandon(djp__curl_session *session);

#endif
