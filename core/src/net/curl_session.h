/* One libcurl multi handle with an easy handle for each lane: a lane exchanges one request at a
 * time, and connections are kept. Used by one thread; djp__thread_poke ends a wait, where that
 * thread has descriptors of its own. */
#ifndef DJP_NET_CURL_SESSION_H
#define DJP_NET_CURL_SESSION_H

#include <curl/curl.h>

#include "base/buf.h"
#include "net/curl_target.h"
#include "net/outcome.h"

enum { DJP__CURL_LANES_MAX = 16 };

typedef struct djp__curl_session djp__curl_session;

/* One request and what came back. The caller fills the first part; everything there is borrowed for
 * the exchange. */
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
    long status; /* HTTP, 0 when there was no response */
    long response_version; /* a CURL_HTTP_VERSION_ constant */
    unsigned sockets; /* connections opened for it */
    int refused_socket; /* reuse_only and there was nothing to reuse */
    int too_large; /* the response broke a limit */
    size_t head_bytes;
    djp_buf response; /* body, decompressed; the caller owns it (init and fini) */
} djp__curl_exchange;

/* Copies what it needs from target, destination (contents of the TLS files, limits, protocol) and
 * user_agent. Returns 0, DJP_ENOMEM or DJP_EIO; then why says what is wrong. */
int
djp__curl_session_new(djp__curl_session **out, const djp__curl_target *target,
                      const djp__destination *destination, const char *user_agent, char why[256]);
/* 1 when the TLS files hold something else than at session_new: looked at once a minute, and at
 * once after a failure. */
int djp__curl_session_is_outdated(djp__curl_session *session, const djp__curl_target *target,
                                  const djp__destination *destination, int failed);
void djp__curl_session_free(djp__curl_session *session);
/* An exchange on a lane (0 .. DJP__CURL_LANES_MAX - 1, the lowest that is free): begin, step until
 * it is done, end. end before that gives the request up. A step drives all lanes and never waits;
 * returns how many are not done. */
void
djp__curl_session_begin(djp__curl_session *session, unsigned lane, djp__curl_exchange *exchange);
int djp__curl_session_step(djp__curl_session *session);
int djp__curl_session_is_done(const djp__curl_session *session, unsigned lane);
void djp__curl_session_end(djp__curl_session *session, unsigned lane);
/* Waits for news of any lane, until the deadline and for at most 20 ms. */
void djp__curl_session_wait(djp__curl_session *session, uint64_t deadline);
/* 1 when somebody else closed a descriptor of the session: it is to be abandoned. Only where the
 * thread shares its descriptors with others; a session that was made in one with its own table
 * belongs to that thread alone, which also frees it. */
int djp__curl_session_is_robbed(djp__curl_session *session);
/* In a forked child: closes this process's copies of the sockets without a word to the peer and
 * forgets the handles, which stay reachable from a static list for ever. Frees nothing, allocates
 * nothing. */
void djp__curl_session_abandon(djp__curl_session *session);

#endif
