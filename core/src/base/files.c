/* A separate descriptor table for a thread, and access to standard error from any thread. It does
 * not wait, and checks a descriptor before writing to it. */
#include "base/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/thread.h"

/* System call numbers, the same on all machines, for older C libraries. */
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE (1u << 1)
#endif

/* Sanitizers write their reports to 2. */
#if defined(__SANITIZE_ADDRESS__)
#define FILES__FIRST 3
#else
#define FILES__FIRST 0
#endif

/* Written by its thread. */
static DJP__THREAD_LOCAL int files__parted;

static void
files_id_of(djp__file_id *out, const struct stat *facts)
{
    *out = (djp__file_id){facts->st_dev, facts->st_rdev, facts->st_ino, facts->st_mode & S_IFMT};
}

static int
files_same(const djp__file_id *a, const djp__file_id *b)
{
    return a->device == b->device && a->special == b->special && a->inode == b->inode &&
           a->kind == b->kind;
}

int
djp__file_id_get(djp__file_id *out, int fd)
{
    struct stat facts;
    memset(out, 0, sizeof *out);
    if (fd < 0 || fstat(fd, &facts) != 0) {
        return 0;
    }
    files_id_of(out, &facts);
    return 1;
}

int
djp__file_is(const djp__file_id *id, int fd)
{
    djp__file_id now;
    return djp__file_id_get(&now, fd) && files_same(&now, id);
}

int
djp__file_open_regular(struct stat *facts, const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return -1;
    }
    int error = fstat(fd, facts) != 0      ? errno
                : !S_ISREG(facts->st_mode) ? EINVAL
                : facts->st_nlink > 1      ? EMLINK
                                           : 0;
    if (error != 0) {
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* ---- separate descriptor tables ---- */

/* For kernels that cannot close the old descriptors in the same step. The directory listing holds
 * one of them. */
static int
files_close_copies(void)
{
    DIR *list = opendir("/proc/thread-self/fd");
    if (list == NULL) {
        return 0;
    }
    int own = dirfd(list);
    for (const struct dirent *entry; (entry = readdir(list)) != NULL;) {
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] != '.' && fd != own && fd >= FILES__FIRST) {
            close(fd);
        }
    }
    closedir(list);
    return 1;
}

int
djp__files_part(void)
{
#if defined(__SANITIZE_THREAD__)
    return 0; /* it compares the same number in two tables */
#endif
    if (syscall(SYS_close_range, (unsigned)FILES__FIRST, ~0u, CLOSE_RANGE_UNSHARE) != 0) {
        if (access("/proc/thread-self/fd", R_OK | X_OK) != 0 || unshare(CLONE_FILES) != 0) {
            return 0;
        }
        files_close_copies();
    }
    files__parted = 1;
    /* Libraries write to 2 when they abort; that must not be a connection. */
    for (int i = FILES__FIRST; i < 3; i++) {
        if (open("/dev/null", O_RDWR | O_NOCTTY) < 0 &&
            socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) < 0) {
            break;
        }
    }
    return 1;
}

int
djp__files_are_parted(void)
{
    return files__parted;
}

void
djp__files_inherit(int parted)
{
    files__parted = parted;
}

/* ---- standard error ---- */

int
djp__standard_is_safe(const djp__file_id *at_start, int fd)
{
    djp__file_id now;
    if (!djp__file_id_get(&now, fd)) {
        return 0;
    }
    int flags = fcntl(fd, F_GETFL);
    return files_same(&now, at_start) || S_ISCHR(now.kind) ||
           (S_ISREG(now.kind) && flags >= 0 && (flags & O_APPEND));
}

/* The process's standard error as a descriptor of this thread: itself, or a copy from the
 * kernel. */
static int
files_take_standard_error(void)
{
    if (!files__parted) {
        return STDERR_FILENO;
    }
    int process = (int)syscall(SYS_pidfd_open, getpid(), 0u);
    if (process < 0) {
        return -1;
    }
    int fd = (int)syscall(SYS_pidfd_getfd, process, STDERR_FILENO, 0u);
    close(process);
    return fd;
}

/* The same pipe or terminal with a separate open file description, which may be non-blocking. -1:
 * not possible. */
static int
files_open_again(void)
{
    return open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* A ready pipe accepts a line at once. A pipe without readers has further flags, and writing to it
 * would raise a signal. */
static void
files_write_if_ready(int fd, const char *line, size_t size)
{
    struct pollfd stream = {fd, POLLOUT, 0};
    ssize_t wrote = 0;
    if (fd >= 0 && poll(&stream, 1, 0) > 0 && stream.revents == POLLOUT) {
        wrote = write(fd, line, size);
    }
    (void)wrote; /* there is no one to report a failure to */
}

static void
files_write_stream(int fd, const djp__file_id *id, const char *line, size_t size)
{
    int again = files_open_again();
    int is_same = again >= 0 && djp__file_is(id, again);
    files_write_if_ready(is_same ? again : fd, line, size);
    if (again >= 0) {
        close(again);
    }
}

/* Without a copy from the kernel, the stream is opened again, which also works for the usual
 * ones. */
static void
files_write_reopened(const djp__file_id *at_start, const char *line, size_t size)
{
    djp__file_id id;
    int again = files_open_again();
    if (djp__file_id_get(&id, again) && (files_same(&id, at_start) || S_ISCHR(id.kind))) {
        files_write_if_ready(again, line, size);
    }
    if (again >= 0) {
        close(again);
    }
}

void
djp__standard_error_write(const djp__file_id *at_start, const char *line, size_t size)
{
    int saved = errno, fd = files_take_standard_error();
    djp__file_id id;
    ssize_t wrote = 0;
    if (fd < 0) {
        files_write_reopened(at_start, line, size);
    } else if (djp__standard_is_safe(at_start, fd) && djp__file_id_get(&id, fd)) {
        if (S_ISSOCK(id.kind)) {
            wrote = send(fd, line, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        } else if (S_ISREG(id.kind)) {
            wrote = write(fd, line, size);
        } else {
            files_write_stream(fd, &id, line, size);
        }
    }
    (void)wrote;
    if (files__parted && fd >= 0) {
        close(fd);
    }
    errno = saved;
}
