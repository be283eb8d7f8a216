/* Shared by all senders: formats the message of a result, and keeps SIGPIPE from the host. Does not
 * allocate. */
#include "net/outcome.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/str.h"

void
djp__send_result_set(djp__send_result *result, djp__outcome outcome, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t size = length < 0 ? 0 : (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            text[i] = ' ';
        }
    }
    size = djp__utf8_repair(result->message, sizeof result->message - 1, text, size, NULL);
    result->message[size] = '\0';
    result->outcome = outcome;
}

static int
outcome_sigpipe_is_pending(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

void
djp__sigpipe_block(djp__sigpipe *guard)
{
    sigset_t pipe_only;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    guard->was_pending = outcome_sigpipe_is_pending();
    pthread_sigmask(SIG_BLOCK, &pipe_only, &guard->saved);
}

void
djp__sigpipe_restore(const djp__sigpipe *guard)
{
    if (!guard->was_pending && outcome_sigpipe_is_pending()) {
        const struct timespec at_once = {0, 0};
        sigset_t pipe_only;
        sigemptyset(&pipe_only);
        sigaddset(&pipe_only, SIGPIPE);
        sigtimedwait(&pipe_only, NULL, &at_once);
    }
    pthread_sigmask(SIG_SETMASK, &guard->saved, NULL);
}
