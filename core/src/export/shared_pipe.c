/* Keeps lines of several writers whole on one pipe. The kernel splits only a write that does not
 * fit, so this code writes only into an empty pipe, and at most its capacity. */
#include "export/shared_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/clock.h"

#define SHARED_PIPE_MS UINT64_C(1000000)

enum {
    SHARED_PIPE_LOOKS = 3, /* empty at that many checks in a row, SHARED_PIPE_PAUSE_MS apart */
    /* Empty for that long after a check that found data: in another process a writer that the full
     * pipe blocked may wait for a processor. */
    SHARED_PIPE_BUSY_MS = 50,
    SHARED_PIPE_WRITERS_MS = 1000, /* and at most so long for one in this process */
    SHARED_PIPE_AWAY_NS = 200000, /* what was seen is old if this thread lost the processor */
    SHARED_PIPE_PAUSE_MS = 2,
    SHARED_PIPE_PATIENCE_MS = 32, /* interval while no process reads */
    SHARED_PIPE_LARGEST = 1024 * 1024 /* the system's default limit */
};

/* The looks at one pipe, the last ones of which found it empty. */
typedef struct shared_pipe_looks {
    int empty; /* how many */
    int was_busy; /* an earlier one found data */
    uint64_t since; /* the time of the first of them */
    djp__pipe_writers *writers;
} shared_pipe_looks;

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

/* Nanoseconds in which the calling thread did not have a processor, from any start. */
static uint64_t
shared_pipe_away(void)
{
    struct timespec time, ran;
    if (clock_gettime(CLOCK_MONOTONIC, &time) != 0 ||
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ran) != 0) {
        return 0;
    }
    return (uint64_t)(time.tv_sec - ran.tv_sec) * UINT64_C(1000000000) + (uint64_t)time.tv_nsec -
           (uint64_t)ran.tv_nsec;
}

/* Returns the bytes that wait in the pipe, or -1 with errno. */
static int
shared_pipe_waiting(int fd)
{
    int waiting = 0;
    return ioctl(fd, FIONREAD, &waiting) == 0 ? waiting : -1;
}

/* The pipe is empty. Returns 1 if no process is inside a line. */
static int
shared_pipe_is_between_lines(shared_pipe_looks *looks, int fd)
{
    uint64_t now = djp__clock_monotonic(), away = shared_pipe_away();
    looks->since = looks->empty++ == 0 ? now : looks->since;
    djp__pipe_writers_state state = djp__pipe_writers_look(looks->writers);
    uint64_t least = looks->was_busy ? SHARED_PIPE_BUSY_MS * SHARED_PIPE_MS : 0;
    uint64_t most = SHARED_PIPE_WRITERS_MS * SHARED_PIPE_MS;
    if (looks->empty < SHARED_PIPE_LOOKS || now - looks->since < least ||
        (state == DJP__PIPE_WRITERS_INSIDE && now - looks->since < most)) {
        return 0;
    }
    return shared_pipe_waiting(fd) == 0 && shared_pipe_away() - away < SHARED_PIPE_AWAY_NS;
}

int
djp__shared_pipe_wait(int fd, djp__pipe_writers *writers, const djp__send_control *control,
                      int found_data)
{
    int pause_ms = SHARED_PIPE_PAUSE_MS;
    for (shared_pipe_looks looks = {0, found_data, 0, writers};;) {
        int waiting = shared_pipe_waiting(fd);
        if (waiting < 0) {
            return -1;
        }
        if (waiting == 0 && shared_pipe_is_between_lines(&looks, fd)) {
            return 0;
        }
        if (waiting > 0) {
            looks.empty = 0;
            looks.was_busy = 1;
        }
        int wish = control->poll != NULL ? control->poll(control->user) : DJP__SEND_GO_ON;
        if (wish == DJP__SEND_GIVE_UP) {
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
        /* Checks of an empty pipe are not interrupted: they would begin again each time. */
        if (wish == DJP__SEND_PAUSE && waiting != 0) {
            errno = EINPROGRESS;
            return -1;
        }
        pause_ms = waiting == 0 ? SHARED_PIPE_PAUSE_MS : 2 * pause_ms;
        pause_ms = pause_ms < SHARED_PIPE_PATIENCE_MS ? pause_ms : SHARED_PIPE_PATIENCE_MS;
    }
}
