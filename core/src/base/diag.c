/* The SDK's messages: level check, one sink, and the latest error for the status report. Not used
 * on a successful recording path; does not allocate. */
#include "base/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

static void
diag_to_stderr(void *user, int level, const char *message)
{
    static const char *const names[] = {"", "error: ", "warning: ", "", "debug: "};
    char line[1100];
    const djp__diagnostics *diag = user;
    int size = snprintf(line, sizeof line, "djp-telemetry: %s%s\n",
                        level >= 0 && level <= 4 ? names[level] : "", message);
    if (size < 0) {
        return;
    }
    if ((size_t)size >= sizeof line) {
        size = (int)sizeof line - 1;
        line[size - 1] = '\n';
    }
    djp__standard_error_write(&diag->standard_error, line, (size_t)size);
}

int
djp__diag_init(djp__diagnostics *diag, int level, void (*log)(void *, int, const char *),
               void *user)
{
    memset(diag, 0, sizeof *diag);
    diag->level = level;
    diag->log = log ? log : diag_to_stderr;
    diag->user = log ? user : diag;
    djp__file_id_get(&diag->standard_error, STDERR_FILENO);
    return djp__mutex_init(&diag->mutex);
}

void
djp__diag_fini(djp__diagnostics *diag)
{
    djp__mutex_fini(&diag->mutex);
}

void
djp__diag(djp__diagnostics *diag, int level, const char *format, ...)
{
    char message[1024];
    if (level > diag->level && level > DJP_LOG_WARN) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (size < 0) {
        return;
    }
    if (level == DJP_LOG_ERROR || level == DJP_LOG_WARN) {
        djp__mutex_lock(&diag->mutex);
        size_t kept = djp__utf8_cut(message, strlen(message), sizeof diag->last_error - 1);
        memcpy(diag->last_error, message, kept);
        diag->last_error[kept] = '\0';
        diag->last_error_unix_ns = djp__clock_realtime();
        djp__mutex_unlock(&diag->mutex);
    }
    if (level <= diag->level) {
        diag->log(diag->user, level, message);
    }
}

int
djp__once(DJP__ATOMIC(int) * flag)
{
    return djp__load_relaxed(flag) == 0 && djp__swap_acq_rel(flag, 1) == 0;
}

int
djp__every_minute(DJP__ATOMIC(uint64_t) * guard)
{
    uint64_t now = djp__clock_monotonic() | 1;
    uint64_t last = djp__load_relaxed(guard);
    if (last != 0 && now - last < 60000000000ull) {
        return 0;
    }
    return djp__cas_strong_acq_rel(guard, &last, now);
}
