/* The file and console transports: append requests as lines to a file, a pipe or standard output.
 * They do not block beyond the deadline, raise signals, or change flags of a descriptor shared with
 * the host, and handle rotation and a full disk. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/mem.h"
#include "djp/error.h"
#include "export/shared_pipe.h"
#include "net/outcome.h"

#define FILE_CHECK_NS UINT64_C(1000000000) /* interval of the check for rotation */
enum {
    FILE_WAIT_MS = 20,
    FILE_PAUSE_MS = 2, /* of a wait while another transport is due */
    FILE_PIPE_PART = 4096 /* a writable pipe takes this much without blocking */
};

/* How bytes are written without blocking in write(2). */
typedef enum file_way {
    FILE_WHOLE, /* a regular file, or a separate descriptor that does not block */
    FILE_PARTS, /* a pipe or terminal shared with the host: small parts after poll(2) */
    FILE_SOCKET /* send(2) with MSG_DONTWAIT */
} file_way;

/* The request that is being written: a line end if the last one ended inside a line, the body, a
 * line end. */
typedef struct file_job {
    djp__send_job given;
    uint64_t before; /* bytes in front of the body */
    uint64_t written; /* bytes of all three */
    uint64_t piece; /* bytes left of a piece that goes whole into a shared pipe */
    int is_open; /* 1: begun; a pause leaves it so */
    int was_paused;
} file_job;

typedef struct file_transport {
    djp__transport base;
    file_job job;
    const char *path; /* borrowed; NULL: standard output */
    const char *line_end; /* "\n" for OTLP lines, "" for console lines, which end with one */
    int fd; /* -1: not open */
    int owned; /* 1: close fd */
    int parted; /* fd is in the sending thread's separate descriptor table */
    file_way way;
    djp__file_id id; /* identity of fd, to detect that the name or the number means another file */
    djp__file_id standard; /* identity of standard output at the start */
    const char *refused; /* why the file is refused; NULL: errno has the reason */
    uint64_t next_check;
    int broken_line; /* the last write ended inside a line */
    djp__pipe_writers writers; /* of a pipe as standard output */
} file_transport;

static int
file_is_ours(const file_transport *transport)
{
    return transport->fd >= 0 && djp__file_is(&transport->id, transport->fd);
}

static void
file_close(file_transport *transport)
{
    if (transport->owned && file_is_ours(transport)) {
        close(transport->fd);
    }
    transport->fd = -1;
    transport->owned = 0;
}

static void
file_adopt(file_transport *transport, int fd, int owned)
{
    transport->fd = fd;
    transport->owned = owned;
    transport->parted = djp__files_are_parted();
    djp__file_id_get(&transport->id, fd);
    transport->way = FILE_WHOLE;
    if (S_ISSOCK(transport->id.kind)) {
        transport->way = FILE_SOCKET;
    } else if (!owned && !S_ISREG(transport->id.kind)) {
        transport->way = FILE_PARTS;
    }
}

/* The host owns standard output: its flags are unchanged. A pipe or terminal is opened a second
 * time without blocking; if that fails, small parts are written after poll. */
static int
file_open_stdout(file_transport *transport)
{
    djp__file_id id;
    if (!djp__file_id_get(&id, STDOUT_FILENO)) {
        return -1;
    }
    if (!djp__standard_is_safe(&transport->standard, STDOUT_FILENO)) {
        transport->refused =
            "it is another file than at the start, which may not be meant for this";
        return -1;
    }
    if (S_ISFIFO(id.kind) || S_ISCHR(id.kind)) {
        int fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd >= 0 && djp__file_is(&id, fd)) {
            file_adopt(transport, fd, 1);
            return 0;
        }
        if (fd >= 0) {
            close(fd);
        }
    }
    file_adopt(transport, STDOUT_FILENO, 0);
    return 0;
}

