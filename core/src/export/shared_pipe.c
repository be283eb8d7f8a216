/* Keeps lines of several writers whole on one pipe. The kernel splits only a write that does not
 * fit, so this code writes only into an empty pipe, and at most its capacity. */
#include "export/shared_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/clock.h"

enum {
    SHARED_PIPE_LOOKS = 3, /* empty at that many checks in a row, SHARED_PIPE_PAUSE_MS apart */
    /* after a check that found data: a writer blocked on a full pipe may wait for a processor */
    SHARED_PIPE_LOOKS_BUSY = 25,
    SHARED_PIPE_PAUSE_MS = 2,
    SHARED_PIPE_PATIENCE_MS = 32, /* interval while no process reads */
    SHARED_PIPE_LARGEST = 1024 * 1024 /* the system's default limit */
};

static size_t
shared_pipe_capacity(int fd)
{
    int size = fcntl(fd, F_GETPIPE_SZ);
    return size > 0 ? (size_t)size : 4096;
}

size_t
djp__shared_pipe_piece(int fd, const char *data, size_t size)
{
    size_t capacity = shared_pipe_capacity(fd);
    size_t most = capacity - capacity / 4; /* another process may have written a little meanwhile */
    if (size <= most) {
        return size;
    }
    const char *end = memrchr(data, '\n', most);
    if (end != NULL) {
        return (size_t)(end - data) + 1;
    }
    end = memchr(data + most, '\n', size - most);
    size_t line = end != NULL ? (size_t)(end - data) + 1 : size;
    if (line > capacity && line <= SHARED_PIPE_LARGEST) {
        (void)fcntl(fd, F_SETPIPE_SZ, (int)line); /* refused: others may split the line */
    }
    return line;
}

int
djp__shared_pipe_wait(int fd, const djp__send_control *control)
{
    int pause_ms = SHARED_PIPE_PAUSE_MS, looks = SHARED_PIPE_LOOKS;
    for (int empty = 0;;) {
        int waiting = 0;
        if (ioctl(fd, FIONREAD, &waiting) != 0) {
            return -1;
        }
        empty = waiting == 0 ? empty + 1 : 0;
        looks = waiting == 0 ? looks : SHARED_PIPE_LOOKS_BUSY;
        if (empty >= looks) {
            return 0;
        }
        if (control->poll && control->poll(control->user)) {
            errno = ECANCELED;
            return -1;
        }
        if (djp__clock_monotonic() >= control->deadline) {
            errno = ETIMEDOUT;
            return -1;
        }
        /* wakes when the last reader closes; the write returns the error */
        struct pollfd gone = {fd, 0, 0};
        if (poll(&gone, 1, pause_ms) > 0) {
            return 0;
        }
        pause_ms = waiting == 0 ? SHARED_PIPE_PAUSE_MS : 2 * pause_ms;
        pause_ms = pause_ms < SHARED_PIPE_PATIENCE_MS ? pause_ms : SHARED_PIPE_PATIENCE_MS;
    }
}
