/* Filling a djp_send_result, and keeping SIGPIPE away from the host while bytes are written. Shared by the transports. */
#ifndef DJP_EXPORT_TRANSPORT_RESULT_H
#define DJP_EXPORT_TRANSPORT_RESULT_H

#include <signal.h>

#include "export/transport.h"

/* Sets outcome and message (valid UTF-8, control characters as blanks, cut to fit). */
void djp__send_result_set(djp_send_result *result, djp_outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Blocks SIGPIPE for the calling thread, and on restore swallows the one that a write in between may have raised. */
typedef struct djp_sigpipe {
    sigset_t saved;
    int was_pending;
} djp_sigpipe;
void djp__sigpipe_block(djp_sigpipe *guard);
void djp__sigpipe_restore(const djp_sigpipe *guard);

#endif
