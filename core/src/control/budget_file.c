/* One line of text, replaced by rename under a lock on a second file, so that a reader never sees
 * half of it and no process adds to an old sum. */
#include "control/budget_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/files.h"
#include "base/mem.h"
#include "base/str.h"

enum { BUDGET_FILE__MAX = 256 };
#define BUDGET_FILE__HEAD "djp-telemetry budget 1 "
/* seconds after which the own clock counts as correct */
#define BUDGET_FILE__TRUST 3600.0

typedef struct budget_file__state {
    int month;
    double since, spent;
} budget_file__state;

static int
budget_file_open(const char *path, int flags)
{
    struct stat found;
    return djp__file_open_regular(&found, path, flags);
}

static int
budget_file_open_lock(const char *path)
{
    int file = budget_file_open(path, O_RDWR | O_CREAT | O_EXCL);
    return file < 0 && errno == EEXIST ? budget_file_open(path, O_RDWR) : file;
}

/* Creates a file. The lock is held: an existing one was left by a process that died; another kind
 * of file remains. */
static int
budget_file_create(const char *path)
{
    struct stat found;
    int file = budget_file_open(path, O_WRONLY | O_CREAT | O_EXCL);
    if (file >= 0 || errno != EEXIST) {
        return file;
    }
    if (lstat(path, &found) == 0 && S_ISREG(found.st_mode) && found.st_nlink == 1 &&
        found.st_uid == geteuid()) {
        return unlink(path) == 0 ? budget_file_open(path, O_WRONLY | O_CREAT | O_EXCL) : -1;
    }
    errno = EEXIST;
    return -1;
}

static int
budget_file_whole(djp_text text, int *out)
{
    uint64_t number;
    int good = djp__parse_u64(text, &number) && number <= 1000000;
    *out = good ? (int)number : 0;
    return good;
}

/* The text after `prefix`; returns 0 without the prefix or text. */
static int
budget_file_behind(djp_text *text, const char *prefix)
{
    size_t size = strlen(prefix);
    if (text->size <= size || memcmp(text->data, prefix, size) != 0) {
        return 0;
    }
    *text = (djp_text){text->data + size, text->size - size};
    return 1;
}

/* "2026-11" as a number of months. */
static int
budget_file_month(int *out, djp_text year, djp_text month)
{
    int years = 0, months = 0;
    int good = budget_file_whole(year, &years) && budget_file_whole(month, &months) &&
               months >= 1 && months <= 12;
    *out = years * 12 + months - 1;
    return good;
}

static int
budget_file_number(double *out, djp_text text, const char *prefix, double limit)
{
    return budget_file_behind(&text, prefix) && djp__parse_double(text, out) && *out >= 0 &&
           *out < limit;
}

/* "2026-11 since=1762000000 spent=12.5\n" after the head. */
static int
budget_file_parse(budget_file__state *out, djp_text text)
{
    djp_text year, month, since, spent;
    if (!budget_file_behind(&text, BUDGET_FILE__HEAD) || text.data[text.size - 1] != '\n') {
        return 0;
    }
    djp_text rest = {text.data, text.size - 1};
    return djp__text_split(&year, &rest, '-') && djp__text_split(&month, &rest, ' ') &&
           djp__text_split(&since, &rest, ' ') && djp__text_split(&spent, &rest, ' ') &&
           budget_file_month(&out->month, year, month) &&
           budget_file_number(&out->since, since, "since=", 1e12) &&
           budget_file_number(&out->spent, spent, "spent=", 1e15);
}

/* 1: read; 0: no file; -1: malformed; -2: unreadable. */
static int
budget_file_read(budget_file__state *out, const char *path)
{
    char text[BUDGET_FILE__MAX + 1];
    int file = budget_file_open(path, O_RDONLY);
    if (file < 0) {
        return errno == ENOENT ? 0 : -2;
    }
    ssize_t got, size = 0;
    while ((got = read(file, text + size, (size_t)(BUDGET_FILE__MAX + 1 - size))) > 0) {
        size += got;
    }
    close(file);
    if (got < 0) {
        return -2;
    }
    return size <= BUDGET_FILE__MAX && budget_file_parse(out, (djp_text){text, (size_t)size}) ? 1
                                                                                              : -1;
}

static int
budget_file_write(const char *path, const char *beside, const djp__budget *account)
{
    char text[BUDGET_FILE__MAX];
    int size =
        snprintf(text, sizeof text, BUDGET_FILE__HEAD "%04d-%02d since=%.0f spent=%.9f\n",
                 account->month / 12, account->month % 12 + 1, account->since, account->spent);
    int file = budget_file_create(beside);
    if (file < 0) {
        return 0;
    }
    int good = size > 0 && write(file, text, (size_t)size) == size;
    good = close(file) == 0 && good;
    return good && rename(beside, path) == 0;
}

/* The lock is held. */
static djp__budget_merged
budget_file_merge(const char *path, const char *beside, djp__budget *account)
{
    budget_file__state state = {0, 0, 0};
    int found = budget_file_read(&state, path);
    if (found == -2) {
        return DJP_BUDGET_UNUSABLE;
    }
    if (found == 1 && state.month > account->month + 1 && account->learned >= BUDGET_FILE__TRUST) {
        /* written by a wrong clock: waiting for that month would disable sharing for years */
        found = -1;
    }
    if (found == 1 && state.month > account->month) {
        /* one of the clocks is wrong: the next month resolves it */
        return DJP_BUDGET_MERGED;
    }
    djp__budget before = *account;
    if (found == 1) {
        djp__budget_take(account, state.month, state.since, state.spent);
    }
    if (!budget_file_write(path, beside, account)) {
        *account = before;
        return DJP_BUDGET_UNUSABLE;
    }
    account->unshared = 0;
    return found == -1 ? DJP_BUDGET_DAMAGED : DJP_BUDGET_MERGED;
}

static djp__budget_merged
budget_file_locked(const char *path, const char *lock, const char *beside, djp__budget *account)
{
    djp__budget_merged merged = DJP_BUDGET_UNUSABLE;
    int file = budget_file_open_lock(lock);
    if (file < 0) {
        return merged;
    }
    if (flock(file, LOCK_EX | LOCK_NB) == 0) {
        merged = budget_file_merge(path, beside, account);
    } else if (errno == EWOULDBLOCK || errno == EINTR) {
        merged = DJP_BUDGET_BUSY;
    }
    int error = errno;
    flock(file, LOCK_UN); /* a child forked meanwhile has the file too */
    close(file);
    errno = error;
    return merged;
}

djp__budget_merged
djp__budget_file_merge(const char *path, djp__budget *account)
{
    size_t size = strlen(path) + 6;
    char *names = djp__calloc(2, size);
    djp__budget_merged merged = DJP_BUDGET_UNUSABLE;
    errno = ENOMEM;
    if (names != NULL && account->month >= 0) {
        snprintf(names, size, "%s.lock", path);
        snprintf(names + size, size, "%s.new", path);
        merged = budget_file_locked(path, names, names + size, account);
    }
    djp__free(names);
    return merged;
}
