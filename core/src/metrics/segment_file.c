/* One file for all processes that name a directory. flock(2) guards its creation and its reset; the
 * descriptor is closed afterwards, so that a program that closes all descriptors changes nothing.
 */
#include "metrics/segment_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/mem.h"
#include "base/str.h"
#include "djp/error.h"
#include "metrics/slot.h"

#define SEGMENT_FILE_STEP (256u * 1024u) /* bytes of the heap reserved at once */
#define SEGMENT_FILE_IDLE_NS UINT64_C(60000000000)
#define SEGMENT_FILE_LOCK_MS 2000
enum { SEGMENT_FILE_TRIES = 4 };

typedef struct djp__segment_file {
    int fd; /* open and locked until the segment is ready; then -1 */
    djp__file_id id;
    char *dir; /* behind the path */
    char path[];
} segment_file;

/* Processes of another build, C library or processor use another file. */
static segment_file *
segment_file_new(const char *dir)
{
    char name[64];
    uint32_t layout = (uint32_t)sizeof(pthread_mutex_t) ^ (uint32_t)(sizeof(void *) << 8);
#ifdef __GLIBC__
    layout ^= 0x10000;
#endif
    snprintf(name, sizeof name, "djp-metrics-%x-%zx.shared", layout,
             sizeof(djp__segment_header) ^ sizeof(djp__segment_slot) << 16);
    size_t size = strlen(dir) + 1 + strlen(name) + 1;
    segment_file *file = djp__calloc(1, sizeof *file + size + strlen(dir) + 1);
    if (file != NULL) {
        file->fd = -1;
        file->dir = strcpy(file->path + size, dir);
        snprintf(file->path, size, "%s/%s", dir, name);
    }
    return file;
}

/* The mapping keeps the open file, and with it the lock, beyond close(2). */
static void
segment_file_close(segment_file *file)
{
    if (file->fd >= 0) {
        flock(file->fd, LOCK_UN);
        close(file->fd);
        file->fd = -1;
    }
}

void
djp__segment_file_free(struct djp__segment_file *file)
{
    if (file != NULL) {
        segment_file_close(file);
        djp__free(file);
    }
}

/* Only a file of this user that no other user may change. */
static int
segment_file_descriptor(const char *path, int flags)
{
    struct stat found;
    int fd = djp__file_open_regular(&found, path, O_RDWR | flags);
    int error = fd < 0                                ? 0
                : found.st_uid != geteuid()           ? EACCES
                : found.st_mode & (S_IWGRP | S_IWOTH) ? EPERM
                                                      : 0;
    if (error != 0) {
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static int
segment_file_lock(int fd)
{
    uint64_t end = djp__clock_monotonic() + SEGMENT_FILE_LOCK_MS * UINT64_C(1000000);
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if ((errno != EWOULDBLOCK && errno != EINTR) || djp__clock_monotonic() > end) {
            return -1;
        }
        struct timespec pause = {0, 1000000};
        nanosleep(&pause, NULL);
    }
    return 0;
}

const char *
djp__segment_file_directory(const djp__segment *segment)
{
    return segment->file != NULL ? segment->file->dir : "";
}

int
djp__segment_file_is_current(const djp__segment *segment)
{
    struct stat found;
    const segment_file *file = segment->file;
    return file == NULL || (lstat(file->path, &found) == 0 && found.st_dev == file->id.device &&
                            found.st_ino == file->id.inode);
}

/* Opens and locks the file that has the name now. Returns 0, or -1 with errno. */
static int
segment_file_take(segment_file *file)
{
    for (int i = 0; i < SEGMENT_FILE_TRIES; i++) {
        djp__segment seen = {.file = file};
        file->fd = segment_file_descriptor(file->path, O_CREAT);
        if (file->fd < 0 || !djp__file_id_get(&file->id, file->fd) ||
            segment_file_lock(file->fd) != 0) {
            return -1;
        }
        if (djp__segment_file_is_current(&seen)) {
            return 0;
        }
        segment_file_close(file); /* it was removed meanwhile */
    }
    errno = EAGAIN;
    return -1;
}

uint32_t
djp__segment_file_round(uint32_t end)
{
    return (end + SEGMENT_FILE_STEP - 1) / SEGMENT_FILE_STEP * SEGMENT_FILE_STEP;
}

/* A number of this boot of the machine, or 0. */
static uint64_t
segment_file_boot(void)
{
    char text[64];
    uint64_t hash = 0;
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t size = read(fd, text, sizeof text);
        close(fd);
        hash = djp__hash_fixed(0, text, size > 0 ? (size_t)size : 0);
    }
    return hash;
}

/* A file over the limit of the process would be a signal. */
static int
segment_file_reserve(int fd, size_t at, size_t size)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        limit.rlim_cur < at + size) {
        return DJP_EFULL;
    }
    int error;
    do {
        error = posix_fallocate(fd, (off_t)at, (off_t)size);
    } while (error == EINTR);
    return error == 0 ? 0 : DJP_EFULL;
}

