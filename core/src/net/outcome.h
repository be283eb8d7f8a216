/* How a request ended, for everything that sends one: exporters, and the client of a sampling
 * server. */
#ifndef DJP_NET_OUTCOME_H
#define DJP_NET_OUTCOME_H

#include <signal.h>
#include <stdint.h>

typedef enum djp__outcome {
    DJP__SENT = 0, /* accepted; rejected may still be > 0 (partial success) */
    DJP__SEND_RETRY, /* may be repeated, after retry_after_ns when that is not 0 */
    DJP__SEND_REJECTED, /* the receiver refuses these bytes for good */
    DJP__SEND_ABORTED /* the abort callback said so or the deadline passed */
} djp__outcome;

typedef struct djp__send_result {
    djp__outcome outcome;
    uint64_t rejected; /* items that a partial success turned down */
    uint64_t retry_after_ns; /* the receiver's wish; 0: none */
    long status; /* HTTP or gRPC status, 0 without a response */
    char message[256]; /* for logs and status; never holds headers or credentials */
    uint64_t wire_bytes; /* body bytes put on the wire after compression */
} djp__send_result;

/* Sets outcome and message (valid UTF-8, control characters as blanks, cut to fit). */
void djp__send_result_set(djp__send_result *result, djp__outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Blocks SIGPIPE for the calling thread, and on restore swallows the one that a write in between
 * may have raised. */
typedef struct djp__sigpipe {
    sigset_t saved;
    int was_pending;
} djp__sigpipe;
void djp__sigpipe_block(djp__sigpipe *guard);
void djp__sigpipe_restore(const djp__sigpipe *guard);

#endif
