/* The result of a request, for exporters and the client of a sampling server. */
#ifndef DJP_NET_OUTCOME_H
#define DJP_NET_OUTCOME_H

#include <signal.h>
#include <stdint.h>

typedef enum djp__outcome {
    DJP__SENT = 0, /* accepted; rejected may still be > 0 (partial success) */
    DJP__SEND_RETRY, /* may be retried, after retry_after_ns if that is not 0 */
    DJP__SEND_REJECTED, /* rejected permanently */
    DJP__SEND_ABORTED /* cancelled by the abort callback, or the deadline passed */
} djp__outcome;

typedef struct djp__send_result {
    djp__outcome outcome;
    uint64_t rejected; /* items rejected by a partial success */
    uint64_t retry_after_ns; /* requested by the receiver; 0: none */
    long status; /* HTTP or gRPC status, 0 without a response */
    char message[256]; /* for logs and status; contains no headers or credentials */
    uint64_t wire_bytes; /* body bytes put on the wire after compression */
} djp__send_result;

/* Sets outcome and message (valid UTF-8, control characters as blanks, cut to fit). */
void djp__send_result_set(djp__send_result *result, djp__outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Blocks SIGPIPE in the calling thread; restore clears one raised meanwhile. */
typedef struct djp__sigpipe {
    sigset_t saved;
    int was_pending;
} djp__sigpipe;
void djp__sigpipe_block(djp__sigpipe *guard);
void djp__sigpipe_restore(const djp__sigpipe *guard);

#endif