/* Why an existing open file is refused, or NULL. */
static const char *
file_refusal(int fd)
{
    struct stat facts;
    if (fstat(fd, &facts) != 0) {
        return "it cannot be looked at";
    }
    if (S_ISREG(facts.st_mode)) {
        return facts.st_nlink > 1 ? "it has more than one hard link" : NULL;
    }
    if (S_ISFIFO(facts.st_mode)) {
        return facts.st_uid == geteuid() || facts.st_uid == 0 ? NULL
                                                              : "it is somebody else's named pipe";
    }
    return S_ISCHR(facts.st_mode) ? NULL : "it is no regular file";
}

static int
file_open_path(file_transport *transport)
{
    /* O_NONBLOCK: a named pipe without a reader fails at once; no effect on regular files. */
    int flags = O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    int is_device = strncmp(transport->path, "/dev/", 5) == 0;
    int fd = open(transport->path, flags | O_CREAT | O_EXCL, 0640);
    if (fd < 0 && errno == EEXIST) {
        fd = open(transport->path, flags | (is_device ? 0 : O_NOFOLLOW));
    }
    if (fd < 0) {
        transport->refused = errno == ELOOP ? "it is a symbolic link; name the file itself" : NULL;
        return -1;
    }
    transport->refused = file_refusal(fd);
    if (transport->refused) {
        close(fd);
        return -1;
    }
    file_adopt(transport, fd, 1);
    return 0;
}

static int
file_is_current(const file_transport *transport)
{
    struct stat facts;
    int code = transport->path ? stat(transport->path, &facts) : fstat(STDOUT_FILENO, &facts);
    return code == 0 && facts.st_dev == transport->id.device &&
           facts.st_ino == transport->id.inode &&
           (!S_ISREG(facts.st_mode) || !transport->path || facts.st_nlink == 1);
}

/* Opens the file if it is not open, or was rotated or removed. Returns 0 or -1 with errno. */
static int
file_prepare(file_transport *transport)
{
    uint64_t now = djp__clock_monotonic();
    transport->refused = NULL;
    if (transport->fd >= 0 &&
        (!transport->path || now >= transport->next_check || !file_is_ours(transport))) {
        transport->next_check = now + FILE_CHECK_NS;
        if (!file_is_ours(transport) || !file_is_current(transport)) {
            file_close(transport);
            transport->broken_line = 0;
        }
    }
    if (transport->fd >= 0) {
        return 0;
    }
    transport->next_check = now + FILE_CHECK_NS;
    return transport->path ? file_open_path(transport) : file_open_stdout(transport);
}

/* Waits until fd is writable. Returns 0, or -1 with ECANCELED (cancelled), ETIMEDOUT or EINPROGRESS
 * (paused). */
static int
file_wait(const file_transport *transport, const djp__send_control *control)
{
    for (;;) {
        struct pollfd watched = {transport->fd, POLLOUT, 0};
        int ready = poll(&watched, 1, 0);
        if (ready > 0) {
            return 0; /* the write returns the error */
        }
        int wish = control->poll != NULL ? control->poll(control->user) : DJP__SEND_GO_ON;
        if (wish == DJP__SEND_GIVE_UP) {
            errno = ECANCELED;
            return -1;
        }
        uint64_t now = djp__clock_monotonic();
        if (now >= control->deadline) {
            errno = ETIMEDOUT;
            return -1;
        }
        uint64_t left_ms = (control->deadline - now) / 1000000 + 1;
        int most_ms = wish == DJP__SEND_PAUSE ? FILE_PAUSE_MS : FILE_WAIT_MS;
        ready = poll(&watched, 1, left_ms < (uint64_t)most_ms ? (int)left_ms : most_ms);
        if (wish == DJP__SEND_PAUSE && ready <= 0) {
            errno = EINPROGRESS;
            return -1;
        }
    }
}