int
djp__segment_file_commit(const djp__segment *segment, size_t at, size_t size)
{
    const segment_file *file = segment->file;
    if (file->fd >= 0) {
        return segment_file_reserve(file->fd, at, size);
    }
    int fd = segment_file_descriptor(file->path, 0);
    int result =
        fd >= 0 && djp__file_is(&file->id, fd) ? segment_file_reserve(fd, at, size) : DJP_EFULL;
    if (fd >= 0) {
        close(fd);
    }
    return result;
}

static int
segment_file_map(djp__segment *segment, size_t size)
{
    void *base =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, segment->file->fd, 0);
    if (base == MAP_FAILED) {
        return DJP_ENOMEM;
    }
    segment->base = base;
    segment->size = size;
    segment->header = base;
    return 0;
}

/* Begins an empty file. */
static int
segment_file_format(djp__segment *segment, const char **why, uint64_t bytes, uint32_t slots)
{
    segment_file *file = segment->file;
    size_t size = djp__segment_plan(segment, DJP__SEGMENT_NAMED, bytes, slots);
    segment->file = file;
    size_t first = sizeof(djp__segment_header) + slots * sizeof(djp__segment_slot);
    uint32_t committed = djp__segment_file_round((uint32_t)first);
    committed = committed < segment->heap_size ? committed : segment->heap_size;
    *why = "its first pages cannot be written";
    if (segment_file_reserve(file->fd, 0, committed) < 0) {
        return DJP_EIO;
    }
    *why = "it cannot be mapped";
    if (segment_file_map(segment, size) < 0 || djp__segment_format(segment) < 0) {
        return DJP_ENOMEM;
    }
    segment->header->heap_committed = committed;
    segment->header->boot = segment_file_boot();
    segment->header->used_unix_ns = djp__clock_realtime();
    return 0;
}

/* Maps a file with contents. Returns 1, 0 if the file is damaged or stale, or an error. */
static int
segment_file_adopt(djp__segment *segment, const char **why)
{
    segment_file *file = segment->file;
    djp__segment_header header;
    if (pread(file->fd, &header, sizeof header, 0) != (ssize_t)sizeof header ||
        !djp__segment_header_is_good(&header)) {
        return 0;
    }
    segment->kind = DJP__SEGMENT_NAMED;
    segment->is_striped = 1;
    segment->stripes = header.stripes;
    segment->heap_size = header.heap_size;
    segment->stripe_size = header.stripe_size;
    *why = "it cannot be mapped";
    if (segment_file_map(segment, segment->heap_size +
                                      (size_t)segment->stripe_size * segment->stripes) < 0) {
        return DJP_ENOMEM;
    }
    uint64_t now = djp__clock_realtime(), used = segment->header->used_unix_ns;
    int is_recent = now >= used && now - used < SEGMENT_FILE_IDLE_NS;
    if (segment->header->boot == segment_file_boot() && (is_recent || djp__slot_anyone(segment))) {
        return 1;
    }
    munmap(segment->base, segment->size);
    segment->base = NULL;
    return 0;
}

/* Begins the file if it is empty, or maps it. Returns 1, or 0 after the removal of a file that is
 * damaged or stale: a process may still have it mapped, so that it is not cut. */
static int
segment_file_use(djp__segment *segment, const char **why, uint64_t bytes, uint32_t slots)
{
    segment_file *file = segment->file;
    struct stat found;
    if (fstat(file->fd, &found) != 0) {
        return DJP_EIO;
    }
    if (found.st_size == 0) {
        int result = segment_file_format(segment, why, bytes, slots);
        return result < 0 ? result : 1;
    }
    int result = segment_file_adopt(segment, why);
    if (result == 0) {
        *why = "the old file cannot be removed";
        result = unlink(file->path) == 0 ? 0 : DJP_EIO;
        segment_file_close(file);
    }
    return result;
}

int
djp__segment_file_open(djp__segment *out, const char **why, const char *dir, uint64_t bytes,
                       uint32_t slots)
{
    memset(out, 0, sizeof *out);
    segment_file *file = segment_file_new(dir);
    *why = "there is no memory";
    if (file == NULL) {
        return DJP_ENOMEM;
    }
    out->file = file;
    (void)mkdir(dir, 0700); /* its parent exists, or opening the file says what is wrong */
    int result = 0;
    for (int i = 0; i < SEGMENT_FILE_TRIES && result == 0; i++) {
        *why = "it cannot be opened";
        result = segment_file_take(file) == 0 ? 0 : DJP_EIO;
        if (result == 0) {
            result = segment_file_use(out, why, bytes, slots);
        }
    }
    if (result == 0) {
        result = DJP_EIO;
    }
    if (result < 0) {
        int error = errno;
        djp__segment_fini(out);
        errno = error;
        return result;
    }
    return 0;
}

void
djp__segment_file_ready(djp__segment *segment)
{
    if (segment->file != NULL) {
        segment_file_close(segment->file);
    }
}
