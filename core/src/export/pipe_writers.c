/* Threads that may be inside a line, from what the kernel shows of them: state, sleeps, and
 * processor time. */
#include "export/pipe_writers.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"

enum {
    PIPE_WRITERS_TEXT_SIZE = 4096,
    PIPE_WRITERS_RUN_NS = 100000, /* the rest of a write, and what comes between two of them */
    /* An event loop that sleeps so long elsewhere waits for this SDK, or for something slow. */
    PIPE_WRITERS_SLEEP_NS = 100000000
};

/* What /proc shows of a thread. */
typedef struct pipe_writers_facts {
    char state;
    uint64_t sleeps;
} pipe_writers_facts;

/* Reads a file of the thread's folder as text. Returns its size; 0: there is none. */
static size_t
pipe_writers_text(char *text, size_t room, int folder, const char *thread, const char *name)
{
    char path[64];
    (void)snprintf(path, sizeof path, "%.20s/%s", thread, name);
    int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
    size_t size = 0;
    if (fd >= 0) {
        for (ssize_t got = 1; got > 0; size += got > 0 ? (size_t)got : 0) {
            got = read(fd, text + size, room - 1 - size);
        }
        close(fd);
    }
    text[size] = '\0';
    return size;
}

/* The text after the name, or NULL. */
static const char *
pipe_writers_field(const char *text, const char *name)
{
    const char *found = strstr(text, name);
    return found != NULL ? found + strlen(name) : NULL;
}

/* Returns 1, 0 if the thread has ended, -1 if its facts are not shown. */
static int
pipe_writers_read(pipe_writers_facts *out, int folder, const char *thread)
{
    char text[PIPE_WRITERS_TEXT_SIZE];
    if (pipe_writers_text(text, sizeof text, folder, thread, "status") == 0) {
        return 0;
    }
    const char *state = pipe_writers_field(text, "\nState:\t");
    const char *sleeps = pipe_writers_field(text, "\nvoluntary_ctxt_switches:\t");
    if (state == NULL || sleeps == NULL) {
        return -1;
    }
    *out = (pipe_writers_facts){*state, strtoull(sleeps, NULL, 10)};
    return 1;
}

/* 1: the thread sleeps in a call for the events of an event loop, or the system does not tell in
 * which. */
static int
pipe_writers_is_in_loop(int folder, const char *thread)
{
    char text[256];
    if (pipe_writers_text(text, sizeof text, folder, thread, "syscall") == 0) {
        return 1;
    }
#ifdef SYS_epoll_wait
    if (atol(text) == SYS_epoll_wait) {
        return 1;
    }
#endif
    return atol(text) == SYS_epoll_pwait;
}

/* Returns 0 if the thread has ended. The kernel numbers the processor clocks of threads like this,
 * and pthread_getcpuclockid(3) returns such a number. */
static int
pipe_writers_processor_ns(uint64_t *out, pid_t thread)
{
    enum { PER_THREAD = 4, SCHEDULER = 2 };
    struct timespec time;
    if (clock_gettime((clockid_t)(~(unsigned)thread << 3 | PER_THREAD | SCHEDULER), &time) != 0) {
        return 0;
    }
    *out = (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
    return 1;
}

/* Returns the record of the thread since its last sleep, a new one if there is none. */
static djp__pipe_writer *
pipe_writers_find(djp__pipe_writers *writers, pid_t thread, uint64_t sleeps, uint64_t ran)
{
    djp__pipe_writer *known = NULL;
    for (size_t i = 0; i < DJP__PIPE_WRITERS_KNOWN && known == NULL; i++) {
        known = writers->known[i].thread == thread ? &writers->known[i] : NULL;
    }
    if (known == NULL) {
        known = &writers->known[writers->added++ % DJP__PIPE_WRITERS_KNOWN];
        known->thread = 0;
    }
    if (known->thread != thread || known->sleeps != sleeps) {
        *known = (djp__pipe_writer){thread, 0, sleeps, djp__clock_monotonic(), ran};
    }
    return known;
}

/* 1: the thread, which is not in a loop, is between lines. */
static int
pipe_writers_is_between(djp__pipe_writers *writers, pid_t thread, const pipe_writers_facts *facts,
                        int is_loop)
{
    uint64_t ran;
    if (!pipe_writers_processor_ns(&ran, thread)) {
        return 1;
    }
    djp__pipe_writer *known = pipe_writers_find(writers, thread, facts->sleeps, ran);
    if (is_loop) {
        return facts->state != 'R' &&
               djp__clock_monotonic() - known->since >= PIPE_WRITERS_SLEEP_NS;
    }
    known->is_between |= ran - known->processor_ns >= PIPE_WRITERS_RUN_NS;
    return known->is_between;
}

static djp__pipe_writers_state
pipe_writers_look_at(djp__pipe_writers *writers, int folder, const char *name)
{
    pid_t thread = (pid_t)atoi(name);
    if (thread <= 0 || thread == djp__thread_number()) {
        return DJP__PIPE_WRITERS_BETWEEN;
    }
    pipe_writers_facts facts;
    int got = pipe_writers_read(&facts, folder, name);
    if (got <= 0) {
        return got < 0 ? DJP__PIPE_WRITERS_UNKNOWN : DJP__PIPE_WRITERS_BETWEEN;
    }
    int flags = thread == getpid() ? fcntl(STDOUT_FILENO, F_GETFL) : 0;
    int is_loop = flags > 0 && (flags & O_NONBLOCK);
    if (facts.state != 'R' && (!is_loop || pipe_writers_is_in_loop(folder, name))) {
        return DJP__PIPE_WRITERS_BETWEEN;
    }
    return pipe_writers_is_between(writers, thread, &facts, is_loop) ? DJP__PIPE_WRITERS_BETWEEN
                                                                     : DJP__PIPE_WRITERS_INSIDE;
}

djp__pipe_writers_state
djp__pipe_writers_look(djp__pipe_writers *writers)
{
    DIR *list = opendir("/proc/self/task");
    if (list == NULL) {
        return DJP__PIPE_WRITERS_UNKNOWN;
    }
    djp__pipe_writers_state all = DJP__PIPE_WRITERS_BETWEEN;
    int left = DJP__PIPE_WRITERS_THREADS + 2; /* and "." and ".." */
    for (const struct dirent *entry; (entry = readdir(list)) != NULL;) {
        djp__pipe_writers_state one =
            left-- > 0 ? pipe_writers_look_at(writers, dirfd(list), entry->d_name)
                       : DJP__PIPE_WRITERS_UNKNOWN;
        if (one == DJP__PIPE_WRITERS_UNKNOWN) {
            all = one;
            break;
        }
        all = one == DJP__PIPE_WRITERS_INSIDE ? one : all;
    }
    closedir(list);
    return all;
}