static ssize_t
file_write_some(const file_transport *transport, struct iovec *parts, int count)
{
    if (!file_is_ours(transport)) {
        errno = EBADF; /* closed by other code meanwhile */
        return -1;
    }
    if (transport->way == FILE_SOCKET) {
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
        return sendmsg(transport->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (transport->way == FILE_PARTS) {
        return write(transport->fd, parts[0].iov_base,
                     parts[0].iov_len < FILE_PIPE_PART ? parts[0].iov_len : FILE_PIPE_PART);
    }
    return writev(transport->fd, parts, count);
}

static int
file_skip(struct iovec **parts, int count, size_t written)
{
    while (count > 0 && written >= (*parts)->iov_len) {
        written -= (*parts)->iov_len;
        (*parts)++;
        count--;
    }
    if (count > 0) {
        (*parts)->iov_base = (char *)(*parts)->iov_base + written;
        (*parts)->iov_len -= written;
    }
    return count;
}

/* Writes all parts and counts the bytes in the job. Returns 0, or -1 with errno. */
static int
file_write_all(file_transport *transport, struct iovec *parts, int count,
               const djp__send_control *control)
{
    while (count > 0) {
        if (transport->way == FILE_PARTS && file_wait(transport, control) != 0) {
            return -1;
        }
        ssize_t size = file_write_some(transport, parts, count);
        if (size >= 0) {
            transport->job.written += (uint64_t)size;
            count = file_skip(&parts, count, (size_t)size);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (file_wait(transport, control) != 0) {
                return -1;
            }
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

/* The size of the next piece for a shared pipe: whole lines. An OTLP line and its end are one
 * write; a console request ends with a line end. */
static size_t
file_piece(const file_transport *transport, const struct iovec *parts, int count)
{
    size_t piece = djp__shared_pipe_piece(transport->fd, parts[0].iov_base, parts[0].iov_len);
    int is_last = count > 1 && piece == parts[0].iov_len && parts[1].iov_len <= 1;
    return piece + (is_last ? parts[1].iov_len : 0);
}

/* A pipe as standard output is shared with other writers: lines are written whole. */
static int
file_write_lines(file_transport *transport, struct iovec *parts, int count,
                 const djp__send_control *control)
{
    file_job *job = &transport->job;
    while (count > 0) {
        if (!file_is_ours(transport)) {
            errno = EBADF;
            return -1;
        }
        if (job->piece == 0) {
            if (djp__shared_pipe_wait(transport->fd, &transport->writers, control,
                                      job->was_paused) != 0) {
                return -1;
            }
            job->piece = file_piece(transport, parts, count);
        }
        size_t first = job->piece < parts[0].iov_len ? (size_t)job->piece : parts[0].iov_len;
        size_t rest = (size_t)job->piece - first;
        struct iovec both[2] = {{parts[0].iov_base, first},
                                {rest > 0 ? parts[1].iov_base : NULL, rest}};
        uint64_t before = job->written;
        int code = file_write_all(transport, both, rest > 0 ? 2 : 1, control);
        job->piece -= job->written - before;
        if (code != 0) {
            return -1;
        }
        count = file_skip(&parts, count, (size_t)(job->written - before));
    }
    return 0;
}

static void
file_fail(file_transport *transport, djp__send_result *result, int error)
{
    const char *name = transport->path ? transport->path : "standard output";
    if (error == ECANCELED || error == ETIMEDOUT) {
        djp__send_result_set(result, DJP__SEND_ABORTED,
                             "%.120s takes no more bytes and the time is up", name);
        return;
    }
    /* The host's standard output cannot be reopened; a path may work at the next attempt. */
    djp__outcome outcome = transport->path ? DJP__SEND_RETRY : DJP__SEND_REJECTED;
    errno = error; /* for %m */
    if (transport->refused) {
        djp__send_result_set(result, outcome, "will not write to %.120s: %s", name,
                             transport->refused);
    } else {
        djp__send_result_set(result, outcome, "cannot write to %.120s: %m", name);
    }
    file_close(transport);
}

/* Writes the job until it is done. Returns 0 for a pause: call it again with the same job. */
static int
file_advance(file_transport *transport, const djp__send_control *control, djp__send_result *result)
{
    static char line_end[] = "\n";
    file_job *job = &transport->job;
    djp__sigpipe guard;
    memset(result, 0, sizeof *result);
    if (!job->is_open) {
        if (file_prepare(transport) != 0) {
            file_fail(transport, result, errno);
            return 1;
        }
        job->before = transport->broken_line ? 1 : 0;
        job->written = job->piece = 0;
        job->was_paused = 0;
    }
    struct iovec all[3] = {
        {line_end, job->before},
        {(void *)(uintptr_t)job->given.body, job->given.size},
        {line_end, strlen(transport->line_end)},
    };
    uint64_t whole = job->before + job->given.size + all[2].iov_len;
    struct iovec *parts = all;
    int count = file_skip(&parts, 3, (size_t)job->written);
    int shared = !transport->path && S_ISFIFO(transport->id.kind);
    djp__sigpipe_block(&guard);
    int code = (shared ? file_write_lines : file_write_all)(transport, parts, count, control);
    int error = errno;
    djp__sigpipe_restore(&guard);
    job->is_open = job->was_paused = code != 0 && error == EINPROGRESS;
    if (job->is_open) {
        return 0;
    }
    result->wire_bytes = job->written;
    /* A partial line remains: the next request starts on a new line, so that readers lose only that
     * one. */
    transport->broken_line = job->written == 0 ? transport->broken_line
                                               : job->written > job->before && job->written < whole;
    if (code != 0) {
        file_fail(transport, result, error);
    }
    return 1;
}

static void
file_send(djp__transport *base, const void *body, size_t size, const djp__send_control *control,
          djp__send_result *result)
{
    file_transport *transport = (file_transport *)base;
    transport->job.given = (djp__send_job){body, size, control->deadline, NULL};
    while (!file_advance(transport, control, result)) {
    }
}

/* One request at a time, so that the thread comes back between two. */
static void
file_run(djp__transport *base, const djp__send_feed *feed)
{
    file_transport *transport = (file_transport *)base;
    file_job *job = &transport->job;
    djp__send_result result;
    if (!job->is_open && !feed->next(feed->user, &job->given)) {
        return;
    }
    const djp__send_control control = {job->given.deadline, feed->poll, feed->user};
    if (file_advance(transport, &control, &result)) {
        feed->done(feed->user, job->given.tag, &result);
    }
}

static void
file_abandon(djp__transport *base)
{
    file_transport *transport = (file_transport *)base;
    /* Two processes may append to one open file; the parent completes its partial line. */
    transport->broken_line = 0;
    transport->job.is_open = 0;
    if (transport->parted) {
        transport->fd = -1; /* the parent thread's descriptor is invalid here */
    }
}

static void
file_leave(djp__transport *base)
{
    file_close((file_transport *)base);
}

static void
file_free(djp__transport *base)
{
    if (base == NULL) {
        return;
    }
    file_close((file_transport *)base);
    djp__free(base);
}

static const djp__transport_ops file_ops = {"file",     file_send, NULL, file_abandon, file_free,
                                            file_leave, 1,         0,    file_run};
/* Standard output is a descriptor of the process. */
static const djp__transport_ops file_stdout_ops = {
    "file", file_send, NULL, file_abandon, file_free, file_leave, 1, 1, file_run};
static const djp__transport_ops file_console_ops = {
    "console", file_send, NULL, file_abandon, file_free, file_leave, 1, 1, file_run};

static int
file_names_stdout(const char *path)
{
    return strcmp(path, "-") == 0 || strcmp(path, "/dev/stdout") == 0;
}

static int
file_new(djp__transport **out, const char *path, const djp__transport_ops *ops)
{
    file_transport *transport = djp__calloc(1, sizeof *transport);
    *out = NULL;
    if (transport == NULL) {
        return DJP_ENOMEM;
    }
    transport->line_end = ops == &file_console_ops ? "" : "\n";
    transport->path = path;
    transport->base.ops = ops;
    djp__file_id_get(&transport->standard, STDOUT_FILENO);
    transport->fd = -1;
    *out = &transport->base;
    return 0;
}

int
djp__transport_file_new(djp__transport **out, const char *path)
{
    int is_stdout = path == NULL || !path[0] || file_names_stdout(path);
    return is_stdout ? file_new(out, NULL, &file_stdout_ops) : file_new(out, path, &file_ops);
}

int
djp__transport_console_new(djp__transport **out)
{
    return file_new(out, NULL, &file_console_ops);
}
