/* The SDK's messages: one sink, levels, and a once-only guard. Not used on a successful recording
 * path. */
#ifndef DJP_BASE_DIAG_H
#define DJP_BASE_DIAG_H

#include "base/atomic.h"
#include "base/files.h"
#include "base/thread.h"

enum { DJP_LOG_NONE = 0, DJP_LOG_ERROR = 1, DJP_LOG_WARN = 2, DJP_LOG_INFO = 3, DJP_LOG_DEBUG = 4 };

typedef struct djp__diagnostics {
    void (*log)(void *user, int level, const char *message);
    void *user;
    djp__file_id standard_error; /* its identity at the start */
    int level; /* set before other threads see the structure */
    djp_mutex mutex; /* guards last_error */
    char last_error[256]; /* text of the latest error or warning */
    uint64_t last_error_unix_ns;
} djp__diagnostics;

int djp__diag_init(djp__diagnostics *diag, int level, void (*log)(void *, int, const char *),
                   /* log NULL: standard error, where a message that would block is dropped; diag
                    * must not move then */
                   void *user);
void djp__diag_fini(djp__diagnostics *diag);
void djp__diag(djp__diagnostics *diag, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* 1 for the first caller with this flag, 0 afterwards. */
int djp__once(DJP__ATOMIC(int) * flag);
/* Returns 1 at most once a minute per guard: a message may be written. Guards start at 0. */
int djp__every_minute(DJP__ATOMIC(uint64_t) * guard);

#endif
